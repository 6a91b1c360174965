"""`deploy.py front`: an HTTPS address for callers who can't sign requests, as a template."""

from __future__ import annotations

import json

import click

from deployment.plan.front import MOST_MB, template
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
def front(name: str, rate: int, burst: int, most_mb: int) -> None:
    """Print a CloudFormation template for an HTTPS front of NAME: API Gateway, key, Lambda.

    For callers without AWS credentials. docs/teams.md says what it protects against, and what not.
    AWS bills requests, the key and the logs.

    \b
    python deploy.py front cats > front.yaml
    aws cloudformation deploy --stack-name cats-front --template-file front.yaml \\
        --capabilities CAPABILITY_IAM
    """  # noqa: D301 - \b keeps click from rewrapping
    click.echo(json.dumps(template(name, rate, burst, most_mb), indent=2))
    say("Nothing was done: this is a template. The stack's outputs are the address and the key.")
