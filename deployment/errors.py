"""Everything that can go wrong with a deployment, as one tree, with the exit status of each.

    DeploymentError                    1
     ├── Misuse                        2: what was typed can't be done; AWS was not asked
     ├── NotAllowed                    3: no credentials, expired ones, or a permission is missing
     ├── Refused                       4: AWS was asked and said no
     ├── NotReached                    5: AWS did not answer
     ├── EndpointFailed                6: SageMaker could not start the container
     ├── AnsweredWrong                 7: the endpoint answers, and not as the golden pictures say
     ├── TrainingFailed                8: a training job, or a whole search, failed or was stopped
     ├── Vulnerable                    9: an image has vulnerabilities as severe as was asked about
     └── NotScanned                   10: nobody knows whether an image has some

Each message says what happened, where, what was expected and what to do.
"""

from __future__ import annotations


class DeploymentError(Exception):
    """The root; `exit_code` is for scripts."""

    exit_code = 1


class Misuse(DeploymentError):
    """What was asked for can't be done, which is known without asking AWS."""

    exit_code = 2


class NotAllowed(DeploymentError):
    """AWS does not know the caller, or does not let the caller do this."""

    exit_code = 3


class Refused(DeploymentError):
    """AWS was asked and said no; `code` is AWS's own."""

    exit_code = 4

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class NotYet(Refused):
    """AWS refused a role, as it does for some seconds after one has been made."""


class NotReached(DeploymentError):
    """AWS did not answer."""

    exit_code = 5


class EndpointFailed(DeploymentError):
    """SageMaker could not bring the container up."""

    exit_code = 6


class AnsweredWrong(DeploymentError):
    """A golden picture came out otherwise through the endpoint."""

    exit_code = 7


class TrainingFailed(DeploymentError):
    """A training job has ended without what it was to make."""

    exit_code = 8


class Vulnerable(DeploymentError):
    """Amazon ECR knows of vulnerabilities in an image."""

    exit_code = 9


class NotScanned(DeploymentError):
    """Amazon ECR has no finished scan of an image."""

    exit_code = 10
