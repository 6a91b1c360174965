"""`plumbline pack` and `plumbline find-preprocess`: the command line of packing."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console

from plumbline.packing import find_preprocess as finding
from plumbline.packing import model_sources, result_tables, search_report
from plumbline.packing import pack as packing
from plumbline.packing import user_reference as references
from plumbline.packing.assembly import Report, demand
from plumbline.packing.progress_bar import Reporter
from plumbline.settings import environment

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=PATH)
@click.argument("weights", type=PATH, required=False)
@click.option("--spec", type=PATH, help="The plumbline.toml.  [default: every key's default]")
@click.option("--golden", type=PATH, help="A folder of pictures to prove the archive with.")
@click.option(
    "--reference",
    metavar="FILE:FUNCTION",
    help="Your own prediction code, path -> array: its outputs are the golden ones.",
)
@click.option("--out", type=PATH, default="model.tar.gz", show_default=True, help="The archive.")
@click.option("--custom-objects", type=PATH, help="A Python file with the model's own layers.")
@click.option("--labels", type=PATH, help="A file with one label a line, in training's order.")
@click.option(
    "--calibration",
    type=PATH,
    multiple=True,
    help="More pictures to prove faster forms with, a file or a folder; may be repeated.",
)
@click.option("--code", type=PATH, help="A folder with inference.py, and what it needs.")
@click.option("--dry-run", is_flag=True, help="Do everything but write the archive.")
def pack(
    model: Path, weights: Path | None, reference: str | None, out: Path, dry_run: bool, **files: Any
) -> None:
    """Pack MODEL (and WEIGHTS) as model.tar.gz, and verify that it predicts as in training.

    MODEL is a SavedModel folder, a .keras or .h5 file, or a model.json whose WEIGHTS follow. The
    golden pictures go the very way that requests take; nothing is written unless what comes out
    is what your own code (--reference) gives. Without it, .npz files beside the pictures count,
    or else the answers of Keras with the declared preprocessing done by the libraries themselves.

    \b
    plumbline pack model.keras --golden photos/
    plumbline pack model.json weights.h5 --spec plumbline.toml --golden photos/ \\
        --reference notebook.py:predict --out model.tar.gz
    """  # noqa: D301 - \b keeps click from rewrapping
    environment.quiet_frameworks()
    signal.signal(signal.SIGTERM, leave)
    console = Console()
    asked = references.parse(reference) if reference else None
    order = packing.Order(model_sources.find(model, weights), reference=asked, **files)
    report = packing.pack(order, out, dry_run, Reporter(console))
    show(console, report, out)


def leave(_number: int, _frame: FrameType | None) -> None:
    """End as at Ctrl-C: temporary folders are removed on the way out."""
    sys.exit(143)


def show(console: Console, report: Report, out: Path) -> None:
    """The tables; raises `GoldenMismatch` below that of an archive that was not written."""
    if report.checked:
        console.print(result_tables.differences(report))
    demand(report)
    if report.acceleration.trials:
        console.print(result_tables.acceleration(report.acceleration))
    for said in result_tables.remarks(report.acceleration):
        console.print(said, highlight=False, markup=False, soft_wrap=True)
    console.print(result_tables.contents(report.files))
    console.print(packing.summary(report), highlight=False, soft_wrap=True)
    if report.size is None:
        console.print(f"--dry-run: {out} was not written.", highlight=False, soft_wrap=True)
    else:
        typed = f"{environment.program()} serve {shlex.quote(str(out))}"
        said = f"{out} is packed: {report.size:,} bytes. {typed} serves it."
        console.print(said, highlight=False, soft_wrap=True)


def constants(
    _context: click.Context, _option: click.Parameter, given: Sequence[str]
) -> dict[str, Any]:
    """The values of inputs by their names, as TOML or JSON write them."""
    found = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError as exc:
            raise click.BadParameter(f"{text!r} is not NAME=0.5, or NAME=[0, 1], say.") from exc
    return found


@click.command("find-preprocess")
@click.argument("model", type=PATH)
@click.argument("weights", type=PATH, required=False)
@click.option("--images", type=PATH, required=True, help="A folder of pictures; four will do.")
@click.option(
    "--expected",
    metavar="FILE.npz|FILE:FUNCTION",
    required=True,
    help="Their outputs: an array for each picture by its file name, or one [pictures, …] in the "
    "order of the names; or your own code, path -> array.",
)
@click.option("--size", type=int, nargs=2, help="Height and width, if the model takes any.")
@click.option("--custom-objects", type=PATH, help="A Python file with the model's own layers.")
@click.option("--signature", default="serving_default", show_default=True, help="Of a SavedModel.")
@click.option(
    "--constant",
    "constants",
    metavar="NAME=VALUE",
    multiple=True,
    callback=constants,
    help="What another input of the model gets beside every picture: age=0.5, or box=[0, 0, 1].",
)
@click.option("--tolerance", default=1e-5, show_default=True, help="What counts as reproduced.")
@click.option("--seconds", default=30.0, show_default=True, help="The search's time.")
def find_preprocess(
    model: Path, weights: Path | None, images: Path, expected: str, **chosen: Any
) -> None:
    """Find the [preprocess] table with which MODEL (and WEIGHTS) gives the expected outputs.

    It tries what plumbline.toml can say (decoders, filters, fits, colours, normalisations,
    activations) and prints the table that reproduces the outputs, ready to paste. It says so
    if several do, and what is nearest if none does; then the exit status is 1.

    \b
    plumbline find-preprocess model.keras --images photos/ --expected notebook.py:predict
    """  # noqa: D301 - \b keeps click from rewrapping
    environment.quiet_frameworks()
    signal.signal(signal.SIGTERM, leave)
    console = Console()
    question = finding.Question(model_sources.find(model, weights), images, expected, **chosen)
    answer = finding.find(question, Reporter(console))
    search_report.show(console, answer)
    if not answer.found.fits:
        sys.exit(1)
