"""A picture as JSON has it: in base64, by its link, or as a plain text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from plumbline.errors import InvalidInstances, RequestError
from plumbline.wire.base64_texts import from_base64

LINKS = ("url", "source-ref")
"""What names a link: our own word, and that of SageMaker's augmented manifests."""


@dataclass(frozen=True)
class Link:
    """A picture that is to be fetched."""

    url: str


@dataclass(frozen=True)
class Text:
    """A text beside pictures, `what` it is called in an error.

    Where the model's input is numbers it is a picture in base64, where it is texts itself.
    """

    text: str
    what: str


Item: TypeAlias = bytes | Link | Text | RequestError
"""A picture's bytes, or where they are, or what may be one, or why it is none of these."""


def is_picture(row: Any) -> bool:
    """Whether an instance is a picture, in base64 or by its link."""
    return isinstance(row, dict) and any(name in row for name in ("b64", *LINKS))


def to_item(what: str, row: Any) -> Item:
    """The picture of `{"b64": "…"}` or `{"url": "…"}`; `what` it is called in an error."""
    if isinstance(row, str):
        return Text(row, what)
    link = next((row[name] for name in LINKS if name in row), None) if is_picture(row) else None
    if isinstance(link, str):
        return Link(link)
    text = row.get("b64") if isinstance(row, dict) else None
    if not isinstance(text, str):
        return InvalidInstances(
            f'{what} is neither {{"b64": "<a picture in base64>"}} nor '
            '{"url": "<a picture\'s link>"}.'
        )
    return in_base64(what, text)


def in_base64(what: str, text: str) -> bytes | InvalidInstances:
    """The bytes of a text, or why it stands for none."""
    try:
        return from_base64(text)
    except ValueError as exc:
        return InvalidInstances(
            f'{what}: its "b64" is no base64: {exc}. base64.b64encode(data).decode() makes it of '
            "a file's bytes."
        )
