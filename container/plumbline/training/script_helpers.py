"""What scripts import: the server's own preprocessing, and a packed model in the model folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.archive import npz_outputs
from plumbline.archive.contents import read_text
from plumbline.archive.discovery import ModelFile
from plumbline.errors import SpecError
from plumbline.packing import model_sources
from plumbline.pipeline.preprocess import preprocess
from plumbline.settings import environment
from plumbline.spec import model_spec as specs
from plumbline.spec.checks import FILE
from plumbline.spec.model_spec import ModelSpec
from plumbline.vision.arrays import Tensor
from plumbline.vision.images import Limits, read_picture

Declared = str | Path
"""plumbline.toml: its path, or its text."""

MODEL_DIR = "SM_MODEL_DIR"


def pictures(
    files: Iterable[str | Path | bytes], spec: Declared = "plumbline.toml", dtype: str = "float32"
) -> Tensor:
    """Pictures (their paths, or their bytes) as the server will give them to the model.

    The result is `[pictures, height, width, channels]`; [preprocess] of the spec needs a size.
    Raises an `ImageError` that names the picture, or `SpecError`.
    """
    declared = specs.parse(text_of(spec))
    size = declared.preprocess.size
    if size is None:
        raise SpecError("plumbline.toml: [preprocess] needs size = [height, width] for training.")
    prepared = [
        preprocess(pixels(file, declared), declared.preprocess, size, dtype) for file in files
    ]
    return np.stack(prepared) if prepared else np.zeros((0, *size, 3), dtype)


def pixels(file: str | Path | bytes, spec: ModelSpec) -> Any:
    """A picture as the spec decodes it."""
    declared = spec.preprocess
    data = file if isinstance(file, bytes) else Path(file).read_bytes()
    try:
        picture = read_picture(
            data,
            decoder=declared.decoder,
            color=declared.color,
            exif=declared.exif,
            limits=Limits(),
        )
    except Exception as exc:
        if not isinstance(file, bytes):
            exc.add_note(f"The picture is {file}.")
        raise
    return picture.pixels


def save(
    model: Any,
    spec: Declared = "plumbline.toml",
    golden: Iterable[str | Path] = (),
    labels: Iterable[str] | None = None,
    to: str | Path | None = None,
) -> None:
    """Pack the model into the job's model folder (or `to`), proven on the golden pictures.

    `model` is a Keras model, of Keras 3 or tf_keras, or the path of one that was saved. What a
    model computes here for the golden pictures, by way of `pictures`, is what the archive must
    answer; for a saved one Keras computes it anew. Raises a `ModelError`; then the folder is as it
    was.
    """
    from plumbline.packing import assembly
    from plumbline.packing import pack as packing
    from plumbline.packing.progress_bar import SILENT
    from plumbline.training import handover

    environment.quiet_frameworks()
    folder = Path(to or environment.variables().get(MODEL_DIR) or "/opt/ml/model")
    shown = copied([Path(picture) for picture in golden])
    with shown as golden_folder, tempfile.TemporaryDirectory(prefix="plumbline-save-") as name:
        order = packing.Order(
            model_file(model, Path(name)),
            spec=written(spec, Path(name)),
            golden=golden_folder,
            labels=label_file(labels, Path(name)),
        )
        if golden_folder and not isinstance(model, str | Path):
            answer(model, text_of(spec), golden_folder)
        with packing.laid_out(order, SILENT) as (archive, report):
            assembly.demand(report)
            handover.replace(folder, archive)
    print(f"The model is packed in {folder}. {packing.summary(report)}", flush=True)  # noqa: T201


def text_of(spec: Declared) -> str:
    """The text of plumbline.toml. Raises `SpecError` if it is meant as a file that is not there."""
    if isinstance(spec, str) and ("\n" in spec or "=" in spec):
        return spec
    if not Path(spec).is_file():
        raise SpecError(f"There is no file {spec}: name the plumbline.toml of the model.")
    return read_text(Path(spec))


def written(spec: Declared, folder: Path) -> Path:
    """The file of the spec, in its own place if it has one."""
    if isinstance(spec, Path) or Path(spec).is_file():
        return Path(spec)
    file = folder / FILE
    file.write_text(text_of(spec), "utf-8")
    return file


def label_file(labels: Iterable[str] | None, folder: Path) -> Path | None:
    """The labels as a file, one a line."""
    if labels is None:
        return None
    file = folder / "labels.txt"
    file.write_text("".join(f"{label}\n" for label in labels), "utf-8")
    return file


def model_file(model: Any, folder: Path) -> ModelFile:
    """The file of the model, saved here if it is none yet."""
    if isinstance(model, str | Path):
        return model_sources.find(Path(model), None)
    file = folder / "model.keras"
    model.save(file)
    return ModelFile("keras", file)


@contextmanager
def copied(shown: Sequence[Path]) -> Iterator[Path | None]:
    """A folder with the pictures; those of one name get the name of their folder before it."""
    if not shown:
        yield None
        return
    names = [picture.name for picture in shown]
    with tempfile.TemporaryDirectory(prefix="plumbline-golden-") as folder:
        for picture in shown:
            unique = names.count(picture.name) == 1
            name = picture.name if unique else f"{picture.parent.name}-{picture.name}"
            shutil.copyfile(picture, Path(folder, name))
        yield Path(folder)


def answer(model: Any, spec: str, golden: Path) -> None:
    """Write the model's own outputs beside the pictures, with the activation that is declared."""
    from plumbline.engines.keras_export import outputs_by_name
    from plumbline.packing.convert_process import activated, numbers

    for picture in sorted(golden.iterdir()):
        outputs = outputs_by_name(model(pictures([picture], spec), training=False))
        npz_outputs.save(
            picture.with_name(f"{picture.name}.npz"),
            numbers(activated(outputs, specs.parse(spec))),
        )
