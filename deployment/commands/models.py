"""`deploy.py models`: which archives a multi-model endpoint serves."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from deployment.aws import predictor
from deployment.aws.client import Aws
from deployment.aws.s3 import place
from deployment.current.running import read, refuse_component
from deployment.errors import AnsweredWrong, Misuse, Refused
from deployment.flows import preflight
from deployment.plan.calls import Call, Look, Plan, Remove, Step, Upload
from deployment.plan.models import models_url, tagging
from deployment.plan.order import Archive, Order
from deployment.plan.requests import Asked
from deployment.proof import golden, inspection
from deployment.terminal import parsing, progress
from deployment.terminal.dry_run import show
from deployment.terminal.options import CHECK, DRY_RUN, NAME, WHERE, connect, options
from deployment.terminal.progress import say

ENDING = ".tar.gz"

FOLDER = (
    "Only a multi-model endpoint serves several archives: `python deploy.py up NAME … "
    "--multi-model` makes one."
)

FORM = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,199}")


@click.command()
@options(NAME)
@click.option(
    "--add", "added", multiple=True, metavar="MODEL=FILE", help="Serve an archive by that name."
)
@click.option("--remove", "removed", multiple=True, metavar="MODEL", help="Serve it no longer.")
@options(CHECK, DRY_RUN, WHERE)
def models(name: str, added: tuple[str, ...], removed: tuple[str, ...], **asked: Any) -> None:
    """List, add and remove the models of the multi-model endpoint NAME.

    An added model is loaded by its first request; its golden pictures are sent through the
    endpoint, and it is removed again if one differs. SageMaker keeps loaded models: a new version
    needs a new name, such as cats-2. A removed model is unloaded after a while.

    \b
    python deploy.py models animals
    python deploy.py models animals --add cats=cats.tar.gz --add dogs=dogs.tar.gz
    python deploy.py models animals --remove cats
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    running = read(aws, name)
    refuse_component(running, FOLDER)
    order = running.order
    if not order.multi:
        raise Misuse(
            f"{name} is no multi-model endpoint: `python deploy.py up NAME … --multi-model` makes "
            "one."
        )
    there = listed(aws, order)
    archives = dict(addition(each, there) for each in added)
    steps = (*additions(order, archives), *removals(order, removed, there))
    plan = Plan(name, aws.region, steps, ("Archives in S3 are billed as storage.",))
    if asked["dry_run"]:
        show(plan, order)
        return
    if not steps:
        for model, size in there.items():
            click.echo(f"{model}: {size:,} bytes")
    else:
        preflight.introduce(aws, order, plan.cost)
    change(aws, order, plan, archives, skip=asked["no_check"])


def listed(aws: Aws, order: Order) -> dict[str, int]:
    """The models by their names, with the bytes of their archives."""
    bucket, prefix = place(models_url(order))
    found = aws.pages(Call("s3", "ListObjectsV2", {"Bucket": bucket, "Prefix": prefix}), "Contents")
    sizes = {each["Key"].removeprefix(prefix): each["Size"] for each in found}
    return {key.removesuffix(ENDING): size for key, size in sizes.items() if key.endswith(ENDING)}


def addition(text: str, there: Mapping[str, int]) -> tuple[str, Archive]:
    """MODEL=FILE. Raises `Misuse`, also for a name that another archive has."""
    model, _, file = text.partition("=")
    model = model.removesuffix(ENDING)
    if not FORM.fullmatch(model) or not file:
        raise Misuse(f"--add {text}: it must be like cats=cats.tar.gz.")
    archive = parsing.archive(file)
    if archive.file is None:
        raise Misuse(f"--add {text}: name a file of this machine, such as cats.tar.gz.")
    if there.get(model, archive.file.stat().st_size) != archive.file.stat().st_size:
        raise Misuse(
            f"There is another model {model} already, and SageMaker would go on serving that: take "
            f"a name of its own, such as {model}-2, or --remove {model} first."
        )
    return model, archive


def additions(order: Order, archives: Mapping[str, Archive]) -> Iterator[Step]:
    """Each archive into the folder."""
    for model, archive in archives.items():
        if archive.file is None:
            raise ValueError(archive)
        where = {**located(order, model), "ExpectedBucketOwner": order.account}
        yield Upload(
            f"model {model} of {order.name}",
            archive.file,
            Call("s3", "PutObject", {**where, "Tagging": tagging(order)}),
            Look(Call("s3", "HeadObject", where)),
        )


def removals(order: Order, models: tuple[str, ...], there: Mapping[str, int]) -> Iterator[Step]:
    """Each archive out of it. Raises `Refused` for one that is not there."""
    for each in models:
        model = each.removesuffix(ENDING)
        if model not in there:
            shown = ", ".join(there) or "none"
            raise Refused(f"{order.name} has no model {model}; it has {shown}.", "not found")
        yield removal(order, model)


def removal(order: Order, model: str) -> Remove:
    """One archive out of it."""
    return Remove(
        f"model {model} of {order.name}", Call("s3", "DeleteObject", located(order, model))
    )


def located(order: Order, model: str) -> dict[str, str]:
    """Where in S3 a model's archive lies."""
    bucket, prefix = place(models_url(order))
    return {"Bucket": bucket, "Key": f"{prefix}{model}{ENDING}"}


def change(
    aws: Aws, order: Order, plan: Plan, archives: Mapping[str, Archive], *, skip: bool
) -> None:
    """Carry it out; each new model answers its golden pictures, or goes again."""
    performer = progress.performer(aws)
    with tempfile.TemporaryDirectory(prefix="plumbline-archive-") as folder:
        looked = {
            model: inspection.inspect(golden.local(aws, archive, Path(folder)))
            for model, archive in archives.items()
            if not skip
        }
        performer.perform(plan)
        endpoint = predictor.endpoint(aws, order.name, say)
        for model, found in looked.items():
            try:
                golden.check(endpoint, found, Asked(model=f"{model}{ENDING}"))
            except AnsweredWrong as exc:
                performer.perform(Plan(order.name, aws.region, (removal(order, model),)))
                raise AnsweredWrong(f"{exc} The model {model} was removed again.") from exc
    for model in archives:
        say(f"{order.name} serves {model}. Try it:")
        say(f"  python deploy.py invoke {order.name} PICTURE --model {model} {aws.where}")
