"""What a user's function returns → an answer; whatever is none is refused in words."""

from __future__ import annotations

import re
from typing import Any

from plumbline.archive.handler_errors import HandlerFailed
from plumbline.wire.responses import JSON, Response

MOST_BYTES = 100 * 1024**2
"""Of an answer: what SageMaker takes of a batch."""

MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(\s*;[\x20-\x7e]*)?")

ANY = ("", "*/*")

EXPECTED = "it must return the body as str or bytes, or (body, content type)"


def answer(returned: Any, name: str, accept: str) -> Response:
    """The answer that the function `name` returned: a body, or a body and its type.

    Without a type it is of the one that was asked for. Raises `HandlerFailed`.
    """
    body, kind = returned if is_pair(returned) else (returned, None)
    data = to_bytes(body, name)
    if len(data) > MOST_BYTES:
        raise HandlerFailed(
            f"{name} returned {len(data):,} bytes, and at most {MOST_BYTES:,} are sent; return "
            "less, or the answers to fewer pictures."
        )
    return Response(data, content_type(accept if kind is None else kind, name))


def is_pair(returned: Any) -> bool:
    """Whether it is a body with its type."""
    return isinstance(returned, tuple | list) and len(returned) == 2


def to_bytes(body: Any, name: str) -> bytes:
    """A body's bytes. Raises `HandlerFailed` for what is none."""
    if isinstance(body, str):
        return body.encode(errors="replace")
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise HandlerFailed(f"{name} returned {article(body)}; {EXPECTED}.")


def article(value: Any) -> str:
    """The type of a value, as a sentence has it."""
    if value is None:
        return "nothing (None)"
    kind = type(value).__name__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


def content_type(kind: Any, name: str) -> str:
    """The Content-Type; what stands for anything is JSON. Raises `HandlerFailed`."""
    wanted = kind.split(",")[0].strip() if isinstance(kind, str) else kind
    if wanted in ANY:
        return JSON
    if not isinstance(wanted, str) or not MEDIA_TYPE.fullmatch(wanted):
        raise HandlerFailed(
            f"{name} returned a content type {kind!r:.80}, which is none; return (body, "
            f"{JSON!r}), say."
        )
    return wanted
