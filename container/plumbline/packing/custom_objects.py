"""The user's own layers, models and functions, for Keras to find by name."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from plumbline.archive.keras_config import ALL
from plumbline.errors import PackingError

EXPORTED = "What model.export('saved_model') writes where it was trained needs none of them."


@contextlib.contextmanager
def known(file: Path | None) -> Iterator[frozenset[str]]:
    """Both Kerases know the custom objects of the file while this lasts; their names.

    Among them are those that packages register when the file imports them, and whatever else
    these packages have. Raises `PackingError`.
    """
    if file is None:
        yield frozenset()
        return
    import keras
    import tf_keras

    registries = keras.utils.get_custom_objects(), tf_keras.utils.get_custom_objects()
    before = {*registries[0], *registries[1]}
    found = load(file)
    after = {**registries[0], **registries[1]}
    registered = after.keys() - before
    if not found and not registered:
        raise PackingError(
            f"{file.name} defines no class or function at its top, and imports no package that "
            f"registers some with Keras. {EXPORTED}"
        )
    with keras.utils.custom_object_scope(found), tf_keras.utils.custom_object_scope(found):
        names = (name.rpartition(">")[2] for name in registered)
        packages = {after[name].__module__.partition(".")[0] + ALL for name in registered}
        yield frozenset({*found, *names, *packages})


def load(file: Path) -> dict[str, Any]:
    """The classes and functions at the top of the file, by name. Raises `PackingError`."""
    objects = vars(imported(file))
    return {name: value for name, value in objects.items() if is_object(name, value)}


def imported(file: Path) -> ModuleType:
    """The file as a module. Raises `PackingError`."""
    sys.path.insert(0, str(file.parent))
    module_spec = importlib.util.spec_from_file_location(file.stem, file)
    if module_spec is None or module_spec.loader is None:
        raise PackingError(f"{file.name} is no Python file with custom objects.")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[file.stem] = module
    try:
        module_spec.loader.exec_module(module)
    except BaseException as exc:  # whatever the user's code raises, sys.exit included
        raise PackingError(
            f"The custom objects of {file.name} can't be imported: {type(exc).__name__}: {exc}. "
            f"{EXPORTED}"
        ) from exc
    return module


def is_object(name: str, value: Any) -> bool:
    """Whether a name of the file may be one that a model asks for."""
    return callable(value) and not name.startswith("_") and hasattr(value, "__name__")
