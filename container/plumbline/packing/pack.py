"""`plumbline pack`: from what training left behind to an archive that is proven."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from plumbline.archive.contents import read_outputs, read_text
from plumbline.archive.discovery import ModelFile
from plumbline.errors import PackingError
from plumbline.packing import assembly, picture_folder
from plumbline.packing import user_reference as reference
from plumbline.packing.assembly import Contents, GoldenPicture, Report
from plumbline.packing.convert import Wanted, convert
from plumbline.packing.progress_bar import Reporter
from plumbline.packing.user_reference import Reference
from plumbline.spec import model_spec as specs
from plumbline.spec.checks import FILE
from plumbline.spec.model_spec import ModelSpec
from plumbline.spec.toml_writer import toml_value
from plumbline.vision.arrays import Tensors
from plumbline.vision.images import Limits

PLACE = "1"
"""Where the SavedModel lies if the spec does not say: the version, as TensorFlow Serving has it."""

LABELS = "labels.txt"

MOST_CALIBRATED = 300
"""So many pictures, golden ones among them, faster forms are proven with at most."""


@dataclass(frozen=True)
class Order:
    """What is to be packed."""

    model: ModelFile
    spec: Path | None = None
    golden: Path | None = None
    reference: Reference | None = None
    custom_objects: Path | None = None
    labels: Path | None = None
    calibration: tuple[Path, ...] = ()
    """More pictures to prove faster forms with: files, and folders of them."""
    code: Path | None = None
    """A folder with a handler."""


@dataclass(frozen=True)
class Declaration:
    """The text of plumbline.toml, what it says, and the files that it names."""

    text: str
    spec: ModelSpec
    files: Mapping[str, str]


def pack(order: Order, out: Path, dry_run: bool, reporter: Reporter) -> Report:
    """Convert, ask the reference, prove, write. The report says what came out wrong, if anything.

    Raises a `ModelError`. The archive appears whole, or not at all; never where it is wrong.
    """
    check_target(out)
    declaration = declare(order)
    found = picture_folder.find(order.golden, Limits()) if order.golden else ()
    more = picture_folder.find_some(order.calibration, MOST_CALIBRATED - len(found), Limits())
    if order.reference and not found:
        raise PackingError("--reference needs pictures to answer for: --golden DIR.")
    if order.calibration and not found:
        raise PackingError("--calibration needs golden pictures beside its own: --golden DIR.")
    with tempfile.TemporaryDirectory(prefix="plumbline-pack-") as name:
        work = Path(name)
        contents = gather(order, declaration, found, work, reporter)
        contents = replace(contents, calibration=more, code=order.code)
        reporter.say("Proving the archive in the server's own pipeline …")
        folder = work / "archive"
        folder.mkdir()
        report = assembly.prepare(contents, folder, reporter)
        if report.wrong or dry_run:
            return report
        return assembly.write(folder, report, out)


def check_target(out: Path) -> None:
    """Raise `PackingError` before the work begins if the archive can't be written afterwards."""
    if out.is_dir():
        raise PackingError(f"--out {out} is a folder; name a file, such as {out / 'model.tar.gz'}.")
    above = next(
        folder for folder in (out.resolve().parent, *out.resolve().parents) if folder.exists()
    )
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise PackingError(f"--out {out} can't be written: {above} is no folder, or not writable.")


def declare(order: Order) -> Declaration:
    """The spec with the labels in place. Raises `SpecError` or `PackingError`."""
    text = ""
    if order.spec is not None:
        if not order.spec.is_file():
            raise PackingError(f"There is no file {order.spec}.")
        text = read_text(order.spec)
    spec = specs.parse(text)
    if order.labels is not None and spec.labels is None:
        text = f"labels = {toml_value(LABELS)}\n{text}"
        spec = specs.parse(text)
    return Declaration(text, spec, labels_of(order, spec))


def labels_of(order: Order, spec: ModelSpec) -> dict[str, str]:
    """The file of labels, as it goes into the archive."""
    if not isinstance(spec.labels, str):
        if order.labels is not None:
            raise PackingError(
                f"--labels {order.labels} is given, but {FILE} lists the labels itself; "
                "keep one of the two."
            )
        return {}
    beside = order.spec.parent / spec.labels if order.spec else Path(spec.labels)
    file = order.labels or beside
    if not file.is_file():
        raise PackingError(
            f"{FILE}: labels = {spec.labels!r}, but there is no file {file}; name it with --labels."
        )
    return {spec.labels: read_text(file)}


def gather(
    order: Order,
    declaration: Declaration,
    found: tuple[Path, ...],
    work: Path,
    reporter: Reporter,
) -> Contents:
    """The golden outputs and the converted model; the user's own code fails first."""
    given = golden_outputs(order, found, reporter)
    asked = found if given is None else ()
    if order.model.kind != "saved_model":
        reporter.say(f"Converting {order.model.path.name} to a SavedModel …")
    with reporter.steps("The libraries' answer", len(asked)) as done:
        wanted = Wanted(declaration.text, asked)
        converted = convert(order.model, work / "model", order.custom_objects, wanted, done)
    reporter.say(f"The model was read by {converted.reader}.")
    outputs, source = given or (converted.outputs, {"kind": "libraries", "model": converted.reader})
    return Contents(
        model=converted.folder,
        spec=declaration.text,
        files=declaration.files,
        goldens=tuple(GoldenPicture(picture, outputs[picture.name]) for picture in found),
        place=declaration.spec.model.path or PLACE,
        reference=source,
    )


def golden_outputs(
    order: Order, found: tuple[Path, ...], reporter: Reporter
) -> tuple[Mapping[str, Tensors], dict[str, str]] | None:
    """The user's own outputs by picture, and where they come from; None if there are none."""
    if order.reference is not None and found:
        what = f"The reference {order.reference}"
        with reporter.steps(what, len(found)) as done:
            outputs = reference.outputs(order.reference, found, done)
        return outputs, {"kind": "function", "function": str(order.reference)}
    given = given_outputs(found)
    return (given, {"kind": "files"}) if given else None


def given_outputs(found: tuple[Path, ...]) -> dict[str, Tensors]:
    """The expected outputs that lie beside the pictures already: of all of them, or of none."""
    files = {picture.name: picture.with_name(f"{picture.name}.npz") for picture in found}
    there = {name: file for name, file in files.items() if file.is_file()}
    if there and len(there) < len(files):
        lacking = next(name for name in files if name not in there)
        raise PackingError(
            f"{len(there)} of {len(files)} pictures have expected outputs beside them, but "
            f"{lacking} has no {lacking}.npz. Give all of them, or none, or --reference."
        )
    return {name: read_outputs(file) for name, file in there.items()}


def summary(report: Report) -> str:
    """How it went, in a sentence."""
    if report.uncompared:
        return f"The golden pictures were not compared: {report.uncompared}."
    if not report.checked:
        return "There are no golden pictures: nobody checked the answers. Give some: --golden DIR."
    worst = max(one.difference.largest for one in report.checked)
    if report.spread <= report.tolerance:
        return (
            "The golden pictures come out right, but that proves nothing: their outputs are the "
            f"same to {report.spread:.3g}. Is this the trained model?"
        )
    return (
        f"{len(report.checked)} golden pictures come out right; the largest difference is "
        f"{worst:.3g}, and {report.tolerance:g} is allowed."
    )
