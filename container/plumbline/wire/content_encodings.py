"""Content-Encoding: a body that was compressed on its way → the body."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

from plumbline.errors import MalformedBody, UnsupportedContentType

PIECE = 256 * 1024
"""Bytes that are unpacked at a time: a bomb is noticed before it has gone off."""

Unpacker: TypeAlias = Callable[[Iterable[bytes]], Iterable[bytes]]

GZIP = 16 + zlib.MAX_WBITS


def as_sent(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """The pieces themselves."""
    return pieces


def unpacked(pieces: Iterable[bytes], name: str, window: int) -> Iterator[bytes]:
    """What zlib makes of the pieces; of several streams one after another, all."""
    stream, whole = zlib.decompressobj(window), True
    for piece in pieces:
        rest, more = piece, True
        while more:
            if stream.eof:
                stream = zlib.decompressobj(window)
            try:
                made = stream.decompress(rest, PIECE)
            except zlib.error as exc:
                raise damaged(name) from exc
            yield made
            whole = stream.eof
            rest = stream.unused_data if whole else stream.unconsumed_tail
            more = bool(rest) or (len(made) == PIECE and not whole)  # zlib may hold some back
    if not whole:
        raise damaged(name)


def damaged(name: str) -> MalformedBody:
    """The error for what is not compressed so, or breaks off."""
    return MalformedBody(
        f"The body is not {name}, as its header Content-Encoding says, or it is damaged or breaks "
        "off; send it whole, or as it is and without that header."
    )


ENCODINGS: Mapping[str, Unpacker] = MappingProxyType(
    {
        **dict.fromkeys(("", "identity"), as_sent),
        **dict.fromkeys(("gzip", "x-gzip"), partial(unpacked, name="gzip", window=GZIP)),
        "deflate": partial(unpacked, name="deflate", window=zlib.MAX_WBITS),
    }
)
"""What the header may say."""


def unpacker(encoding: str) -> Unpacker:
    """What unpacks bodies of such a Content-Encoding. Raises `UnsupportedContentType`."""
    found = ENCODINGS.get(encoding.strip().lower())
    if found is None:
        raise UnsupportedContentType(
            f"Content-Encoding: {encoding} is not read here; send the body as gzip, or as it is "
            "and without that header."
        )
    return found
