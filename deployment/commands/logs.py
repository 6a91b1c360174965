"""`deploy.py logs`: what the containers say."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import click

from deployment import names
from deployment.aws.client import Aws
from deployment.aws.outage import Outage
from deployment.current import cloudwatch as logbook
from deployment.current.cloudwatch import Line
from deployment.plan.calls import Call
from deployment.terminal.dry_run import show_calls
from deployment.terminal.options import DRY_RUN, NAME, WHERE, connect, options
from deployment.terminal.progress import say

PAUSE = 3.0
"""Seconds between two looks, with --follow."""


@click.command()
@options(NAME)
@click.option(
    "--lines", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many."
)
@click.option("--follow", is_flag=True, help="Go on showing what comes, until Ctrl-C.")
@options(DRY_RUN, WHERE)
def logs(name: str, lines: int, follow: bool, **asked: Any) -> None:
    """Show the last log lines of the containers of NAME.

    Every request has a line, and so has loading the model. SageMaker keeps the log in CloudWatch,
    also that of an endpoint that failed or was removed.

    \b
    python deploy.py logs cats
    python deploy.py logs cats --lines 200 --follow
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    if asked["dry_run"]:
        group = {"logGroupName": names.log_group(name)}
        show_calls(name, aws.region, [Call("logs", "DescribeLogStreams", group)])
        return
    found = logbook.tail(aws, name, lines)
    if not found:
        say(f"The containers of {name} have written nothing yet in {aws.region}.")
    for line in found:
        click.echo(str(line))
    if follow:
        go_on(aws, name, found)


def go_on(aws: Aws, name: str, seen: list[Line]) -> None:
    """Show each new line once, until the terminal says to stop."""
    known, outage = set(seen), Outage(say)
    while True:
        time.sleep(PAUSE)
        start = max((line.time for line in known), default=0)
        found = outage.borne(partial(fetched, aws, name, start)) or ()
        fresh = [line for line in found if line not in known]
        for line in fresh:
            click.echo(str(line))
        known = {line for line in (*known, *fresh) if line.time >= start}


def fetched(aws: Aws, name: str, start: int) -> list[Line]:
    """All lines from a time on."""
    return list(logbook.since(aws, name, start))
