"""Hyperparameters as texts: what SDK v2, SDK v3 and boto3 make of a value, undone."""

from __future__ import annotations

import json
from typing import Any


def decoded(value: Any) -> Any:
    """The value as a script gets it: JSON where it is some, the text as it is elsewhere."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def text_of(value: Any) -> str:
    """The value as the user wrote it: without the quotes that SDK v2 puts around texts.

    A value that went through two SDKs has two pairs of them.
    """
    while isinstance(value, str):
        inner = decoded(value)
        if not isinstance(inner, str) or inner == value:
            return value
        value = inner
    return json.dumps(value)
