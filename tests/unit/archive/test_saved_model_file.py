"""The description of a SavedModel, read from bytes that may be anything."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.archive.saved_model import read_signatures
from plumbline.errors import EngineError
from plumbline.signature import Signature, TensorSpec
from strategies import nasty


def field(number: int, value: int | bytes | str) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    """A number of 64 bits, seven bits a byte."""
    value &= (1 << 64) - 1
    *rest, last = [value >> shift & 127 for shift in range(0, max(1, value.bit_length()), 7)]
    return bytes([*(byte | 128 for byte in rest), last])


def tensor(dtype: int, *lengths: int) -> bytes:
    """A TensorInfo."""
    axes = b"".join(field(2, field(1, length)) for length in lengths)
    return field(1, "place:0") + field(2, dtype) + field(3, axes)


def entry(name: str, value: bytes) -> bytes:
    """An entry of a map."""
    return field(1, name) + field(2, value)


def graph(tag: str, **signatures: bytes) -> bytes:
    """A MetaGraphDef with a tag."""
    named = b"".join(field(5, entry(name, one)) for name, one in signatures.items())
    return field(2, field(1, field(4, tag)) + field(2, field(1, field(1, "add"))) + named)


def read(data: bytes) -> dict[str, Signature]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "saved_model.pb").write_bytes(data)
        return read_signatures(Path(folder))


DEFAULT = (
    field(1, entry("image", tensor(1, -1, 8, 8, 3)))
    + field(2, entry("scores", tensor(1, -1, 4)))
    + field(2, entry("label", tensor(7, -1)))
    + field(3, "tensorflow/serving/predict")
)


def test_signatures_of_the_graph_for_serving() -> None:
    data = field(1, 1) + graph("train", other=DEFAULT)
    data += graph("serve", serving_default=DEFAULT, __note=DEFAULT)
    assert read(data) == {
        "serving_default": Signature(
            (TensorSpec("image", (None, 8, 8, 3), "float32"),),
            (TensorSpec("label", (None,), "string"), TensorSpec("scores", (None, 4), "float32")),
        )
    }


def test_a_tensor_without_axes() -> None:
    data = graph("serve", one=field(2, entry("count", field(2, 9))))
    assert read(data)["one"].outputs == (TensorSpec("count", (), "int64"),)


def test_a_tensor_of_any_shape() -> None:
    data = graph("serve", one=field(1, entry("x", field(2, 1) + field(3, field(3, 1)))))
    found = read(data)["one"]
    assert found == Signature((TensorSpec("x", (), "float32", loose=True),), (), "")
    assert str(found.input()) == "x: float32 of any shape"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (graph("train", one=DEFAULT), "no graph for serving"),
        (b"", "is empty: copy the whole folder"),
        (graph("serve", one=DEFAULT)[:-1], "damaged: a field is longer"),
        (graph("serve", one=field(1, entry("x", tensor(99, 1)))), "declares no dtype for 'x'"),
    ],
)
def test_what_can_not_be_read(data: bytes, reason: str) -> None:
    with pytest.raises(EngineError, match=reason):
        read(data)


@nasty
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(EngineError):
        assert isinstance(read(data), dict)


@nasty
@given(st.integers(0, len(graph("serve", one=DEFAULT)) - 1), st.integers(0, 255))
def test_a_damaged_file_is_read_or_refused(place: int, byte: int) -> None:
    data = bytearray(graph("serve", one=DEFAULT))
    data[place] = byte
    with suppress(EngineError):
        assert isinstance(read(bytes(data)), dict)
