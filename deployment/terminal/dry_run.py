"""A plan as people and scripts read it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import click

from deployment import policy
from deployment.aws.refusals import action
from deployment.plan.calls import (
    Call,
    Make,
    Plan,
    Remove,
    Step,
    Upload,
    UploadFolder,
    Wait,
    plain,
)
from deployment.plan.template import template, uploads
from deployment.terminal.program import CALLED


def show(plan: Plan, order: Owned | None = None, **more: Any) -> None:
    """The calls as JSON on standard output, with the policies that they need.

    What they cost is told on standard error, in words. `order` names the account and the role.
    """
    shown = {**document(plan), "policies": policies(plan, order), **more}
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    for sentence in plan.cost:
        click.echo(CALLED.words(sentence), err=True)
    click.echo("Nothing was done: this is --dry-run.", err=True)


class Owned(Protocol):
    """What names a role, and where archives go."""

    @property
    def account(self) -> str:
        """The AWS account."""
        ...

    @property
    def role(self) -> str:
        """The role's ARN."""
        ...

    @property
    def bucket(self) -> str:
        """Empty for the account's own."""
        ...


def policies(plan: Plan, order: Owned | None) -> dict[str, Any]:
    """What whoever gives the command must be allowed, and what the container's role must be."""
    place = policy.Place(plan.region)
    if order:
        name = order.role.rpartition("/")[2]
        bucket = order.bucket or policy.Place.bucket
        place = policy.Place(plan.region, order.account, name, bucket)
    actions = {*map(action, plan.calls()), "sagemaker:AddTags", "sagemaker:ListTags"}
    made = {"person": policy.needed(actions, place, ())}
    return {**made, "role": policy.role(place)} if order else made


def show_template(plan: Plan, stack: str = "made") -> None:
    """The plan as a CloudFormation template; what comes before it, and what it costs, in words.

    `stack` is what is to happen to the stack then: "made" or "updated".
    """
    click.echo(json.dumps(template(plan), indent=2, ensure_ascii=False))
    for file, url in uploads(plan):
        click.echo(f"Before the stack is {stack}: aws s3 cp {shlex.quote(file)} {url}", err=True)
    for sentence in plan.cost:
        click.echo(CALLED.words(sentence), err=True)
    click.echo("Nothing was done: this is --template.", err=True)


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
        "cost": [CALLED.words(sentence) for sentence in plan.cost],
    }


def written(step: Step) -> dict[str, Any]:
    """A step: the call that does it, and when it is not made; of many files the first."""
    call = step.look.call if isinstance(step, Wait) else step.call
    if isinstance(step, UploadFolder):
        call = step.one(next(iter(step.files)))
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
        case UploadFolder(files=files):
            total = sum(file.stat().st_size for file in files.values())
            yield "body", f"{len(files):,} files, {total:,} bytes"
            yield "unless", "ListObjectsV2 finds it"
        case Wait(good=good):
            yield "until", list(good)
        case Remove(gone=look):
            if look:
                yield "until", f"{look.call.operation} no longer finds it"


def size(file: Path) -> str:
    """A file and its size."""
    return f"{file}, {file.stat().st_size:,} bytes"
