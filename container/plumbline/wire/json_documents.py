"""A body → the JSON in it: one document, or some one after another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import orjson

from plumbline.errors import BodyTooLarge, InvalidJSON
from plumbline.wire.tensor_bodies import FORM

GZIP = b"\x1f\x8b"
"""How gzip's data begin, which are no JSON."""

MEBIBYTE = 1024 * 1024

VALUE, LIST, OBJECT, TEXT = 32, 64, 240, 56
"""Bytes that a number or a place in a list takes, and an empty list, an object, a text."""

MOST_A_LETTER = 128
"""What a letter of a text can come to, at most: as empty objects in a list do."""


def check_memory(text: bytes, most: int) -> None:
    """Raise `BodyTooLarge` if the values of a JSON text would take more memory than `most`.

    They are counted, not parsed: 25 MB of empty lists are a gigabyte in memory.
    """
    if MOST_A_LETTER * len(text) > most and (size := memory_of(text)) > most:
        raise BodyTooLarge(
            f"The JSON holds so many values that they would take {size / MEBIBYTE:,.0f} MiB of "
            f"memory; {most / MEBIBYTE:,.0f} are left for one request. Send fewer instances at "
            "once, or the numbers as application/x-npy."
        )


def memory_of(text: bytes) -> int:
    """Bytes of memory that the values of a JSON text take, about and at most."""
    counted = ((b",", VALUE), (b"[", LIST), (b"{", OBJECT), (b'"', TEXT // 2))
    return len(text) + sum(size * text.count(sign) for sign, size in counted)


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
