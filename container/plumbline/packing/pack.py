"""`plumbline pack`: from what training left behind to an archive that is proven."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from plumbline.archive.contents import read_outputs, read_text
from plumbline.archive.discovery import ModelFile
from plumbline.archive.saved_model import read_signatures
from plumbline.errors import PackingError
from plumbline.packing import assembly, picture_folder
from plumbline.packing import user_reference as reference
from plumbline.packing.assembly import Contents, GoldenPicture, Report
from plumbline.packing.convert import Wanted, convert
from plumbline.packing.model_sources import code_left_out
from plumbline.packing.progress_bar import Reporter
from plumbline.packing.user_reference import OutputsLacking, Reference
from plumbline.signature import ABSENT, Signature
from plumbline.spec import model_spec as specs
from plumbline.spec.checks import FILE
from plumbline.spec.model_spec import ModelSpec
from plumbline.spec.toml_writer import toml_value
from plumbline.vision.arrays import Tensors
from plumbline.vision.images import Limits

PLACE = "1"
"""Where the SavedModel lies if the spec does not say: the version, as TensorFlow Serving has it."""

LABELS = "labels.txt"

SAME = (
    "Take pictures that are answered differently. If all are answered alike, this is not the "
    "trained model: model.load_weights('trained.weights.h5') before it is saved. Where it answers "
    "class numbers or labels alone, save it with its scores, too: keras.Model(model.input, "
    "{'label': model.output, 'scores': model.get_layer('NAME').output})."
)

GivenOutputs = tuple[Mapping[str, Tensors], dict[str, str]]
"""Golden outputs by picture, and where they come from."""

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
    files: Mapping[str, str] = field(default_factory=dict)
    """More texts for the archive, by their names."""


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
    with laid_out(order, reporter) as (folder, report):
        if report.wrong or dry_run:
            return report
        return assembly.write(folder, report, out)


@contextmanager
def laid_out(order: Order, reporter: Reporter) -> Iterator[tuple[Path, Report]]:
    """A temporary folder with all that the archive holds, and how it came out.

    Raises a `ModelError`.
    """
    declaration = declare(order)
    color = declaration.spec.preprocess.color
    found = picture_folder.find(order.golden, Limits(), color) if order.golden else ()
    most = MOST_CALIBRATED - len(found)
    more = picture_folder.find_some(order.calibration, most, Limits(), color)
    if order.reference and not found:
        raise PackingError("--reference needs pictures to answer for: --golden DIR.")
    if order.calibration and not found:
        raise PackingError("--calibration needs golden pictures beside its own: --golden DIR.")
    for warning in code_left_out(order.model.path, order.code):
        reporter.say(warning)
    with tempfile.TemporaryDirectory(prefix="plumbline-pack-") as name:
        work = Path(name)
        contents = gather(order, declaration, found, work, reporter)
        contents = replace(contents, calibration=more, code=order.code)
        reporter.say("Proving the archive in the server's own pipeline …")
        folder = work / "archive"
        folder.mkdir()
        yield folder, assembly.prepare(contents, folder, reporter)


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
    given: GivenOutputs | None = None
    refused: OutputsLacking | None = None
    try:
        given = golden_outputs(order, found, reporter)
    except OutputsLacking as exc:  # what they would be, the model says
        refused = exc
    asked = () if given or refused else found
    if order.model.kind != "saved_model":
        reporter.say(f"Converting {order.model.path.name} to a SavedModel …")
    with reporter.steps("The libraries' answer", len(asked)) as done:
        wanted = Wanted(declaration.text, asked)
        converted = convert(order.model, work / "model", order.custom_objects, wanted, done)
    reporter.say(f"The model was read by {converted.reader}.")
    signature = read_signatures(converted.folder).get(declaration.spec.model.signature)
    check_outputs(given, refused, signature or ABSENT)
    outputs, source = given or (converted.outputs, {"kind": "libraries", "model": converted.reader})
    return Contents(
        model=converted.folder,
        spec=declaration.text,
        files={**order.files, **declaration.files},
        goldens=tuple(GoldenPicture(picture, outputs[picture.name]) for picture in found),
        place=declaration.spec.model.path or PLACE,
        reference=source,
    )


def check_outputs(
    given: GivenOutputs | None, refused: OutputsLacking | None, signature: Signature
) -> None:
    """Raise `PackingError` where something made of the outputs was given, not the outputs."""
    outputs = [replace(each, shape=each.shape[1:]) for each in signature.outputs]
    model = (
        f"For each picture the model returns {', '.join(map(str, outputs))}. Return that, as "
        "model.predict gives it, without argmax, class names or rounding."
    )
    if refused:
        raise PackingError(f"{refused.message}\n{model}" if outputs else refused.message)
    least = min((math.prod(axis or 2 for axis in each.shape) for each in outputs), default=0)
    for name, expected in (given[0] if given else {}).items():
        first, *more = expected.values()
        if first.size == 1 and not more and least > 1:
            raise PackingError(f"Expected of {name} is one number, {first.item():g}. {model}")


def golden_outputs(
    order: Order, found: tuple[Path, ...], reporter: Reporter
) -> GivenOutputs | None:
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
        return (
            "There are no golden pictures: the answers were not checked. Give some: --golden DIR."
        )
    worst = max(one.difference.largest for one in report.checked)
    if report.spread <= report.tolerance:
        return (
            "The golden pictures come out right, but that proves nothing: their outputs are the "
            f"same to {report.spread:.3g}. {SAME}"
        )
    return (
        f"{len(report.checked)} golden pictures come out right; the largest difference is "
        f"{worst:.3g}, and {report.tolerance:g} is allowed."
    )
