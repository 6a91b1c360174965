"""A body → the JSON in it: one document, or some one after another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import orjson

from plumbline.errors import InvalidJSON
from plumbline.wire.tensor_bodies import FORM

GZIP = b"\x1f\x8b"
"""How gzip's data begin, which are no JSON."""


def from_json(text: bytes, what: str) -> Any:
    """The document. Raises `InvalidJSON`, which names it as `what`."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        if text.startswith(GZIP):
            raise InvalidJSON(
                f"{what} is gzip-compressed data; say so in the header Content-Encoding: gzip."
            ) from exc
        raise InvalidJSON(f"{what} is not valid JSON: {exc}. {FORM}") from exc


def from_jsons(body: bytes) -> list[Any]:
    """All documents of a body, at least one. Raises `InvalidJSON`."""
    try:
        return [from_json(body, "The body")]
    except InvalidJSON:
        with suppress(RecursionError, ValueError):
            if documents := list(one_after_another(body.decode())):
                return documents
        raise


def one_after_another(text: str) -> Iterator[Any]:
    """Documents with nothing but white space between them. Raises `ValueError`."""
    decoder, rest = json.JSONDecoder(parse_constant=refused), text.strip()
    place = 0
    while place < len(rest):
        document, place = decoder.raw_decode(rest, place)
        yield document
        while rest[place : place + 1].isspace():
            place += 1


def refused(constant: str) -> Any:
    """NaN and Infinity are no JSON. Raises `ValueError`."""
    raise ValueError(constant)
