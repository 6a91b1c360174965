"""Folder → the models in it, by the layouts that people really have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from plumbline.archive import diagnosis, foreign_files, hdf5, keras_config
from plumbline.archive.json_files import LARGEST_JSON
from plumbline.errors import ArchiveError

NAME = "model"
"""What a model is called that lies in no folder of its own."""


DROPPINGS = ("__MACOSX",)
"""Folders that macOS leaves in archives; its files begin with a dot."""


@dataclass(frozen=True)
class ModelFile:
    """A model: its kind, where it lies, and the name and version that requests choose it by.

    `kind` is "saved_model" (a folder), "keras" (a `.keras` zip), "h5" (a whole model) or "json"
    (an architecture, whose `weights` lie in a second file).
    """

    kind: str
    path: Path
    weights: Path | None = None
    name: str = NAME
    version: int = 1


@dataclass(frozen=True)
class Found:
    """The models of an archive, the default first, and the rule that found them."""

    models: tuple[ModelFile, ...]
    rule: str


def find_models(root: Path, declared: str | None) -> Found:
    """What is served from the folder `root`. Raises `ArchiveError` if that is not clear."""
    if declared is not None:
        return declared_model(root, declared)
    if models := tuple(saved_models(root, root)):
        return Found(default_first(models), "a SavedModel is served before any Keras file")
    if (root / EXPORTED / "saved_model.pb").is_file():
        return Found((ModelFile("saved_model", root / EXPORTED),), ONLY_EXPORTED)
    candidates = keras_models(root)
    if len(candidates) == 1:
        return Found((candidates[0],), ONLY_KERAS)
    if candidates:
        raise undecided(root, candidates)
    raise diagnosis.no_model(root)


EXPORTED = "saved_model"
"""The folder that TensorFlow's Object Detection API, and many an example, exports to."""

ONLY_EXPORTED = f"there is no SavedModel but the one in {EXPORTED}/"

ONLY_KERAS = "no SavedModel is there, and this is the only Keras model"


def undecided(root: Path, candidates: list[ModelFile]) -> ArchiveError:
    """The error for several Keras files, none of which is the obvious one."""
    names = [str(model.path.relative_to(root)) for model in candidates]
    return ArchiveError(
        f"There are {len(names)} models in the archive: {', '.join(names)}. Say which is meant in "
        f'plumbline.toml, with two lines: [model] and path = "{names[0]}"; or remove the others.'
    )


def declared_model(root: Path, declared: str) -> Found:
    """The model at the path that the spec names: a file, a SavedModel, or a folder of versions."""
    path = root / declared
    rule = f"plumbline.toml says so: [model] path = {declared!r}"
    if path.is_dir() and (versions := tuple(saved_models(root, path))):
        return Found(default_first(versions), rule)
    if path.is_file() and (model := keras_file(path)):
        return Found((model,), rule)
    raise diagnosis.declared_missing(root, declared)


def visible(root: Path, pattern: str) -> Iterator[Path]:
    """The paths that match, sorted, without what macOS leaves behind."""
    for path in sorted(root.glob(pattern)):
        parts = path.relative_to(root).parts
        if not any(part.startswith(".") or part in DROPPINGS for part in parts):
            yield path


def saved_models(root: Path, folder: Path) -> Iterator[ModelFile]:
    """The SavedModel in `folder`, or else all below it in folders whose names are numbers."""
    if (folder / "saved_model.pb").is_file():
        yield saved_model(root, folder)
        return
    for file in visible(folder, "**/saved_model.pb"):
        if is_version(file.parent.name):
            yield saved_model(root, file.parent)


def saved_model(root: Path, folder: Path) -> ModelFile:
    """The SavedModel in this folder, named as TensorFlow Serving does: <name>/<version>/."""
    if folder == root or not is_version(folder.name):
        return ModelFile("saved_model", folder)
    name = NAME if folder.parent == root else folder.parent.name
    return ModelFile("saved_model", folder, name=name, version=int(folder.name))


def is_version(name: str) -> bool:
    """Whether a folder's name is a version: digits, of a number that TensorFlow can count to."""
    return name.isascii() and name.isdecimal() and len(name) <= 19


def default_first(models: tuple[ModelFile, ...]) -> tuple[ModelFile, ...]:
    """Sorted by name, of each name the highest version first. Raises `ArchiveError` on doubles."""
    seen: dict[tuple[str, int], ModelFile] = {}
    for model in models:
        other = seen.setdefault((model.name, model.version), model)
        if other is not model:
            raise ArchiveError(
                f"Two SavedModels are both version {model.version} of {model.name!r}: "
                f"{other.path.parent.name}/{other.path.name} and "
                f"{model.path.parent.name}/{model.path.name}. Remove one, or rename its folder."
            )
    return tuple(sorted(models, key=lambda model: (model.name, -model.version)))


def keras_models(root: Path) -> list[ModelFile]:
    """The Keras models at the top; an architecture that its own HDF5 file holds too counts once."""
    whole = [model for file in visible(root, "*") if (model := whole_keras_model(file))]
    pairs = [model for file in visible(root, "*.json") if (model := json_pair(file))]
    same = {model.path for model in whole}
    return whole + [pair for pair in pairs if pair.weights not in same]


def whole_keras_model(file: Path) -> ModelFile | None:
    """A file that holds architecture and weights, or None."""
    kind = kind_of(file)
    return ModelFile(kind, file) if kind else None


def kind_of(file: Path) -> str | None:
    """By its name and its first bytes; before 2023 Keras wrote HDF5 under the name .keras, too."""
    suffix = file.suffix.lower()
    if not file.is_file() or suffix not in (".keras", *hdf5.SUFFIXES):
        return None
    if hdf5.is_hdf5(file):
        return "h5" if not is_weights_name(file) and hdf5.is_whole_model(file) else None
    foreign = suffix != ".keras" or (file.stat().st_size and foreign_files.told(file))
    return None if foreign else "keras"


def is_weights_name(file: Path) -> bool:
    """Whether the file says by its name that it holds weights alone."""
    return file.name.lower().endswith(".weights.h5")


def json_pair(file: Path) -> ModelFile | None:
    """An architecture and its weights; None if this JSON is none, or there are no weights."""
    if not file.is_file() or file.stat().st_size > LARGEST_JSON:
        return None
    try:
        document = keras_config.parse(file.read_bytes(), file.name)
    except ArchiveError:
        return None
    weights = weights_for(file)
    if weights is None or not keras_config.is_architecture(document):
        return None
    return ModelFile("json", file, weights)


def weights_for(file: Path) -> Path | None:
    """The weights beside an architecture: the only ones, or those that have its name."""
    files = [path for path in visible(file.parent, "*") if path.suffix.lower() in hdf5.SUFFIXES]
    files = [path for path in files if hdf5.is_hdf5(path)]
    alone = [path for path in files if kind_of(path) is None]
    if len(alone or files) == 1:
        return (alone or files)[0]
    if not files:
        return None
    files = alone or files
    named = [path for path in files if path.name.partition(".")[0] == file.stem]
    if len(named) != 1:
        names = ", ".join(path.name for path in files)
        raise ArchiveError(
            f"{file.name} is an architecture, and there are {len(files)} files of weights: "
            f"{names}. Keep one, or give it the name {file.stem}.weights.h5."
        )
    return named[0]


def keras_file(file: Path) -> ModelFile | None:
    """The Keras model in a file that was named."""
    readers: tuple[Callable[[Path], ModelFile | None], ...] = (whole_keras_model, json_pair)
    return next((model for reader in readers if (model := reader(file))), None)
