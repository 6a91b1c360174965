"""`plumbline conform`: an image held against SageMaker's container contract."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from plumbline.archive.tarball import unpacked
from plumbline.conformance import conformance_report
from plumbline.conformance.catalogue import CHECKS
from plumbline.conformance.order import Order, Sample
from plumbline.conformance.run import conform as run

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
PLACE = click.Path(dir_okay=False, writable=True, path_type=Path)

SECONDS = click.FloatRange(0, min_open=True)


def variables(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    """NAME=VALUE, each."""
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise click.BadParameter(f"{name or equals} is not NAME=VALUE")
    return {name: value for name, _, value in pairs}


def names(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Checks and letters of groups."""
    found = tuple(one.strip().upper() for one in (text or "").split(",") if one.strip())
    known = {check.name for check in CHECKS} | {check.name[0] for check in CHECKS}
    if unknown := [one for one in found if one not in known]:
        raise click.BadParameter(f"there is no check {unknown[0]}; they are like D, C17 or C17,D")
    return found


def place(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    """Where a file can be written once all has been done."""
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}")
    return path


@click.command()
@click.argument("image")
@click.option(
    "--model", type=click.Path(exists=True, path_type=Path), help="A model.tar.gz or a folder."
)
@click.option("--request", type=FILE, help="The body of a request that must be answered.")
@click.option("--type", "content_type", help="Its Content-Type.")
@click.option("--expect", type=FILE, help="The answer that it must get.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=1e-4,
    show_default=True,
    help="By which numbers of a JSON answer may differ from that.",
)
@click.option("--multi-model", is_flag=True, help="Also as a multi-model endpoint (group H).")
@click.option("--batch", is_flag=True, help="Also as a batch transform (group G).")
@click.option("--train", type=FOLDER, help="Also as a training job (group J), with these channels.")
@click.option(
    "--env", multiple=True, metavar="K=V", callback=variables, help="A variable of the container."
)
@click.option("--only", metavar="NAMES", callback=names, help="Groups or checks, such as C,D22.")
@click.option(
    "--starts-within", type=SECONDS, default=480.0, show_default=True, help="Seconds to health."
)
@click.option(
    "--ends-within", type=SECONDS, default=30.0, show_default=True, help="Seconds after SIGTERM."
)
@click.option("--thorough", is_flag=True, help="Idle for 60 s, 20 s of load, 500 requests.")
@click.option("--json", "as_json", type=PLACE, callback=place, help="A file for the results.")
@click.option("--junit", type=PLACE, callback=place, help="Another for them as JUnit's XML.")
def conform(image: str, as_json: Path | None, junit: Path | None, **asked: Any) -> None:
    """Check IMAGE against SageMaker's container contract.

    It may be any image that this machine's Docker engine has: it is started as SageMaker starts
    it, asked, restricted and ended, and every check says what the contract asks, what was seen and
    what to do. Without --request only its manners are judged. The exit status is 1 if something
    that MUST be is not. docs/conform.md lists the checks.

    \b
    plumbline conform my-image
    plumbline conform my-image --model model.tar.gz --request cat.jpg --type image/jpeg
    plumbline conform my-image --model model.tar.gz --request in.json --type application/json \\
        --expect out.json --batch --multi-model --junit conform.xml
    plumbline conform my-image --only J --train photos/
    """  # noqa: D301 - \b keeps click from rewrapping
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ordered(image, asked) as order:
        results = run(order, lambda result: click.echo(conformance_report.text(result)))
    if as_json is not None:
        as_json.write_text(conformance_report.document(results, image), "utf-8")
    if junit is not None:
        junit.write_text(conformance_report.junit(results, image), "utf-8")
    broken = [one for one in results if one.broken]
    click.echo(f"\n{image}: {conformance_report.counted(results)}.")
    if broken:
        click.echo(f"It breaks the contract: {', '.join(one.check.name for one in broken)}.")
        sys.exit(1)


@contextmanager
def ordered(image: str, asked: dict[str, Any]) -> Iterator[Order]:
    """What was typed, with an archive unpacked."""
    request, kind, expect = asked["request"], asked["content_type"], asked["expect"]
    if (request is None) != (kind is None):
        raise click.UsageError("--request and --type go together: a body, and what it is.")
    if expect is not None and request is None:
        raise click.UsageError("--expect is the answer to a request; name that: --request.")
    sample = Sample()
    if request is not None:
        expected = expect.read_bytes() if expect else None
        sample = Sample(request.read_bytes(), kind, True, expected, asked["tolerance"])
    given = {
        "sample": sample,
        "multi_model": asked["multi_model"],
        "batch": asked["batch"],
        "train": asked["train"],
        "environment": asked["env"],
        "only": asked["only"],
        "starts_within": asked["starts_within"],
        "ends_within": asked["ends_within"],
        "thorough": asked["thorough"],
    }
    if asked["model"] is None:
        yield Order(image, **given)
        return
    with unpacked(asked["model"]) as folder:
        yield Order(image, folder.resolve(), **given)
