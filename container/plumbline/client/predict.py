"""`plumbline predict`: pictures → a small table each, drawings, or JSON lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
from rich.bar import Bar
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from plumbline.client.base import Client, NoAnswer, Refused, ask, prediction, read_picture
from plumbline.client.files import drawn_names, shown, write_whole, written
from plumbline.errors import CommandError
from plumbline.wire.responses import JSON, PNG

MOST_VALUES = 6
"""Values of a raw output that are shown."""

BAR_WIDTH = 24


@dataclass(frozen=True)
class Job:
    """A picture's file, and where its drawing goes, if it is wanted."""

    picture: Path
    target: Path | None = None


def jobs(pictures: Sequence[Path], out: Path | None) -> list[Job]:
    """Which drawing goes where. Raises `CommandError` where one would take another's place."""
    if out is None:
        return [Job(picture) for picture in pictures]
    if len(pictures) > 1 or out.is_dir() or not out.suffix:
        targets = [out / name for name in drawn_names([path.name for path in pictures])]
    else:
        targets = [out]
    found = [Job(*pair) for pair in zip(pictures, targets, strict=True)]
    for job in found:
        check(job, found)
    return found


def check(job: Job, others: Sequence[Job]) -> None:
    """Raise `CommandError` if this drawing can't be written where it is to be."""
    target = job.target or Path()
    if target.suffix.lower() != ".png":
        raise CommandError(f"--out {target}: drawings are PNG files; call it {target.stem}.png.")
    if target.is_dir() or (target.parent.exists() and not target.parent.is_dir()):
        raise CommandError(f"--out {target} can't be written: a folder and a file are mixed up.")
    for other in others:
        if target.exists() and target.samefile(other.picture):
            raise CommandError(f"--out {target} would overwrite a picture; choose another place.")
        if other is not job and other.target == target:
            raise CommandError(
                f"{job.picture} and {other.picture} would both be drawn to {target}; draw them "
                "one after the other, to different places."
            )


def predict(client: Client, work: Sequence[Job], attributes: str, tell: Callable[..., None]) -> int:
    """Ask for each picture, write its drawing and tell its prediction; how many failed.

    `tell` gets the picture and its prediction, or the error in its place. Raises `NotReached`.
    """
    failed = 0
    for job in work:
        try:
            body = read_picture(job.picture, client.most_bytes)
            predicted = prediction(ask(client, body, JSON, attributes))
            if job.target:
                write_whole(job.target, ask(client, body, PNG, attributes).body)
        except (Refused, NoAnswer) as exc:
            failed += 1
            tell(job, error=exc)
        else:
            tell(job, predicted)
    return failed


# -- for scripts --------------------------------------------------------------------------------


def json_line(job: Job, predicted: Any = None, error: CommandError | None = None) -> bytes:
    """One line of JSON."""
    said: dict[str, Any] = {"file": written(str(job.picture))}
    if error is None:
        said["prediction"] = predicted
    else:
        said["error"] = {"code": error.code, "message": error.message}
    return orjson.dumps(said) + b"\n"


# -- for people ---------------------------------------------------------------------------------


def show(console: Console, job: Job, predicted: Any) -> None:
    """A picture's name, and a table of what is said of it."""
    console.print(Text(shown(str(job.picture)), "bold"), soft_wrap=True)
    console.print(Padding(table(predicted), (0, 2), expand=False))
    if job.target:
        console.print(Text(f"  drawn: {shown(str(job.target))}"), soft_wrap=True)
    console.print()


def table(predicted: Any) -> RenderableType:
    """What is said of a picture, by its kind."""
    if isinstance(predicted, dict):
        if isinstance(made := predicted.get("image"), dict) and "png" in made:
            return Text(f"a picture of {made['width']}×{made['height']} pixels")
        for kind, rows in ROWS.items():
            if kind in predicted:
                return grid(rows(predicted[kind])) if predicted[kind] else Text(f"no {kind}")
    return grid(values(predicted))


def grid(rows: Iterator[Sequence[RenderableType]]) -> Table:
    """Rows without lines around them; all but the first column and bars stand to the right."""
    made = Table.grid(padding=(0, 2))
    for row in rows:
        if not made.columns:
            for cell in row:
                made.add_column(justify="right" if isinstance(cell, str) else "left")
        made.add_row(*row)
    return made


def classes(found: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[RenderableType]]:
    """Label, a bar, score; bars are shares of 1, or of the best score above it."""
    scores = [number(each["score"]) for each in found]
    full = max(1.0, *scores)
    for each, score in zip(found, scores, strict=True):
        bar = Bar(full, 0, max(0.0, score), width=BAR_WIDTH, color="green")
        yield Text(str(each["label"])), bar, graded(each["score"])


def detections(found: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[RenderableType]]:
    """Label, score, box in pixels."""
    yield Text(""), "score", "left", "top", "right", "bottom"
    for each in found:
        yield Text(str(each["label"])), graded(each["score"]), *map(pixels, each["box"])


def segments(found: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[RenderableType]]:
    """Label, a bar, share, pixels."""
    for each in found:
        share = Bar(1, 0, each["area"], width=BAR_WIDTH, color="green")
        yield Text(str(each["label"])), share, f"{each['area']:.1%}", f"{each['pixels']:,} pixels"


ROWS: Mapping[str, Callable[[Any], Iterator[Sequence[RenderableType]]]] = MappingProxyType(
    {"classes": classes, "detections": detections, "segments": segments}
)


def values(predicted: Any) -> Iterator[Sequence[RenderableType]]:
    """Of each output its name, its shape and the first values."""
    outputs = predicted if isinstance(predicted, dict) else {"": predicted}
    for name, value in outputs.items():
        first = [precise(each) for each, _ in zip(flat(value), range(MOST_VALUES), strict=False)]
        more = " …" if math.prod(shape(value)) > len(first) else ""
        yield Text(name), Text(str(shape(value))), Text(" ".join(first) + more)


def shape(value: Any) -> list[int]:
    """The lengths of nested lists, as their first members have them."""
    lengths = []
    while isinstance(value, list):
        lengths.append(len(value))
        value = value[0] if value else None
    return lengths


def flat(value: Any) -> Iterator[Any]:
    """The innermost values of nested lists."""
    if not isinstance(value, list):
        yield value
        return
    for each in value:
        yield from flat(each)


def number(value: Any) -> float:
    """A score or a coordinate as a number."""
    return float(value) if isinstance(value, int | float) else math.nan


def graded(value: Any) -> str:
    """A score to four places; one that is no share of 1 to four digits."""
    return f"{value:.4f}" if 0 <= number(value) <= 1 else precise(value)


def precise(value: Any) -> str:
    """A value to four digits; JSON has null for what is no number."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def pixels(value: Any) -> str:
    """A coordinate to a tenth of a pixel."""
    return f"{number(value):.1f}"
