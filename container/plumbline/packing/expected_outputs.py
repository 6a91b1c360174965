"""The outputs that a search is to reproduce: a file of arrays, or the user's own code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plumbline.archive.contents import read_outputs
from plumbline.errors import PackingError
from plumbline.packing import user_reference
from plumbline.packing.progress_bar import Reporter
from plumbline.vision.arrays import Tensors

FORM = "a file of NumPy arrays (outputs.npz), or FILE:FUNCTION, such as notebook.py:predict"


def read(source: str, pictures: Sequence[Path], reporter: Reporter) -> dict[str, Tensors]:
    """The expected outputs by the picture's name. Raises `PackingError` or `ArchiveError`."""
    file = Path(source)
    if file.suffix == ".npz":
        if not file.is_file():
            raise PackingError(f"There is no file {file}; --expected takes {FORM}.")
        return by_picture(read_outputs(file), file.name, pictures)
    if ":" not in source:
        raise PackingError(f"--expected {source}: it must be {FORM}.")
    parsed = user_reference.parse(source)
    with reporter.steps(f"The reference {parsed}", len(pictures)) as done:
        return user_reference.outputs(parsed, pictures, done)


def by_picture(arrays: Tensors, source: str, pictures: Sequence[Path]) -> dict[str, Tensors]:
    """One array for each picture, by its name, or one array `[pictures, …]` in their order."""
    names = [picture.name for picture in pictures]
    keys = {name: key for name in names for key in (Path(name).stem, name) if key in arrays}
    if len(keys) == len(names):
        return {name: {"output": arrays[keys[name]]} for name in names}
    if len(arrays) == 1:
        key, array = next(iter(arrays.items()))
        if array.ndim and len(array) == len(names):
            return {name: {"output": row} for name, row in zip(names, array, strict=True)}
        raise PackingError(
            f"{source}: the array {key!r} has the shape {list(array.shape)}; its first axis must "
            f"be the {len(names)} pictures in the order of their names: {', '.join(names)}."
        )
    lacking = [name for name in names if name not in keys]
    raise PackingError(
        f"{source} has no array for {', '.join(lacking)}; it has {', '.join(arrays)}. Give one "
        "array for each picture, by its file name, or a single one [pictures, …]."
    )
