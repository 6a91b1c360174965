"""`deploy.py weights`: which variant gets how many of the requests."""

from __future__ import annotations

from typing import Any

import click

from deployment.current.running import read, refuse_component
from deployment.errors import Misuse
from deployment.plan.transition import plan_weights
from deployment.proof import causes
from deployment.terminal import parsing, progress
from deployment.terminal.dry_run import show
from deployment.terminal.options import DRY_RUN, NAME, WHERE, connect, options
from deployment.terminal.progress import say

COPIES = (
    "Its copies share the requests evenly: `python deploy.py status {name}` shows how many there "
    "are, and `python deploy.py up {name} … --component MEMORY --autoscale 0:4` lets them follow "
    "the load."
)


@click.command()
@options(NAME)
@click.argument("shares", nargs=-1, required=True, metavar="VARIANT=WEIGHT…")
@options(DRY_RUN, WHERE)
def weights(name: str, shares: tuple[str, ...], **asked: Any) -> None:
    """Set the traffic weights of the production variants of NAME.

    At once, and without new instances. A variant with the weight 0 gets no traffic, and is billed
    all the same. Variants that you don't name keep their weights.

    \b
    python deploy.py weights cats old=90 new=10
    """  # noqa: D301 - \b keeps click from rewrapping
    wanted = dict(share(text) for text in shares)
    if len(wanted) < len(shares):
        raise Misuse("A variant is named twice: one weight for each.")
    aws = connect(asked)
    running = read(aws, name)
    refuse_component(running, COPIES)
    plan = plan_weights(running, wanted)
    if asked["dry_run"]:
        show(plan)
        return
    with causes.explained(aws, name):
        progress.performer(aws).perform(plan)
    now = {variant.name: variant.weight for variant in read(aws, name).order.variants}
    for variant, weight in now.items():
        click.echo(f"{variant}: {weight:g}, {weight / sum(now.values()):.0%} of the requests")
    say(plan.cost[0])


def share(text: str) -> tuple[str, float]:
    """VARIANT=WEIGHT. Raises `Misuse`."""
    variant, _, weight = text.partition("=")
    if not variant or not parsing.is_number(weight):
        raise Misuse(f"{text}: a variant and its weight, such as new=10.")
    return variant, float(weight)
