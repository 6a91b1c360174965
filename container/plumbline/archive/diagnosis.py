"""An archive that can't be served → one screen: the likeliest mistake, what is there, what was
expected.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from pathlib import Path

from plumbline.archive import foreign_files, hdf5, keras_config
from plumbline.archive.file_listing import Scene
from plumbline.errors import ArchiveError
from plumbline.spec.checks import FILE

EXPECTED = """\
What was expected, at the top of the archive, one of
  saved_model.pb, variables/   a SavedModel; or in <version>/, <name>/<version>/
                               or export/Servo/<version>/
  <name>.keras                 a model that Keras saved
  <name>.h5, <name>.hdf5       a whole model that Keras saved
  <name>.json, <name>.h5       its architecture and its weights
  plumbline.toml               whose [model] path names one of these"""

VARIABLE_OPS = (b"VarHandleOp", b"VariableV2", b"RestoreV2")
"""What a graph has whose values lie in variables/, or which asks for that folder all the same."""

MODEL_SUFFIXES = (".keras", ".h5", ".hdf5", ".json")

NO_MODELS = ("code", "golden")
"""Folders of an archive in which no model is looked for."""

PACKED_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz", ".zip")


def screen(root: Path, problem: str) -> ArchiveError:
    """The error that fills one screen; `problem` is the sentence that is read first."""
    return ArchiveError(f"{problem}\n\n{Scene(root).tree()}\n\n{EXPECTED}")


def no_model(root: Path) -> ArchiveError:
    """The error for an archive without a model, the likeliest mistake first."""
    scene = Scene(root)
    mistake = next((found for suspect in SUSPECTS if (found := suspect(scene))), NO_IDEA)
    return screen(root, f"There is no model in the archive. {mistake}")


def declared_missing(root: Path, declared: str) -> ArchiveError:
    """The error for a plumbline.toml that names what is not a model."""
    path = root / declared
    said = f"{FILE}: [model] path = {declared!r}"
    if not path.exists():
        return screen(root, f"{said}, but nothing of that name is in the archive.")
    name = path.relative_to(root).as_posix()
    if path.is_file() and (recognised := foreign_files.told(path, name)):
        return screen(root, f"{said}, but that is not a model: {recognised}")
    mistake = (
        f"a SavedModel is a folder with a saved_model.pb, a Keras file ends in "
        f"{', '.join(MODEL_SUFFIXES)}, and a .json needs its weights (.h5) beside it."
    )
    return screen(root, f"{said}, but that is not a model: {mistake}")


def misplaced_spec(root: Path) -> ArchiveError | None:
    """The error for a plumbline.toml that would not be seen because it lies too deep."""
    scene = Scene(root)
    deep = [file for file in scene.ending(FILE) if file.name == FILE]
    if not deep or len(deep[0].parts) == 1:
        return None
    return screen(root, f"{FILE} is not at the top of the archive. {one_deeper(deep[0])}")


def incomplete(root: Path, model: Path) -> ArchiveError | None:
    """The error for a model that was found, but of which a part did not come along."""
    files = sorted(model.rglob("*")) if model.is_dir() else [model]
    for file in files:
        if said := foreign_files.not_the_file(file, file.relative_to(root).as_posix()):
            return screen(root, said)
    if model.is_dir() and (missing := missing_variables(model)):
        folder = model.relative_to(root).as_posix()
        return screen(root, f"The SavedModel {folder}/ is not whole: {missing}")
    return None


def missing_variables(folder: Path) -> str | None:
    """The sentence for a SavedModel whose weights are not there."""
    variables = folder / "variables"
    whole = "pack the whole folder that export() or save() wrote"
    if (variables / "variables.index").is_file():
        if any(variables.glob("variables.data-*")):
            return None
        return f"its variables/ has an index, but no variables.data-… files; {whole}."
    if not has_variables(folder / "saved_model.pb"):
        return None
    return (
        "its saved_model.pb has no variables/variables.index beside it, and variables/ holds the "
        f"weights; {whole}, not saved_model.pb alone."
    )


def has_variables(graph: Path) -> bool:
    """Whether a saved_model.pb has operations on variables; their names lie in it plain."""
    if not graph.stat().st_size:
        return False
    with (
        graph.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        return any(data.find(name) >= 0 for name in VARIABLE_OPS)


def one_deeper(file: Path) -> str:
    """The sentence for what was packed with the folder around it."""
    folder = file.parent.as_posix()
    return (
        f"Everything lies a folder too deep, in {folder}/; pack what is in it, not the folder: "
        f"tar -C {folder} -czf model.tar.gz ."
    )


def empty(scene: Scene) -> str | None:
    """Nothing at all."""
    return None if scene.files else "It is empty: was it packed before the model was written?"


def not_copied(scene: Scene) -> str | None:
    """A pointer or a web page among the files, in the place of one."""
    found = (foreign_files.not_the_file(scene.root / file, file.as_posix()) for file in scene.files)
    return next(filter(None, found), None)


def packed_twice(scene: Scene) -> str | None:
    """An archive inside the archive."""
    packed = scene.ending(*PACKED_SUFFIXES)
    if not packed:
        return None
    if said := foreign_files.told(scene.root / packed[0], packed[0].as_posix()):
        return said
    return (
        f"There is an archive inside the archive, {packed[0].as_posix()}: unpack it, and pack "
        "what is in it."
    )


def too_deep(scene: Scene) -> str | None:
    """A model that has a folder around it."""
    for file in scene.ending("saved_model.pb", ".keras", ".h5", ".hdf5"):
        if len(file.parts) > 1 and not foreign_files.told(scene.root / file):
            return one_deeper(file)
    return None


def lost_graph(scene: Scene) -> str | None:
    """The variables of a SavedModel, without its saved_model.pb."""
    index = [file for file in scene.files if file.name == "variables.index"]
    if not index:
        return None
    return (
        f"{index[0].parent.as_posix()}/ holds the weights of a SavedModel, but its saved_model.pb "
        "is missing: pack the whole folder that export() or save() wrote."
    )


def architecture_alone(scene: Scene) -> str | None:
    """An architecture without weights."""
    for file in scene.ending(".json"):
        if is_architecture(scene.root / file):
            return (
                f"{file} is an architecture without weights: put them beside it "
                f"(model.save_weights({file.stem + '.weights.h5'!r}))."
            )
    return None


def not_hdf5(scene: Scene) -> str | None:
    """What is called HDF5 and is nothing that is known."""
    found = [each for each in scene.ending(*hdf5.SUFFIXES) if not hdf5.is_hdf5(scene.root / each)]
    if not found:
        return None
    return f"{found[0]} is not HDF5: it is damaged, or something else under that name."


def is_architecture(file: Path) -> bool:
    """Whether a JSON file describes a Keras model."""
    try:
        return keras_config.is_architecture(keras_config.parse(file.read_bytes(), file.name))
    except ArchiveError:
        return False


def other_format(scene: Scene) -> str | None:
    """A model that something else can serve, or a part of one."""
    near = sorted(scene.files, key=lambda file: (len(file.parts), file))
    for file in near:
        if file.parts[0] not in NO_MODELS and (
            said := foreign_files.told(scene.root / file, file.as_posix())
        ):
            return said
    return None


SUSPECTS: tuple[Callable[[Scene], str | None], ...] = (
    empty,
    not_copied,
    packed_twice,
    too_deep,
    lost_graph,
    architecture_alone,
    other_format,
    not_hdf5,
)
"""The mistakes that people make, the surest first; each is a sentence, or None."""

NO_IDEA = "None of its files is one."
