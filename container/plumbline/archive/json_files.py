"""The JSON of an archive's files, which may be anything, parsed within bounds."""

from __future__ import annotations

import json
from typing import Any

from plumbline.errors import ArchiveError

LARGEST_JSON = 64 * 1024**2
"""Bytes."""

MOST_VALUES = 2_000_000
"""Of a JSON file: so many take a few hundred megabytes of memory, and no model has them."""


def parse_json(text: str | bytes, name: str, wrong: str = "is not valid JSON") -> Any:
    """The document in a JSON file of an archive. Raises `ArchiveError`; `wrong` says of what."""
    data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    if len(data) > LARGEST_JSON or sum(map(data.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ArchiveError(
            f"{name} holds more than {MOST_VALUES:,} values or {LARGEST_JSON:,} bytes of JSON."
        )
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ArchiveError(f"{name} {wrong}.") from exc
