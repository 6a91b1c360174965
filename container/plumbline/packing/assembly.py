"""Model, declaration, labels and golden pictures → model.tar.gz, checked before it is written."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from plumbline.archive import manifest, tarball
from plumbline.archive.contents import Archive, open_archive
from plumbline.archive.contents import GoldenPicture as ReadGolden
from plumbline.archive.npz_outputs import save
from plumbline.errors import GoldenMismatch
from plumbline.handlers import handler_choice
from plumbline.loading.golden_check import check_golden, time_left
from plumbline.loading.likely_causes import explain
from plumbline.loading.loader import load, make_pipeline, warmed
from plumbline.loading.terms import Terms
from plumbline.machine import cgroups
from plumbline.machine.quiet import muted
from plumbline.packing import baseline_pictures, library_versions, vendoring
from plumbline.packing.compilation import Acceleration, accelerate
from plumbline.packing.progress_bar import SILENT, Reporter
from plumbline.parity.differences import Difference, compare, mismatch
from plumbline.pipeline.stages import Pipeline
from plumbline.settings import environment
from plumbline.spec import model_spec as spec
from plumbline.spec.checks import FILE
from plumbline.vision.arrays import Tensor, Tensors

log = logging.getLogger("plumbline.packing")

PARITY = "parity.json"

UNKNOWN_REFERENCE = {"kind": "files"}


@dataclass(frozen=True)
class GoldenPicture:
    """A picture file, and the outputs that are expected for it: one, or several by name."""

    picture: Path
    expected: Tensor | Tensors

    @property
    def outputs(self) -> Tensors:
        """The expected outputs by name."""
        return self.expected if isinstance(self.expected, dict) else {"output": self.expected}


@dataclass(frozen=True)
class Contents:
    """What goes into an archive; `model` is a SavedModel folder or a Keras file.

    `place` is where in the archive it lies. `files` are texts by their path. `reference` says
    where the expected outputs come from. `calibration` are more pictures to prove faster forms
    with; they do not go into the archive.
    """

    model: Path
    spec: str
    files: Mapping[str, str] = field(default_factory=dict)
    goldens: tuple[GoldenPicture, ...] = ()
    place: str | None = None
    reference: Mapping[str, str] = field(default_factory=lambda: UNKNOWN_REFERENCE)
    calibration: tuple[Path, ...] = ()
    code: Path | None = None
    """The folder with the user's handler."""


@dataclass(frozen=True)
class Checked:
    """One golden picture and how it came out."""

    name: str
    difference: Difference


@dataclass(frozen=True)
class Report:
    """What was packed: the pictures' differences, the archive's files and its size in bytes.

    `spread` is how far the golden outputs are from each other; `cause` is the likeliest one of a
    mismatch; `acceleration` is how else the model was computed.
    """

    checked: tuple[Checked, ...]
    tolerance: float
    files: Mapping[str, int]
    size: int | None = None
    cause: str = ""
    spread: float = float("inf")
    acceleration: Acceleration = field(default_factory=Acceleration)
    uncompared: str = ""
    """Why the golden pictures were not compared."""

    @property
    def wrong(self) -> tuple[Checked, ...]:
        """The pictures that did not come out right."""
        return tuple(one for one in self.checked if not one.difference.within(self.tolerance))


def pack(contents: Contents, archive: Path) -> Report:
    """Write `archive`, after its golden pictures came out right in the server's own pipeline.

    Raises a `ModelError`, `GoldenMismatch` above all; then nothing is written.
    """
    with tempfile.TemporaryDirectory(prefix="plumbline-pack-") as name:
        report = prepare(contents, Path(name))
        demand(report)
        return write(Path(name), report, archive)


