"""`plumbline drift`: captured requests, compared with the pictures that a model was packed with."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from plumbline.archive.contents import read_spec
from plumbline.archive.manifest import BASELINE
from plumbline.archive.tarball import unpacked
from plumbline.drift import baseline
from plumbline.errors import ArchiveError
from plumbline.machine.quiet import muted
from plumbline.monitoring import drift_page
from plumbline.monitoring.captured_lines import Capture
from plumbline.monitoring.drift_report import Quantity, Report, report
from plumbline.settings import environment

FEW = 50
"""Pictures, below which only a large shift can be told from chance."""


@click.command()
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.argument("captured", type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The page, as HTML.")
@click.option(
    "--most",
    type=click.IntRange(1, 1_000_000),
    default=2000,
    show_default=True,
    help="So many pictures are looked at, the newest.",
)
@click.option(
    "--at-most",
    type=click.FloatRange(0),
    help="Exit with 1 where an index is higher, and higher than by chance.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts: one JSON object.")
def drift(
    model: Path, captured: Path, out: Path | None, most: int, at_most: float | None, as_json: bool
) -> None:
    """Say how far pictures and answers have moved since MODEL was packed.

    CAPTURED is a folder with the files of SageMaker's data capture (.jsonl), at any depth. They are
    compared with the baseline that `plumbline pack` has written into MODEL, of its golden and
    calibration pictures: scores, classes, boxes a picture, shares of masks, brightness, contrast
    and size. No model is computed here.

    \b
    aws s3 sync s3://BUCKET/PREFIX/ENDPOINT captured/
    plumbline drift model.tar.gz captured/ --out drift.html
    """  # noqa: D301 - \b keeps click from rewrapping
    environment.quiet_frameworks()
    with unpacked(model) as folder, muted():
        usual = baseline.read(folder)
        if usual is None:
            raise ArchiveError(without_baseline(model, folder))
        limits = environment.from_environment().limits
        found = report(Capture(captured), usual, read_spec(folder), limits, most)
    if out:
        out.write_text(drift_page.page(found, f"Drift of {model.name}"), "utf-8", "replace")
    if as_json:
        click.echo(json.dumps(document(found), indent=2, ensure_ascii=False))
    else:
        for line in told(found, out):
            click.echo(line)
    if at_most is not None and any(
        one.moved.index > max(at_most, one.moved.chance) for one in found.quantities
    ):
        sys.exit(1)


def without_baseline(model: Path, folder: Path) -> str:
    """What to do about an archive that does not say what is usual."""
    there = "golden pictures" if (folder / read_spec(folder).golden.images).is_dir() else ""
    why = (
        "it was packed by an older Plumbline, or a handler answers its pictures in its own way"
        if there
        else "it was packed without golden pictures"
    )
    return (
        f"{model} has no {BASELINE}, which says what pictures and answers are usual: {why}. "
        "Pack the model again: plumbline pack … --golden DIR, best with --calibration DIR, a "
        "folder of up to 300 pictures as the endpoint gets them."
    )


def told(found: Report, out: Path | None) -> Iterator[str]:
    """The report, a line for each quantity."""
    yield f"{'quantity':<12}{'pictures':>9}{'then':>9}{'now':>9}{'PSI':>8}{'chance':>8}"
    for one in found.quantities:
        then, now = (f"{each:.3g}" for each in one.middle) if one.middle else ("", "")
        yield (
            f"{one.name:<12}{one.pictures:>9}{then:>9}{now:>9}{one.moved.index:>8.3f}"
            f"{one.moved.chance:>8.3f}  {one.moved.verdict}"
        )
    if not found.quantities:
        yield "Nothing could be compared."
    yield f"Captured pictures: {found.pictures}, in {found.lines} requests."
    yield f"Pictures of the baseline: {found.usual.pictures}."
    for why, count in found.left_out.items():
        yield f"Left out, as they are {why}: {count}."
    if 0 < min(found.pictures, found.usual.pictures) < FEW:
        yield (
            "With so few pictures only a large shift shows: plumbline pack --calibration DIR takes "
            "up to 300 into the baseline."
        )
    if out:
        yield f"The page is {out}; the {len(found.unusual)} most unusual pictures are on it."


def document(found: Report) -> dict[str, Any]:
    """The report for scripts."""
    return {
        "pictures": found.pictures,
        "baseline_pictures": found.usual.pictures,
        "requests": found.lines,
        "between": list(found.between),
        "left_out": found.left_out,
        "quantities": [quantity(one) for one in found.quantities],
        "unusual": [
            {"when": one.when, "what": one.what, "reasons": list(one.reasons)}
            for one in found.unusual
        ],
    }


def quantity(one: Quantity) -> dict[str, Any]:
    """One quantity for scripts."""
    return {
        "name": one.name,
        "psi": round(one.moved.index, 4),
        "by_chance": round(one.moved.chance, 4),
        "verdict": one.moved.verdict,
        "median": list(one.middle) if one.middle else None,
        "bins": [
            {"bin": name, "then": then, "now": now}
            for name, then, now in zip(one.names, one.then, one.now, strict=True)
        ],
    }
