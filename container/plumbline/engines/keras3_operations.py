"""Operators between layers (`x + y`) in what Keras 3 saved as HDF5, which it does not read itself.

There an addition has the name of the layer Add and takes its inputs in another way. Unlike those of
a layer, its settings don't say whether it is trained.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from typing import Any

from plumbline.archive.keras_config import Config, inner, text

PREFIX = "Operation>"

SETTINGS = "settings"

PLACES = ("numpy", "math", "nn", "core", "image", "linalg")
"""The parts of `keras.ops` in which a name is looked for."""


def translated(config: Config) -> tuple[Config, dict[str, Any]]:
    """The config with names of their own for operations, and what these names stand for."""
    found: dict[str, Any] = {}
    return renamed(config, found), found


def renamed(value: Any, found: dict[str, Any]) -> Any:
    """The same value with such names in it; `found` learns what they stand for."""
    if isinstance(value, list):
        return [renamed(each, found) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {key: renamed(each, found) for key, each in value.items()}
    if is_operation(value) and (known := operation(text(value, "class_name"))):
        changed["class_name"] = PREFIX + text(value, "class_name")
        changed["config"] = {"name": inner(value)["name"], SETTINGS: json.dumps(inner(value))}
        found[changed["class_name"]] = builder(known)
    return changed


def builder(known: Any) -> Any:
    """What Keras takes for a class; it gives the operation its own settings.

    Keras would lose an `axis` of several numbers on the way.
    """

    class Built:
        @classmethod
        def from_config(cls, config: Config) -> Any:
            return known.from_config(json.loads(config[SETTINGS]))

    return Built


def is_operation(entry: Mapping[str, Any]) -> bool:
    """Whether an object of the config is a step of the network, and no layer."""
    if "inbound_nodes" not in entry or "module" in entry:
        return False
    return "name" in inner(dict(entry)) and "trainable" not in inner(dict(entry))


def operation(name: str) -> Any:
    """Keras's class of that name, None where there is none."""
    from keras.src.ops.operation import Operation

    for place in PLACES:
        module = importlib.import_module(f"keras.src.ops.{place}")
        known = getattr(module, name, None)
        if isinstance(known, type) and issubclass(known, Operation):
            return known
    return None
