"""code/inference.py, found and read as text: nothing of it is run here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plumbline.archive.handler_errors import HandlerError
from plumbline.archive.handler_functions import exported_from, names_in

log = logging.getLogger("plumbline.handlers")

FOLDER = "code"

PROGRAM = "inference.py"

LIBRARIES = "lib"


@dataclass(frozen=True)
class Whereabouts:
    """What the environment says of where the user's code is."""

    program: str = ""
    """`SAGEMAKER_PROGRAM`: the name of the file or the module; empty for inference.py."""
    folder: str = ""
    """`SAGEMAKER_SUBMIT_DIRECTORY`; empty for code/ in the archive."""

    @property
    def programs(self) -> list[str]:
        """The names that the file with the functions may have, the first wins."""
        program = self.program.removesuffix(".py").replace(".", "/")
        return [f"{program}.py", PROGRAM] if program else [PROGRAM]

    def is_in(self, folder: Path) -> bool:
        """Whether a folder has that file."""
        return any((folder / name).is_file() for name in self.programs)


@dataclass(frozen=True)
class Code:
    """A user's code: its folder, and the file with the functions."""

    folder: Path
    file: Path
    within: tuple[Path, ...] = ()
    """The files that import all of this one, one through the other."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.folder.name}/{self.file.relative_to(self.folder).as_posix()}"

    @property
    def names(self) -> set[str]:
        """The names at its top, found without running it. Raises `HandlerError`."""
        return names_in(self.source, self.name, self.starred)

    @property
    def source(self) -> str:
        """Its text. Raises `HandlerError`."""
        try:
            return self.file.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as exc:
            raise HandlerError(f"{self.name} can't be read as UTF-8 text.") from exc

    def starred(self, module: str) -> set[str]:
        """The names that `from module import *` binds in it; of a library nothing is known."""
        for file in self.files_of(module):
            if file.is_file() and file not in self.within:
                other = Code(self.folder, file, (*self.within, self.file))
                return exported_from(other.source, other.name, other.starred)
        return set()

    def files_of(self, module: str) -> Iterator[Path]:
        """Where an imported module may lie in the code, the likeliest first."""
        name = module.lstrip(".")
        dots = len(module) - len(name)
        folders = self.file.parents[dots - 1 : dots] if dots else (self.folder, self.libraries)
        for folder in folders:
            path = folder.joinpath(*filter(None, name.split(".")))
            for file in (path / "__init__.py", path.with_suffix(".py")):
                if file.is_relative_to(self.folder):
                    yield file

    @property
    def libraries(self) -> Path:
        """The folder of what it brings along."""
        return self.folder / LIBRARIES

    @property
    def brings_model(self) -> bool:
        """Whether it loads the model itself."""
        return "model_fn" in self.names


def find(root: Path, whereabouts: Whereabouts) -> Code | None:
    """The user's code for the archive in `root`, if there is any. Raises `HandlerError`."""
    folder = submitted(whereabouts.folder) or root / FOLDER
    if not folder.is_dir():
        return None
    names = whereabouts.programs
    for name in names:
        if (folder / name).is_file():
            if name != names[0]:
                log.info("There is no %s in %s/; %s is taken.", names[0], folder.name, name)
            return Code(folder, folder / name)
    scripts = sorted(file.name for file in folder.glob("*.py"))
    if scripts:
        raise HandlerError(
            f"{folder.name}/ has no {names[0]}; there are {', '.join(scripts)}. Name the one with "
            "the handler inference.py, or set SAGEMAKER_PROGRAM to its name."
        )
    return None


def misplaced(root: Path, whereabouts: Whereabouts, found: Code | None) -> list[Path]:
    """The handlers below `root` that nobody looks for there, relative to it."""
    names = {Path(name).name for name in whereabouts.programs}
    there = [file.relative_to(root) for file in find_named(root, names)]
    mine = (FOLDER,) if found else (f"{FOLDER}/{LIBRARIES}",)
    return [file for file in there if not file.as_posix().startswith(tuple(f"{m}/" for m in mine))]


def find_named(root: Path, names: set[str]) -> Iterator[Path]:
    """The files of these names below a folder, sorted, without hidden ones."""
    for file in sorted(path for name in names for path in root.rglob(name)):
        if not any(part.startswith(".") for part in file.relative_to(root).parts):
            yield file


def not_run(file: Path) -> str:
    """The sentence about a handler in such a place."""
    return (
        f"{file.as_posix()} is not run: a handler is looked for in {FOLDER}/ at the top of the "
        f"archive alone. Move it there, with what it imports: {FOLDER}/{file.name}."
    )


def submitted(text: str) -> Path | None:
    """The folder that SAGEMAKER_SUBMIT_DIRECTORY names, if it is one on this machine."""
    path = Path(text.removeprefix("file://")) if text else None
    if path is None or path.is_dir():
        return path
    log.info("SAGEMAKER_SUBMIT_DIRECTORY=%s is no folder here; code/ in the archive is.", text)
    return None
