"""Content-Types: what each is called here, and what the bytes say where one says nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from plumbline.errors import UnsupportedContentType
from plumbline.vision.images import describe

PICTURE = "application/x-image"
"""A picture of any format."""

OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("image/jpg", "image/pjpeg"), "image/jpeg"),
        "image/x-png": "image/png",
        **dict.fromkeys(("image/x-bmp", "image/x-ms-bmp"), "image/bmp"),
        "image/tif": "image/tiff",
        "binary/octet-stream": "application/octet-stream",
        **dict.fromkeys(
            (
                *("application/x-ndjson", "application/ndjson", "application/jsonl"),
                *("application/json-lines", "application/x-jsonlines"),
            ),
            "application/jsonlines",
        ),
    }
)
"""Names that are in use → those of the same here. S3 calls what it knows nothing of binary."""

UNSAID = ("", "application/x-www-form-urlencoded")
"""No type, and the one that curl sends by itself."""

VAGUE = (*UNSAID, "application/octet-stream", PICTURE)
"""Types that don't say what it is: the bytes do."""

FORM = "multipart/form-data"

JSON_BEGINS = re.compile(
    rb'\s*(\{\s*"(instances|inputs|examples|context|signature_name|b64|url|source-ref)"\s*:'
    rb"|\[\s*[\[{])"
)
"""JSON that is a request; any other may be what a model of texts takes."""

LOOK = 1024
"""Bytes at the beginning that are looked at."""

HINT = (
    "Send the file itself as the body, with its type: "
    "curl --data-binary @cat.jpg -H 'Content-Type: image/jpeg'"
)


def media_type(content_type: str) -> str:
    """A Content-Type without its parameters, by the name that it has here."""
    said = content_type.partition(";")[0].strip().lower()
    return OTHER_NAMES.get(said, said)


def meant(kind: str, body: bytes) -> str:
    """The media type, or what the bytes say where it is a vague one and they are plain."""
    return (of_bytes(body) or kind) if kind in VAGUE else kind


def of_bytes(body: bytes) -> str | None:
    """The media type of what plainly is a picture, NumPy's array or a request in JSON."""
    if JSON_BEGINS.match(body[:LOOK]):
        return "application/json"
    what = describe(body[:LOOK])
    if what == "a NumPy array":
        return "application/x-npy"
    return PICTURE if is_picture(what) or what.endswith("in base64") else None


def is_picture(what: str) -> bool:
    """Whether a description is of a picture's own bytes."""
    return what.endswith(" picture")


def unsupported(kind: str, readable: Iterable[str]) -> UnsupportedContentType:
    """The error for a media type that is not one of those that are read."""
    if kind == FORM:
        return UnsupportedContentType(
            f"{kind} is a form with the file inside, as curl -F sends it. {HINT}."
        )
    said = f"Content-Type {kind!r} is not" if kind else "There is no Content-Type"
    verb = "read here" if kind else "header"
    return UnsupportedContentType(f"{said} {verb}; send one of {', '.join(readable)}.")
