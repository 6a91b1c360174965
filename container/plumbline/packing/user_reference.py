"""The user's own prediction code, `path -> array`, run in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline.archive.contents import read_outputs
from plumbline.errors import PackingError
from plumbline.machine import child_process
from plumbline.settings.environment import child_environment
from plumbline.vision.arrays import Tensors

FORM = "FILE:FUNCTION, such as notebook.py:predict"

Heard = Callable[[str], None]


class OutputsLacking(PackingError):
    """The function returned something that was made of the model's outputs, not these."""


@dataclass(frozen=True)
class Reference:
    """A function in a Python file; it takes the path of a picture and returns the outputs."""

    file: Path
    function: str

    def __str__(self) -> str:
        return f"{self.file.name}:{self.function}"


def parse(text: str) -> Reference:
    """The reference that `FILE:FUNCTION` names. Raises `PackingError`."""
    name, _, function = text.rpartition(":")
    if not name or not function.isidentifier():
        raise PackingError(f"{text!r} names no function; write {FORM}.")
    file = Path(name)
    if file.suffix == ".ipynb":
        raise PackingError(
            f"{file} is a notebook, not a Python file; write it as one first: "
            f"jupyter nbconvert --to script {file}"
        )
    if not file.is_file():
        raise PackingError(f"There is no file {file}; write {FORM}.")
    return Reference(file.resolve(), function)


def outputs(reference: Reference, pictures: Sequence[Path], done: Heard) -> dict[str, Tensors]:
    """What the function returns for each picture, by the picture's name; `done` hears each name.

    Raises `PackingError` with what the code printed last, where it does not return arrays; an
    `OutputsLacking` where it returns what can't be the model's outputs.
    """
    errors: list[str] = []
    kind = PackingError

    def heard(message: Mapping[str, str]) -> None:
        nonlocal kind
        if "error" in message:
            errors.append(message["error"])
            kind = OutputsLacking if "lacking" in message else PackingError
        else:
            done(message["done"])

    with tempfile.TemporaryDirectory(prefix="plumbline-reference-") as folder:
        request = {
            "file": str(reference.file),
            "function": reference.function,
            "pictures": [str(picture.resolve()) for picture in pictures],
            "out": folder,
        }
        ending = child_process.run(
            "plumbline.packing.user_reference_process", request, heard, child_environment
        )
        files = {picture.name: Path(folder, f"{picture.name}.npz") for picture in pictures}
        missing = [name for name, file in files.items() if not file.is_file()]
        if errors or missing:
            raise kind(failure(reference, errors, missing, ending))
        return {name: read_outputs(file) for name, file in files.items()}


def failure(
    reference: Reference, errors: list[str], missing: list[str], ending: child_process.Ending
) -> str:
    """What to say of code that did not do what it should, with its last words."""
    what = (
        errors[0].rstrip(".")
        if errors
        else f"its process {ending.words} before it came to {missing[0]}"
    )
    said = f"\nIt printed last:\n{ending.tail}" if ending.tail else ""
    return f"The reference {reference} failed: {what}.{said}"
