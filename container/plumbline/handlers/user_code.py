"""code/inference.py, run: the functions in it, checked once when it is loaded.

It is the one place where Python code of an archive is run, and only because it lies there.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from plumbline.archive.handler_code import LIBRARIES, Code
from plumbline.archive.handler_errors import HandlerError
from plumbline.archive.handler_functions import PARAMETERS, SERVING, TOOLKIT, chosen
from plumbline.errors import PlumblineError
from plumbline.handlers.import_hints import VENDORING, hint
from plumbline.handlers.raised_errors import place, told
from plumbline.handlers.stand_ins import finder as stand_ins

log = logging.getLogger("plumbline.handlers")


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
        raise HandlerError(f"{code.name} is no Python file; call it inference.py.")
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
        return HandlerError(
            f"{where}: it calls sys.exit when it is imported; it must not. {SCRIPT}"
        )
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


SCRIPT = "What a script does by itself stands below if __name__ == '__main__':."

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
