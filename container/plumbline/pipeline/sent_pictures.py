"""What a request means to a model that takes no texts: the texts in it are pictures in base64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from plumbline.errors import InvalidInstances, RequestError
from plumbline.signature import TEXT, Signature
from plumbline.vision.images import describe
from plumbline.wire import picture_items
from plumbline.wire.base64_texts import decoded, from_base64, letters_of
from plumbline.wire.media_types import is_picture
from plumbline.wire.picture_items import Item, Link, Text, in_base64, to_item
from plumbline.wire.requests import Payload, Pictures, check_count
from plumbline.wire.tensor_bodies import Inputs, Instances, Lines, Unframed

LOOK = 64
"""Bytes that tell a picture."""

LONGEST = 1024
"""Characters of a text that is decoded to see what it is."""


def meant(payload: Payload, signature: Signature, most: int) -> Payload:
    """The payload, its pictures found where the model's only input holds numbers.

    Raises `InvalidInstances` for more than `most`.
    """
    name = signature.input().name
    if len(signature.inputs) > 1 or signature.input().dtype == TEXT:
        return payload
    if isinstance(payload, Pictures):
        return replace(payload, items=tuple(map(unwrapped, payload.items)))
    if isinstance(payload, Instances) and are_pictures(rows := rows_of(payload), name):
        check_count(len(rows), most)
        items = pictures_of(rows, name, "Instance {}".format, 0)
        return Pictures(items, signature_name=payload.signature_name)
    if isinstance(payload, Lines) and are_pictures(payload.rows, name):
        items = pictures_of(payload.rows, name, "Line {}".format, 1)
        return Pictures(items, lines=True, signature_name=payload.signature_name)
    return payload


def rows_of(payload: Instances) -> Sequence[Any]:
    """The rows; a list that came without `{"instances": …}` around it, if it is not of numbers."""
    rows = payload.rows
    alone = isinstance(payload, Unframed) and len(rows) == 1 and isinstance(rows[0], list)
    return rows[0] if alone else rows


def check_columns(payload: Payload, signature: Signature) -> None:
    """Raise `InvalidInstances` for pictures in columns."""
    if not isinstance(payload, Inputs) or signature.input().dtype == TEXT:
        return
    name, value = signature.input().name, payload.value
    rows = inner(value, name)
    if are_pictures(rows if isinstance(rows, list) else [rows], name):
        raise InvalidInstances(
            'Pictures are sent in rows, not in columns: {"instances": [{"b64": "…"}, …]}.'
        )


def are_pictures(rows: Sequence[Any], name: str) -> bool:
    """Whether all rows are texts or objects, and one at least is a picture; others may be bad."""
    values = [inner(row, name) for row in rows if not isinstance(row, RequestError)]
    return all(isinstance(value, str | dict) for value in values) and any(
        map(begins_as_picture, values)
    )


def inner(row: Any, name: str) -> Any:
    """What a row holds for the input `name`, where it names it."""
    return row[name] if isinstance(row, dict) and row.keys() == {name} else row


def begins_as_picture(value: Any) -> bool:
    """Whether a value is a picture as JSON has it, or begins as one in base64."""
    if isinstance(value, dict):
        return picture_items.is_picture(value)
    return isinstance(value, str) and is_picture(describe(beginning(value)))


def beginning(text: str) -> bytes:
    """What the first letters of a text in base64 stand for; empty where they are none."""
    try:
        return decoded(letters_of(text[:LONGEST])[: 4 * LOOK])
    except ValueError:
        return b""


def pictures_of(
    rows: Sequence[Any], name: str, called: Callable[[int], str], first: int
) -> tuple[Item, ...]:
    """The picture of each row, or why it is none; the first is called by the number `first`."""
    return tuple(picture_of(inner(row, name), called(n)) for n, row in enumerate(rows, first))


def picture_of(value: Any, what: str) -> Item:
    """The picture that a row is."""
    if isinstance(value, RequestError):
        return value
    return in_base64(what, value) if isinstance(value, str) else to_item(what, value)


def unwrapped(item: Item) -> Item:
    """A picture's bytes, also where they came in base64, perhaps as a text of JSON."""
    if isinstance(item, Text):
        return in_base64(item.what, item.text)
    if isinstance(item, RequestError | Link) or is_picture(describe(item[:LOOK])):
        return item
    try:
        quoted = item[:1] == b'"'
        text = orjson.loads(item) if quoted else item.decode("ascii")
        found = from_base64(text) if is_text_of_picture(text) else item
    except ValueError:
        return item
    return found


def is_text_of_picture(text: Any) -> bool:
    """Whether it is a text that begins as a picture in base64."""
    return isinstance(text, str) and begins_as_picture(text)
