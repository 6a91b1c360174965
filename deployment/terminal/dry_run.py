"""A plan as people and scripts read it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from deployment.plan.calls import Call, Make, Plan, Remove, Step, Upload, Wait, plain


def show(plan: Plan) -> None:
    """The calls as JSON on standard output, and what they cost on standard error, in words."""
    click.echo(json.dumps(document(plan), indent=2, ensure_ascii=False))
    for sentence in plan.cost:
        click.echo(sentence, err=True)
    click.echo("Nothing was done: this is --dry-run.", err=True)


FREE = "It would cost nothing more."


def show_calls(name: str, region: str, calls: Iterable[Call], cost: str = FREE) -> None:
    """The same of calls that only look, or ask."""
    listed = [
        {"service": each.service, "operation": each.operation, "parameters": plain(each.parameters)}
        for each in calls
    ]
    click.echo(json.dumps({"name": name, "region": region, "calls": listed}, indent=2))
    click.echo(f"Nothing was done: this is --dry-run. {cost}", err=True)


def document(plan: Plan) -> dict[str, Any]:
    """All of a plan, as JSON takes it."""
    return {
        "name": plan.name,
        "region": plan.region,
        "calls": [written(step) for step in plan.steps],
        "cost": list(plan.cost),
    }


def written(step: Step) -> dict[str, Any]:
    """A step: the call that does it, and when it is not made."""
    call = step.look.call if isinstance(step, Wait) else step.call
    return {
        "what": step.what,
        "service": call.service,
        "operation": call.operation,
        "parameters": plain(call.parameters),
        **dict(remarks(step)),
    }


def remarks(step: Step) -> Iterator[tuple[str, Any]]:
    """What a step does beside its call."""
    match step:
        case Make(look=look):
            yield "unless", f"{look.call.operation} finds it"
        case Upload(file=file, look=look):
            yield "body", size(file)
            yield "unless", f"{look.call.operation} finds it"
        case Wait(good=good):
            yield "until", list(good)
        case Remove(gone=look):
            if look:
                yield "until", f"{look.call.operation} no longer finds it"


def size(file: Path) -> str:
    """A file and its size."""
    return f"{file}, {file.stat().st_size:,} bytes"
