"""`plumbline predict` and `plumbline transform`: the command line of those who ask."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console

from plumbline.archive.tarball import unpacked
from plumbline.client import endpoint
from plumbline.client import predict as predicting
from plumbline.client import transform as transforming
from plumbline.client.base import Client, Server, attributes, check_url
from plumbline.client.files import shown
from plumbline.client.transform import Order, Outcome, Source
from plumbline.client.transform_ledger import RESULTS, CannotResume
from plumbline.errors import CommandError
from plumbline.machine import cgroups
from plumbline.machine.quiet import muted
from plumbline.settings import environment
from plumbline.spec.known_keys import RESPONSES

URL = "http://127.0.0.1:8080"

PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
PLACE = click.Path(path_type=Path)

AT_ONCE = 8
"""Requests that a transform has on their way to a server; what it can't take yet is sent again."""


def address(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """A URL that can be asked."""
    try:
        check_url(value or URL)
    except ValueError as exc:
        raise click.BadParameter(f"{value}: {exc}.") from exc
    return value


WHERE = (
    click.option("--url", metavar="URL", callback=address, help=f"A server's, such as {URL}."),
    click.option("--endpoint", metavar="NAME", help="A SageMaker endpoint, invoked through boto3."),
    click.option("--region", help="The endpoint's AWS region.  [default: that of your AWS setup]"),
    click.option("--variant", help="The production variant."),
)

OPTIONS = (
    click.option("--top-k", type=click.IntRange(1, 1000), help="How many classes."),
    click.option(
        "--score-threshold", type=click.FloatRange(0, 1), help="The lowest score of a detection."
    ),
    click.option("--max-detections", type=click.IntRange(1, 1000), help="The most detections."),
    click.option(
        "--mask", is_flag=True, help="Draw a segmentation's mask itself, not over the picture."
    ),
)


def options(*groups: tuple[Callable[[Any], Any], ...]) -> Callable[[Any], Any]:
    """All of these as one decorator, in their order."""
    single = [option for group in groups for option in group]
    return lambda function: reduce(lambda made, option: option(made), reversed(single), function)


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=PICTURE)
@options(WHERE)
@click.option("--out", type=PLACE, help="Also draw: a .png, or a folder for several pictures.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: a line of JSON each.")
@options(OPTIONS)
def predict(pictures: tuple[Path, ...], out: Path | None, as_json: bool, **asked: Any) -> None:
    """Send each PICTURE to a server or a SageMaker endpoint, and show the prediction.

    The server is the one of `plumbline serve`, on this machine, unless --url or --endpoint
    names another. The exit status is 1 if a picture could not be answered; the others still are.

    \b
    plumbline predict cat.jpg
    plumbline predict photos/*.jpg --out drawn/ --top-k 3
    plumbline predict cat.jpg --endpoint cats --region eu-central-1
    plumbline predict photos/*.jpg --json > predictions.jsonl
    """  # noqa: D301 - \b keeps click from rewrapping
    if asked["mask"] and out is None:
        raise click.UsageError("--mask says how to draw; say where to: --out.")
    with misuse(CommandError):
        work = predicting.jobs(pictures, out)
    errors = Console(stderr=True)

    def tell(job: predicting.Job, predicted: Any = None, error: CommandError | None = None) -> None:
        if as_json:
            click.echo(predicting.json_line(job, predicted, error), nl=False)
        elif error is None:
            predicting.show(console, job, predicted)
        if error is not None:
            say(errors, f"{shown(str(job.picture))}: {error.message}")

    console = Console(highlight=False)
    style = None if as_json else "typed"
    if predicting.predict(client_of(asked), work, sent(asked, style), tell):
        sys.exit(1)


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--model", type=click.Path(exists=True, path_type=Path), help="A model.tar.gz or a folder."
)
@options(WHERE)
@click.option("--out", type=PLACE, required=True, help="The folder for the results.")
@click.option("--pictures", is_flag=True, help="Also draw each picture, to OUT/pictures.")
@click.option(
    "--format",
    "style",
    type=click.Choice(RESPONSES),
    help="The format of predictions.  [default: the model's own]",
)
@options(OPTIONS)
def transform(
    folder: Path, model: Path | None, out: Path, pictures: bool, style: str | None, **asked: Any
) -> None:
    """Predict every picture below FOLDER, like a batch transform without SageMaker.

    The MODEL is loaded once, here, and checked against its golden pictures; --url or --endpoint
    asks a server instead. OUT/predictions.jsonl gets a line for each picture, sorted by name; a
    bad file gets an error there. Interrupted, the same command goes on where it stopped. The
    exit status is 1 if there were bad files.

    \b
    plumbline transform photos/ --model model.tar.gz --out results/
    plumbline transform photos/ --model model.tar.gz --out results/ --pictures --top-k 1
    plumbline transform photos/ --endpoint cats --out results/
    """  # noqa: D301 - \b keeps click from rewrapping
    if asked["mask"] and not pictures:
        raise click.UsageError("--mask says how to draw; --pictures says that.")
    order = Order(folder, out, sent(asked, style), pictures)
    check_folders(order)
    signal.signal(signal.SIGTERM, leave)
    console = Console(stderr=True)
    with source_of(model, asked, console) as source, misuse(CannotResume):
        outcome = transforming.transform(order, source, console)
    click.echo(summary(outcome, out))
    if outcome.signal:
        sys.exit(128 + outcome.signal)
    if outcome.failed:
        sys.exit(1)


