"""`deploy.py page`: a page in the browser that asks an endpoint."""

from __future__ import annotations

import sys
from typing import Any

import click

from deployment.aws import predictor
from deployment.errors import Misuse
from deployment.plan.requests import Asked, invocation
from deployment.proof import inspection
from deployment.terminal.dry_run import show_calls
from deployment.terminal.options import DRY_RUN, NAME, WHERE, connect, options
from deployment.terminal.progress import say

COST = "Each picture that is put on the page is a request, which AWS bills as any other."


@click.command()
@options(NAME)
@click.option("--variant", help="The variant that is to answer.  [default: by their weights]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8081,
    show_default=True,
    help="Where the page is, on this machine alone.",
)
@options(DRY_RUN, WHERE)
def page(name: str, variant: str | None, port: int, **asked: Any) -> None:
    """Open a web page for trying the endpoint NAME with pictures.

    It is the page of `plumbline serve`: boxes, masks and classes over the picture, and the raw
    response. Only this machine can open it. Ctrl-C ends it.

    \b
    python deploy.py page cats
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    if asked["dry_run"]:
        call = invocation(name, "PICTURE", Asked(variant=variant or ""))
        show_calls(name, aws.region, [call], COST)
        return
    if predictor.endpoint(aws, name, say).answers_to:
        raise Misuse(
            f"{name} is an async endpoint, whose answers a page does not wait for: `python "
            f"deploy.py invoke {name} PICTURE` does."
        )
    arguments = ["page", "--endpoint", name, "--region", aws.region, "--port", str(port)]
    arguments += ["--variant", variant] if variant else []
    sys.exit(inspection.plumbline(*arguments, shown=True, profile=asked["profile"]).returncode)
