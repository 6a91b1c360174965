"""code/inference.py: where it lies, and the functions in it, checked once when it is loaded.

It is the one place where Python code of an archive is run, and only because it lies there.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from plumbline.errors import PlumblineError
from plumbline.failures import HandlerError
from plumbline.handler_errors import place, told
from plumbline.handler_hints import VENDORING, hint
from plumbline.handler_names import PARAMETERS, SERVING, TOOLKIT, chosen, exported_from, names_in
from plumbline.stand_ins import finder as stand_ins

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


@dataclass(frozen=True)
class Stage:
    """A function of the user's, and whether it takes a context after its other parameters."""

    name: str
    function: Callable[..., Any]
    takes_context: bool
    code: Code

    def __call__(self, *arguments: Any, context: Any) -> Any:
        """What it returns. Raises a `PlumblineError` for whatever it raises."""
        extra = (context,) if self.takes_context else ()
        try:
            return self.function(*arguments, *extra)
        except BaseException as exc:  # sys.exit must not end a thread of the server's
            raise told(exc, self.name, self.code.folder) from exc


Stages = Mapping[str, Stage]


def find(root: Path, whereabouts: Whereabouts) -> Code | None:
    """The user's code for the archive in `root`, if there is any. Raises `HandlerError`."""
    folder = submitted(whereabouts.folder) or root / FOLDER
    if not folder.is_dir():
        return None
    program = whereabouts.program.removesuffix(".py").replace(".", "/")
    names = [f"{program}.py", PROGRAM] if program else [PROGRAM]
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


def submitted(text: str) -> Path | None:
    """The folder that SAGEMAKER_SUBMIT_DIRECTORY names, if it is one on this machine."""
    path = Path(text.removeprefix("file://")) if text else None
    if path is None or path.is_dir():
        return path
    log.info("SAGEMAKER_SUBMIT_DIRECTORY=%s is no folder here; code/ in the archive is.", text)
    return None


def load(code: Code, libraries: tuple[Path, ...] = ()) -> Stages:
    """The functions by their names, after running the file. Raises `HandlerError`.

    `libraries` are folders of what was installed for it.
    """
    sys.dont_write_bytecode = True  # an archive is as it was packed, and may be read-only
    put_on_path(code.folder, libraries)
    stand_ins.offer()
    module = run(code)
    names = chosen(vars(module).keys(), code.name)
    return {name: stage(name, getattr(module, name), code) for name in names}


def put_on_path(folder: Path, libraries: tuple[Path, ...]) -> None:
    """Let the code import what lies beside it and in its lib/, and nobody else's.

    Modules of the same name that another model's code imported are imported anew.
    """
    others = tuple(f"{other}/" for other in OPENED - {folder})
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(others):
            del sys.modules[name]
    OPENED.add(folder)
    places = [str(place) for place in (folder, folder / LIBRARIES, *libraries)]
    sys.path[:] = places + [place for place in sys.path if place not in places]


OPENED: set[Path] = set()
"""The folders of code that this process has loaded."""


def run(code: Code) -> ModuleType:
    """The module, once it has been run. Raises `HandlerError` with the file and the line."""
    name = code.file.stem
    spec = spec_from_file_location(name, code.file)
    if spec is None or spec.loader is None:
        raise HandlerError(f"{code.name} is no Python file.")
    module = module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickle look for it
    logging.getLogger(name).setLevel(log.getEffectiveLevel())
    try:
        spec.loader.exec_module(module)
    except BaseException as exc:
        sys.modules.pop(name, None)
        raise unusable(exc, code) from exc
    return module


def unusable(exc: BaseException, code: Code) -> HandlerError:
    """The error for code that can't be run."""
    if isinstance(exc, SyntaxError):
        file = Path(exc.filename or "").name
        return HandlerError(f"{code.name} can't be imported: {file}, line {exc.lineno}: {exc.msg}.")
    where = f"{code.folder.name}/{place(exc, code.folder)}"
    if isinstance(exc, PlumblineError):
        return HandlerError(f"{where}: {exc.message}")
    helps = hint(exc)
    if isinstance(exc, ModuleNotFoundError):
        return HandlerError(f"{where}: there is no module {exc.name} here. {helps or VENDORING}")
    if isinstance(exc, SystemExit):
        return HandlerError(f"{where}: it calls sys.exit when it is imported; it must not.")
    return HandlerError(f"{where}: {type(exc).__name__}: {exc}. {helps}".rstrip())


def stage(name: str, function: Any, code: Code) -> Stage:
    """The function, once its form was found right. Raises `HandlerError`."""
    wanted = PARAMETERS[name]
    form = f"{name}({', '.join(wanted)})"
    if not callable(function):
        raise HandlerError(f"{code.name}: {name} is no function; it must be {form}.")
    for says, what in REFUSED.items():
        if what(function):
            raise HandlerError(f"{code.name}: {name} is {says}; it must be a plain {form}.")
    if parameters(function) is None:
        raise HandlerError(
            f"{code.name}: {name} is {function!r}, whose parameters Python does not know; write a "
            f"function {form} that calls it."
        )
    given, context = takes(function, len(wanted)), takes(function, len(wanted) + 1)
    if name in SERVING and given:
        return Stage(name, function, takes_context=False, code=code)
    if name in TOOLKIT and (given or context):
        return Stage(name, function, context and (not given or names_context(function)), code)
    also = ", and may take context after them" if name in TOOLKIT else ""
    raise HandlerError(
        f"{code.name}: {name} has the parameters {inspect.signature(function)}; it must be "
        f"{form}{also}."
    )


REFUSED: Mapping[str, Callable[[Any], bool]] = {
    "async, which is not called here": inspect.iscoroutinefunction,
    "a generator (it has a yield)": inspect.isgeneratorfunction,
    "async and a generator": inspect.isasyncgenfunction,
}
"""Functions whose call does nothing yet."""


def parameters(function: Any) -> inspect.Signature | None:
    """What a function takes; of many that are written in C nothing is known."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def takes(function: Any, count: int) -> bool:
    """Whether a function can be called with so many arguments."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    return True


def names_context(function: Any) -> bool:
    """Whether a parameter is called context."""
    return "context" in inspect.signature(function).parameters
