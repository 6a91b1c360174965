"""Model files → a SavedModel, and its answers by way of the reference libraries.

It happens in a process of its own, which alone runs the user's custom objects.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline.archive.contents import read_outputs
from plumbline.archive.discovery import ModelFile
from plumbline.errors import PackingError
from plumbline.machine import child_process
from plumbline.packing.model_sources import saved_model_files
from plumbline.settings.environment import child_environment
from plumbline.vision.arrays import Tensors

OUT_OF_MEMORY = (
    " (out of memory? Pack it where there is more, or pack what model.export('saved_model') writes "
    "where it was trained, which takes less)"
)

Heard = Callable[[str], None]


@dataclass(frozen=True)
class Converted:
    """A SavedModel folder, who read the model ("keras 3.15.1"), and its outputs by picture."""

    folder: Path
    reader: str
    outputs: Mapping[str, Tensors]


@dataclass(frozen=True)
class Wanted:
    """Pictures whose answers are wanted, and the text of the spec that says how they are read."""

    spec: str
    pictures: Sequence[Path]


def convert(
    model: ModelFile, folder: Path, custom_objects: Path | None, wanted: Wanted, done: Heard
) -> Converted:
    """Write the model as a SavedModel into the new folder `folder`. Raises `PackingError`.

    `done` hears the name of each wanted picture that has been answered for.
    """
    if custom_objects is not None and not custom_objects.is_file():
        raise PackingError(f"There is no file of custom objects {custom_objects}.")
    folder.mkdir(parents=True)
    answers = folder.with_name(folder.name + ".outputs")
    answers.mkdir()
    if model.kind == "saved_model":
        copy(model.path, folder)
    request = {
        "kind": model.kind,
        "path": str(model.path.resolve()),
        "weights": str(model.weights.resolve()) if model.weights else None,
        "custom_objects": str(custom_objects.resolve()) if custom_objects else None,
        "folder": str(folder),
        "spec": wanted.spec,
        "pictures": [str(picture.resolve()) for picture in wanted.pictures],
        "answers": str(answers),
    }
    reader = run(model, request, done)
    outputs = {
        picture.name: read_outputs(answers / f"{picture.name}.npz") for picture in wanted.pictures
    }
    return Converted(folder, reader, outputs)


def copy(source: Path, folder: Path) -> None:
    """What is needed of a SavedModel."""
    for file, name in saved_model_files(source):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def run(model: ModelFile, request: Mapping[str, object], done: Heard) -> str:
    """The process; who read the model. Its error becomes ours."""
    heard: dict[str, str] = {}

    def listen(message: Mapping[str, str]) -> None:
        heard.update(message)
        if "done" in message:
            done(message["done"])

    ending = child_process.run(
        "plumbline.packing.convert_process", request, listen, child_environment
    )
    if "error" in heard:
        raise PackingError(heard["error"])
    if "reader" not in heard:
        raise PackingError(
            f"The process that converts {model.path.name} {ending.words}"
            f"{OUT_OF_MEMORY if ending.status == -9 else ''}. It printed last:\n{ending.tail}"
        )
    return heard["reader"]
