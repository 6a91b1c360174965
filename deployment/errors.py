"""Everything that can go wrong with a deployment, as one tree, with the exit status of each.

    DeploymentError                    1
     ├── Misuse                        2: what was typed can't be done; AWS was not asked
     ├── NotAllowed                    3: no credentials, expired ones, or a permission is missing
     ├── Refused                       4: AWS was asked and said no
     ├── NotReached                    5: AWS did not answer
     ├── EndpointFailed                6: SageMaker could not start the container
     └── AnsweredWrong                 7: the endpoint answers, and not as the golden pictures say

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


class NotReached(DeploymentError):
    """AWS did not answer."""

    exit_code = 5


class EndpointFailed(DeploymentError):
    """SageMaker could not bring the container up."""

    exit_code = 6


class AnsweredWrong(DeploymentError):
    """A golden picture came out otherwise through the endpoint."""

    exit_code = 7
