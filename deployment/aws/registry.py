"""The image's repository in Amazon ECR, for build_and_push.sh: who is asked, and that it is there.

`python -m deployment.aws.registry prepare` makes what is missing and prints the repository's URI;
`… password` prints what `docker login` takes. Everything else goes to standard error.
"""

from __future__ import annotations

import argparse
import base64
import sys
from collections.abc import Iterator
from typing import Any

from deployment import names
from deployment.aws.client import Aws
from deployment.aws.performer import Performer
from deployment.errors import DeploymentError, Misuse
from deployment.plan.calls import Call
from deployment.plan.images import make_repository, make_rule, repository

OURS = {"Key": names.MADE_BY, "Value": "build_and_push.sh"}
"""The tag of repositories that were made here; those of others keep their own rules."""

WHO = Call("sts", "GetCallerIdentity", {})

PASSWORD = Call("ecr", "GetAuthorizationToken", {})


def tags(arn: str) -> Call:
    """What says who made it."""
    return Call("ecr", "ListTagsForResource", {"resourceArn": arn})


def calls(name: str, arn: str = "*") -> Iterator[Call]:
    """Every call that is made here."""
    yield WHO
    for step in (make_repository(name, [OURS]), make_rule(name)):
        yield step.call
        yield step.look.call
    yield from (tags(arn), PASSWORD)


def identify(aws: Aws, account: str | None) -> None:
    """Say who is asked, and as whom. Raises `Misuse` where that is another account."""
    caller = aws.ask(WHO)
    place = aws.client("ecr").meta.endpoint_url
    elsewhere = "" if "amazonaws.com" in place else f", at {place}"
    say(f"AWS account {caller['Account']}, region {aws.region}, as {caller['Arn']}{elsewhere}.")
    if account and account != caller["Account"]:
        raise Misuse(
            f"These credentials are of the account {caller['Account']}, not of {account}; nothing "
            "was done. --profile or AWS_PROFILE chooses others."
        )


def prepare(aws: Aws, name: str, keep: int | None = None) -> str:
    """The URI of the repository; made, if it is missing, or finished, if it was made by half."""
    performer = Performer(aws, say)
    performer.make(make_repository(name, [OURS]))
    there: dict[str, Any] = aws.look(repository(name))
    if OURS in aws.ask(tags(there["repositoryArn"]))["tags"]:
        performer.make(make_rule(name, keep))
    return str(there["repositoryUri"])


def password(aws: Aws) -> str:
    """What `docker login --username AWS` takes; good for 12 hours."""
    token = aws.ask(PASSWORD)["authorizationData"][0]["authorizationToken"]
    return base64.b64decode(token).decode().partition(":")[2]


def say(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(f"{text}\n")


def arguments() -> argparse.Namespace:
    """The command line, as build_and_push.sh writes it."""
    parser = argparse.ArgumentParser(prog="python -m deployment.aws.registry")
    parser.add_argument("command", choices=("prepare", "password"))
    parser.add_argument("--repository", required=True)
    parser.add_argument("--account")
    parser.add_argument("--region")
    parser.add_argument("--profile")
    parser.add_argument("--keep", type=int)
    return parser.parse_args()


def run(chosen: argparse.Namespace) -> str:
    """What one command prints. Raises a `DeploymentError`."""
    aws = Aws(chosen.region, chosen.profile)
    if chosen.command == "password":
        return password(aws)
    identify(aws, chosen.account)
    return prepare(aws, chosen.repository, chosen.keep)


def main() -> None:
    """Run the command; end with a sentence where it fails."""
    try:
        done = run(arguments())
    except DeploymentError as error:
        say(f"build_and_push.sh: {error}")
        raise SystemExit(error.exit_code) from None
    sys.stdout.write(f"{done}\n")


if __name__ == "__main__":
    main()
