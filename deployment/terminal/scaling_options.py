"""The options by which the number of machines follows the load."""

from __future__ import annotations

from pathlib import Path

import click

from deployment.plan.order import IN_COOLDOWN, OUT_COOLDOWN
from deployment.terminal.autoscale import NO_SCALING, P95, SAFETY

SCALING = (
    click.option(
        "--autoscale",
        metavar="FEWEST:MOST",
        help=f"Let AWS change the number of instances, or copies, by load; {NO_SCALING} ends that.",
    ),
    click.option(
        "--target", type=float, help="The target for one instance, such as requests a minute."
    ),
    click.option(
        "--benchmark",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Take that from what `plumbline bench` measured.",
    ),
    click.option(
        "--p95",
        type=click.FloatRange(min=0, min_open=True),
        help=f"The highest p95 latency in milliseconds.  [default: {P95:g}]",
    ),
    click.option(
        "--safety",
        type=click.FloatRange(0, 1, min_open=True),
        help=f"The share of what was measured that an instance should do.  [default: {SAFETY}]",
    ),
    click.option(
        "--metric",
        type=click.Choice(("invocations", "concurrency", "backlog")),
        help="What is counted: by the minute, at a time, or (async) waiting.",
    ),
    click.option(
        "--scale-in-cooldown",
        type=click.IntRange(min=0),
        help=f"Seconds from taking an instance away to taking another.  [default: {IN_COOLDOWN}]",
    ),
    click.option(
        "--scale-out-cooldown",
        type=click.IntRange(min=0),
        help=f"Seconds from adding an instance to adding another.  [default: {OUT_COOLDOWN}]",
    ),
)
