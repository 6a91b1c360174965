"""`deploy.py front`: an HTTPS address for callers who can't sign requests, as a template."""

from __future__ import annotations

import json
from typing import Any

import click

from deployment import names
from deployment.plan.front import MOST_MB, Asked, template
from deployment.terminal.options import AT_LEAST_ONE, NAME, options
from deployment.terminal.progress import say


@click.command()
@options(NAME)
@click.option(
    "--rate", type=AT_LEAST_ONE, default=20, show_default=True, help="Requests a second, at most."
)
@click.option(
    "--burst", type=AT_LEAST_ONE, default=40, show_default=True, help="Requests at once, at most."
)
@click.option(
    "--most-mb",
    type=click.IntRange(1, MOST_MB),
    default=MOST_MB,
    show_default=True,
    help="The largest picture, in MB.",
)
@click.option(
    "--component", is_flag=True, help="The endpoint has an inference component (up --component)."
)
@click.option("--model", help="Of a multi-model endpoint: the model that answers, such as cats.")
def front(name: str, rate: int, burst: int, most_mb: int, **asked: Any) -> None:
    """Print a CloudFormation template for an HTTPS front of NAME: API Gateway, key, Lambda.

    For callers without AWS credentials. docs/teams.md says what it protects against, and what not.
    AWS bills requests, the key and the logs. An asynchronous endpoint can't have one: its responses
    go to S3.

    \b
    python deploy.py front cats > front.yaml
    aws cloudformation deploy --stack-name cats-front --template-file front.yaml \\
        --capabilities CAPABILITY_IAM
    """  # noqa: D301 - \b keeps click from rewrapping
    component = names.component(name) if asked["component"] else ""
    wanted = Asked(name, component, names.archive_name(asked["model"]))
    made = template(wanted, rate, burst, most_mb)
    click.echo(json.dumps(made, indent=2))
    say("Nothing was done: this is a template. The stack's outputs are the address and the key.")
