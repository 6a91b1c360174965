"""Compressed bodies, written by Python's own compressors."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import MalformedBody, UnsupportedContentType
from plumbline.wire.content_encodings import PIECE, unpacker

PACKED = gzip.compress(b"text", mtime=0)


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def unpacked(encoding: str, data: bytes, size: int = 1000) -> bytes:
    return b"".join(unpacker(encoding)(in_pieces(data, size)))


@given(st.binary(max_size=500), st.integers(1, 50))
def test_what_was_compressed_comes_back(data: bytes, size: int) -> None:
    assert unpacked("gzip", gzip.compress(data), size) == data
    assert unpacked("X-GZIP", gzip.compress(data) + gzip.compress(data), size) == 2 * data
    assert unpacked("deflate", zlib.compress(data), size) == data
    assert unpacked("", data, size) == unpacked(" Identity ", data, size) == data


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 5 * PIECE])
def test_large_ones_come_in_pieces(size: int) -> None:
    pieces = list(unpacker("gzip")([gzip.compress(bytes(size))]))
    assert b"".join(pieces) == bytes(size)
    assert max(map(len, pieces)) <= PIECE


def test_a_bomb_goes_off_only_as_far_as_it_is_asked_for() -> None:
    bomb = gzip.compress(bytes(10**8))
    pieces = iter(unpacker("gzip")([bomb]))
    assert len(next(iter(pieces))) <= PIECE


@pytest.mark.parametrize(
    "data", [b"nothing", PACKED[:-1], PACKED + b"x", b"\x1f"], ids=["none", "cut", "more", "begun"]
)
def test_what_is_damaged_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedBody, match="The body is not gzip, as its header Content-Encoding"):
        unpacked("gzip", data)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_others_are_refused_by_the_headers_name(encoding: str) -> None:
    with pytest.raises(UnsupportedContentType) as caught:
        unpacker(encoding)
    assert caught.value.message.startswith(f"Content-Encoding: {encoding} is not read here; ")
