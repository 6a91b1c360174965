"""Values → TOML, for declarations that are printed to be pasted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

BARE = re.compile("[A-Za-z0-9_-]+")


def toml_value(value: Any) -> str:
    """A text, number, truth value, list or table on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key(k)} = {toml_value(item)}" for k, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)


def key(name: str) -> str:
    """A key, in quotes where TOML wants them."""
    return name if BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def toml_table(name: str, values: Mapping[str, Any]) -> str:
    """A `[name]` table, a line for each key, the equals signs aligned."""
    width = max(map(len, values), default=0)
    lines = [f"{name:{width}} = {toml_value(value)}" for name, value in values.items()]
    return "\n".join([f"[{name}]", *lines])