def prepare(contents: Contents, folder: Path, reporter: Reporter = SILENT) -> Report:
    """Lay the archive out in the empty `folder`, and prove it."""
    lay_out(contents, folder)
    archive = open_archive(folder, allow_ops=environment.from_environment().allow_ops)
    terms = Terms(cores=max(1, int(cgroups.machine().cores)))
    with muted():
        handler = handler_choice.load(archive, terms.code, None, reporter.say)
        terms = replace(terms, handler=handler)
        pipeline = make_pipeline(archive, load(archive, archive.model, terms), terms)
        pipeline = warmed(archive, pipeline, terms)
    report = prove(archive, pipeline)
    if not report.wrong:
        for line in unlabelled(archive, pipeline):
            reporter.say(line)
        found = accelerate(archive, pipeline, terms, contents.calibration, reporter)
        report = replace(report, acceleration=found)
        pictures = (*(one.picture for one in contents.goldens), *contents.calibration)
        baseline_pictures.write(folder, pipeline, pictures, reporter)
    if contents.code and (vendored := vendoring.vendor(folder)):
        reporter.say(f"Into code/lib went {', '.join(vendored)}.")
    (folder / PARITY).write_text(json.dumps(parity(contents, report), indent=2) + "\n", "utf-8")
    manifest.write(folder)
    return replace(report, files=sizes(folder))


def write(folder: Path, report: Report, archive: Path) -> Report:
    """The archive of a folder that is laid out."""
    tarball.pack(folder, archive)
    return replace(report, size=archive.stat().st_size)


def demand(report: Report) -> None:
    """Raise `GoldenMismatch` if a golden picture did not come out right."""
    if report.wrong:
        found = {one.name: one.difference for one in report.checked}
        raise GoldenMismatch(mismatch(found, report.tolerance, report.cause))


def lay_out(contents: Contents, folder: Path) -> None:
    """The archive's files, in place."""
    place = folder / (contents.place or contents.model.name)
    if contents.model.is_dir():
        shutil.copytree(contents.model, place, copy_function=shutil.copyfile)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(contents.model, place)
    if contents.code:
        vendoring.copy(contents.code, folder)
    (folder / FILE).write_text(contents.spec, "utf-8")
    for name, text in contents.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    golden_folder = folder / spec.parse(contents.spec).golden.images
    if contents.goldens:
        golden_folder.mkdir(parents=True)
    for golden in contents.goldens:
        shutil.copyfile(golden.picture, golden_folder / golden.picture.name)
        save(golden_folder / f"{golden.picture.name}.npz", golden.outputs)


def prove(archive: Archive, pipeline: Pipeline) -> Report:
    """How far every golden picture is off, in the pipeline that requests take."""
    if pipeline.incomparable:
        return Report((), archive.spec.golden.tolerance, {}, uncompared=pipeline.incomparable)
    checked = tuple(
        Checked(golden.name, check_golden(pipeline, golden)) for golden in archive.goldens
    )
    spread = spread_of([golden.expected for golden in archive.goldens])
    report = Report(checked, archive.spec.golden.tolerance, {}, spread=spread)
    return replace(report, cause=cause_of(report, pipeline, archive.goldens))


def unlabelled(archive: Archive, pipeline: Pipeline) -> Iterator[str]:
    """What to say of golden pictures that show classes without labels."""
    for golden in archive.goldens if archive.labels and not pipeline.incomparable else ():
        classes = pipeline.task.unlabelled(pipeline.gist(golden.picture, time_left))
        if classes:
            yield (
                f"Warning: {golden.name} shows class {classes[0]}, which has no label: there are "
                f"{len(archive.labels or ())}. Such classes are answered by their number."
            )


def spread_of(expected: Sequence[Tensors]) -> float:
    """How far the outputs of several pictures are from the first one's; infinite for one alone."""
    apart = (compare(expected[0], other).largest for other in expected[1:])
    return max(apart, default=float("inf"))


def cause_of(report: Report, pipeline: Pipeline, goldens: tuple[ReadGolden, ...]) -> str:
    """The likeliest cause, where a picture did not come out right."""
    if not report.wrong:
        return ""
    worst = max(report.wrong, key=lambda one: one.difference.largest)
    golden = next(golden for golden in goldens if golden.name == worst.name)
    return explain(pipeline, goldens, golden)


def parity(contents: Contents, report: Report) -> dict[str, Any]:
    """What was measured, without anything that differs from run to run."""
    return {
        "reference": dict(contents.reference) if contents.goldens else {"kind": "none"},
        "tolerance": report.tolerance,
        "largest_difference": {
            one.name: float(f"{one.difference.largest:.2g}") for one in report.checked
        },
        "versions": library_versions.installed(),
    }


def sizes(folder: Path) -> dict[str, int]:
    """The files of the archive, and their sizes in bytes."""
    names = sorted([*manifest.files(folder), manifest.FILE])
    return {name: (folder / name).stat().st_size for name in names}
