"""Graphs that somebody has forged, byte by byte, so that a reader sees less than TensorFlow."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest
from test_saved_model_file import entry, field, varint

from plumbline.archive.graph_operations import check
from plumbline.errors import EngineError, UnsafeModel


def node(name: str, op: str, *inputs: str, **functions: str) -> bytes:
    """A NodeDef; the functions that it calls by the names of its settings."""
    settings = b"".join(
        field(5, entry(key, field(10, field(1, called)))) for key, called in functions.items()
    )
    named = b"".join(field(3, one) for one in inputs)
    return field(1, name) + field(2, op) + named + settings


def function(name: str, *nodes: bytes, more: bytes = b"") -> bytes:
    """A FunctionDef."""
    return field(1, field(1, name)) + b"".join(field(3, one) for one in nodes) + more


def meta(
    *nodes: bytes, functions: tuple[bytes, ...] = (), tags: str = "serve", more: bytes = b""
) -> bytes:
    """A MetaGraphDef whose only signature answers by the node `y`."""
    library = field(2, b"".join(field(1, one) for one in functions))
    graph = b"".join(field(1, one) for one in nodes) + library
    signature = field(5, entry("serving_default", field(2, entry("y", field(1, "y:0")))))
    return field(2, field(1, field(4, tags)) + field(2, graph) + signature + more)


def write(folder: Path, data: bytes) -> Path:
    (folder / "saved_model.pb").write_bytes(data)
    return folder


READS = node("bad", "ReadFile")
CALLS = node("y", "StatefulPartitionedCall", f="f")

REFUSED = {
    "an input": meta(node("y", "Identity", "bad:0"), READS),
    "a control input": meta(node("y", "Const", "^bad"), READS),
    "a function": meta(CALLS, functions=(function("f", READS),)),
    "a function of a function": meta(
        CALLS,
        functions=(
            function("f", node("x", "While", body="g")),
            function("g", READS),
        ),
    ),
    "a function by its own name": meta(node("y", "f"), functions=(function("f", READS),)),
    "a function that stands in for another": meta(
        node("y", "Const"), functions=(function("f", READS, more=field(5, entry("api_x", b""))),)
    ),
    "a function of a Python object": meta(
        node("y", "Const"),
        functions=(function("f", READS),),
        more=field(7, field(2, entry("f", b""))),
    ),
    "a second name of the operation": meta(node("y", "Const") + field(2, "ReadFile")),
    "a second graph": meta(node("y", "Const"), more=field(2, field(1, node("y", "ReadFile")))),
    "what is run once": meta(
        node("y", "Const"),
        READS,
        more=field(4, entry("saved_model_main_op", field(1, field(1, "bad")))),
    ),
    "what restores the weights": meta(node("y", "Const"), READS, more=field(3, field(3, "bad"))),
    "an operation that nobody knows": meta(node("y", "ReadFile2")),
    "no graph for serving alone": meta(node("y", "ReadFile"), tags="gpu"),
}


@pytest.mark.parametrize("way", list(REFUSED))
def test_whatever_way_leads_to_it_it_is_found(tmp_path: Path, way: str) -> None:
    with pytest.raises(UnsafeModel, match="ReadFile"):
        check(write(tmp_path, REFUSED[way]))


def test_what_nothing_runs_may_be_there(tmp_path: Path) -> None:
    check(write(tmp_path, meta(node("y", "Const"), READS, functions=(function("f", READS),))))


DAMAGED = {
    "a field with two forms": node("y", "Const") + varint(2 << 3) + varint(7),
    "a number of a field that TensorFlow cuts off": (
        node("y", "Const") + varint((1 << 32) | (2 << 3) | 2) + varint(8) + b"ReadFile"
    ),
    "a function that is not there": CALLS,
}


@pytest.mark.parametrize("damage", list(DAMAGED))
def test_what_readers_would_take_otherwise_is_damaged(tmp_path: Path, damage: str) -> None:
    with pytest.raises(EngineError, match="is damaged"):
        check(write(tmp_path, meta(DAMAGED[damage])))


def test_another_form_of_the_file_hides_nothing(tmp_path: Path) -> None:
    """TensorFlow would read that one, and not the file beside it."""
    (tmp_path / "saved_model.cpb").touch()
    with pytest.raises(EngineError, match=r"saved_model\.cpb"):
        check(write(tmp_path, meta(node("y", "Const"))))


def nested(depth: int) -> bytes:
    """A setting within a setting, and so on."""
    inner = b""
    for _ in range(depth):
        inner = field(10, field(1, "f") + field(2, entry("f", inner)))
    return inner


def test_settings_without_end_are_damage(tmp_path: Path) -> None:
    call = node("y", "PartitionedCall") + field(5, entry("f", nested(2000)))
    with pytest.raises(EngineError, match="is damaged"):
        check(write(tmp_path, meta(call, functions=(function("f", node("x", "Const")),))))


def test_calls_that_double_again_and_again_are_followed_once(tmp_path: Path) -> None:
    """The file's name goes through forty functions, each of which is called twice."""
    read = node("t", "InitializeTableFromTextFileV2", "x", "x")
    functions = [argument("f0", read)]
    for number in range(1, 40):
        calls = [call(f"c{n}", f"f{number - 1}", "x") for n in range(2)]
        functions.append(argument(f"f{number}", *calls))
    nodes = (call("y", "f39", "name"), node("name", "Const"))
    with pytest.raises(UnsafeModel, match="InitializeTableFromTextFileV2"):
        check(write(tmp_path, meta(*nodes, functions=tuple(functions))))


def call(name: str, called: str, given: str) -> bytes:
    return node(name, "PartitionedCall", given, f=called)


def argument(name: str, *nodes: bytes) -> bytes:
    """A function of one argument, `x`."""
    head = field(1, field(1, name) + field(2, field(1, "x")))
    return head + b"".join(field(3, one) for one in nodes)


@pytest.mark.parametrize("seed", range(40))
def test_twenty_changed_bytes_are_read_or_told(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(REFUSED["a function of a function"] + REFUSED["what is run once"])
    for _ in range(20):
        data[chance.randrange(len(data))] = chance.randrange(256)
    with suppress(EngineError, UnsafeModel):
        check(write(tmp_path, bytes(data)))
