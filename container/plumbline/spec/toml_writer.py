"""Values → TOML, for declarations that are printed to be pasted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def toml_value(value: Any) -> str:
    """A text, number, truth value, list or table on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)


def toml_table(name: str, values: Mapping[str, Any]) -> str:
    """A `[name]` table, a line for each key, the equals signs aligned."""
    width = max(map(len, values), default=0)
    lines = [f"{key:{width}} = {toml_value(value)}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines])