@contextmanager
def misuse(kind: type[CommandError]) -> Iterator[None]:
    """Let these errors count as those of whoever typed the command."""
    try:
        yield
    except kind as exc:
        raise click.UsageError(exc.message) from exc


def leave(_number: int, _frame: FrameType | None) -> None:
    """End as at Ctrl-C: temporary folders are removed on the way out."""
    sys.exit(143)


def say(console: Console, text: str) -> None:
    """One line, as it is."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def sent(asked: dict[str, Any], style: str | None) -> str:
    """The options as custom attributes."""
    named = {name: asked[name] for name in ("top_k", "score_threshold", "max_detections")}
    return attributes({"format": style, **named, "mode": "mask" if asked["mask"] else None})


def client_of(asked: dict[str, Any], at_once: int = 1) -> Client:
    """The server or the endpoint that is asked."""
    check_where(asked)
    if asked["endpoint"] is None:
        return Server(asked["url"] or URL)
    return endpoint.connect(asked["endpoint"], asked["region"], asked["variant"], at_once)


def check_where(asked: dict[str, Any]) -> None:
    """Refuse two answers to the question of who is asked."""
    if asked["endpoint"] is None:
        for name in ("region", "variant"):
            if asked[name] is not None:
                raise click.UsageError(f"--{name} is of an endpoint; name one: --endpoint.")
    elif asked["url"] is not None:
        raise click.UsageError("--url or --endpoint, one of the two.")


@contextmanager
def source_of(model: Path | None, asked: dict[str, Any], console: Console) -> Iterator[Source]:
    """Who answers a transform."""
    check_where(asked)
    others = [asked[name] for name in ("url", "endpoint") if asked[name] is not None]
    if (model is None) == (not others):
        raise click.UsageError("Say who answers: --model, --url or --endpoint, one of the three.")
    if model is None:
        client = client_of(asked, AT_ONCE)
        named = [asked[name] for name in ("url", "endpoint", "region", "variant")]
        yield Source(" ".join(filter(None, named)), lambda: client, AT_ONCE)
        return
    from plumbline.client import in_process

    environment.quiet_frameworks()
    chosen = environment.for_bulk()
    sizes = replace(chosen, workers=1).sizes(cgroups.machine())

    def load(root: Path) -> Client:
        say(console, f"Loading {model} and checking its golden pictures …")
        with in_process.warnings() as warnings, muted():
            client = in_process.load(root, chosen, sizes.cores)
        for warning in warnings:
            say(console, warning)
        return client

    with unpacked(model) as root:
        identity = f"SHA-256 {in_process.identity(root)}"
        yield Source(identity, partial(load, root), sizes.slots)


def check_folders(order: Order) -> None:
    """Refuse a folder without pictures, and results that would lie among them."""
    folder, out = order.folder.resolve(), order.out.resolve()
    drawings = out / transforming.PICTURES
    if folder == out or drawings in (folder, *folder.parents):
        raise click.UsageError(f"--out {order.out} lies among the pictures; choose another folder.")
    if next(transforming.pictures(order), None) is None:
        raise click.UsageError(f"There are no pictures in {order.folder}.")


def summary(outcome: Outcome, out: Path) -> str:
    """How it went, in a line."""
    parts = [f"{out / RESULTS}: {counted(outcome.lines, 'picture')}"]
    if outcome.failed:
        parts.append(f"{outcome.failed:,} of them with an error")
    if outcome.others:
        parts.append(f"{counted(outcome.others, 'other file')} skipped")
    if outcome.signal:
        parts.append(f"{outcome.left:,} left to do; the same command goes on there")
    return ", ".join(parts) + "."


def counted(number: int, noun: str) -> str:
    """So many things."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
