"""Runs inside the process of `user_reference.py`: loads the user's file and calls the function.

It sends `{"done": name}` for each picture, or `{"error": text}` once, and writes `<name>.npz`.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from plumbline.archive.npz_outputs import save
from plumbline.machine.child_process import received, send


class NoArray(Exception):
    """What the function returned can't be compared with anything."""


class NoOutputs(NoArray):
    """It is what somebody made of the model's outputs, such as the name of a class."""


def main() -> None:
    """Answer the request; whatever the user's code raises becomes a message."""
    request, messages = received()
    pictures = [Path(picture) for picture in request["pictures"]]
    file, name = Path(request["file"]), request["function"]
    place = f"importing {file.name}"
    try:
        function = find(file, name)
        for picture in pictures:
            place = f"{name}({picture.name!r})"
            arrays = named(function(str(picture)))
            save(Path(request["out"], f"{picture.name}.npz"), arrays)
            send(messages, done=picture.name)
    except NoOutputs as exc:
        send(messages, error=f"{place} {exc}", lacking="outputs")
    except NoArray as exc:
        send(messages, error=f"{place} {exc}")
    except SystemExit as exc:
        send(messages, error=f"{place} ended the process (sys.exit({exc.code!r}))")
    except BaseException as exc:  # whatever the user's code raises
        traceback.print_exception(exc.with_traceback(within_their_code(exc)))
        send(messages, error=f"{place} raised {type(exc).__name__}: {exc}")


def within_their_code(error: BaseException) -> TracebackType | None:
    """Where it was raised, without our own frames and the importer's before the user's."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename.startswith((__file__, "<frozen importlib")):
        trace = trace.tb_next
    return trace


def find(file: Path, name: str) -> Callable[[str], Any]:
    """The function of the file, which is imported as if it had been run beside its own files."""
    sys.path.insert(0, str(file.parent))
    sys.argv = [str(file)]
    module_spec = importlib.util.spec_from_file_location(file.stem, file)
    if module_spec is None or module_spec.loader is None:
        raise NoArray("is not possible: it is no Python file")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[file.stem] = module
    module_spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if is_own_function(value, module)]
        raise NoArray(
            f"found no function {name!r}; it has {', '.join(known) or 'no functions at all'}"
        )
    found: Callable[[str], Any] = function
    return found


def is_own_function(value: Any, module: Any) -> bool:
    """Whether it is a function that the file itself defines."""
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def named(returned: Any) -> dict[str, np.ndarray]:
    """What the function returned, as arrays by name: one array, a list of them, or a mapping."""
    if isinstance(returned, Mapping):
        return {str(name): array(value) for name, value in returned.items()}
    if isinstance(returned, list | tuple) and returned and all(map(has_shape, returned)):
        return {f"output_{number}": array(value) for number, value in enumerate(returned)}
    return {"output": array(returned)}


def has_shape(value: Any) -> bool:
    """Whether it is an array, or a framework's tensor."""
    return hasattr(value, "shape")


def array(value: Any) -> np.ndarray:
    """The value as numbers. Raises `NoArray`."""
    if value is None:
        raise NoArray("returned None; it must return the model's outputs, an array")
    try:
        found = np.asarray(value)
    except ValueError as exc:
        raise NoArray(f"returned what is no array: {exc}") from exc
    if found.dtype.kind in "SU":
        raise NoOutputs(
            f"returned a text, {value!r:.80}; it must return the model's outputs, numbers"
        )
    if found.dtype.kind not in "biuf":
        kind = f"{type(value).__name__} ({found.dtype}, shape {list(found.shape)})"
        raise NoArray(f"returned a {kind}; it must return the model's outputs, numbers")
    return found


if __name__ == "__main__":
    main()
