"""The nodes and functions of a SavedModel's graph, as its file has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from plumbline.archive.saved_model import Message, entries, message, text, varint

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
"""What calls a function with its own inputs, in their order."""

FUNCTIONAL = CALLS | {
    "BatchFunction", "Case", "For", "If", "MapDefun", "StatelessCase", "StatelessIf",
    "StatelessWhile", "SymbolicGradient", "While", "XlaCallModule", "XlaIf", "XlaReduce",
    "XlaReduceWindow", "XlaScatter", "XlaSelectAndScatter", "XlaVariadicReduce",
    "XlaVariadicReduceV2", "XlaVariadicSort", "XlaWhile", "_If", "_While",
}  # fmt: skip
"""The operations that call functions."""


@dataclass(frozen=True)
class Node:
    """A step of the graph; `ops` are several only in a file that somebody has forged."""

    name: str
    ops: tuple[str, ...]
    inputs: tuple[str, ...]
    fields: Message

    @classmethod
    def of(cls, fields: Message) -> Node:
        """Read it."""
        inputs = tuple(map(text, fields[3]))
        return cls("".join(map(text, fields[1])), tuple(map(text, fields[2])), inputs, fields)

    def attributes(self) -> Iterator[tuple[str, Message]]:
        """Its settings by name."""
        return entries(self.fields[5])

    def called(self, functions: Mapping[str, Function]) -> Iterator[str]:
        """The functions that it calls."""
        yield from (op for op in self.ops if op in functions)
        if FUNCTIONAL.intersection(self.ops):
            for _, value in self.attributes():
                yield from functions_in(value)


@dataclass(frozen=True)
class Function:
    """A function of the library."""

    nodes: tuple[Node, ...]
    arguments: tuple[str, ...]
    stands_in: bool
    """Whether TensorFlow may call it in the stead of another."""

    @classmethod
    def named(cls, fields: Message) -> tuple[str, Function]:
        """Read it, and its name."""
        head = message(b"".join(fields[1]))
        arguments = tuple("".join(map(text, message(one)[1])) for one in head[2])
        nodes = tuple(Node.of(message(one)) for one in fields[3])
        stands_in = any(name.startswith("api_") for name, _ in entries(fields[5]))
        return "".join(map(text, head[1])), cls(nodes, arguments, stands_in)


@dataclass(frozen=True)
class Call:
    """A node that calls a function, and the function that it lies in; "" for the graph itself."""

    scope: str
    node: Node


@dataclass
class Reach:
    """What is run for some nodes: those of the graph itself, and the functions."""

    nodes: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)

    def holds(self, call: Call) -> bool:
        """Whether a node is among them."""
        return call.scope in self.functions if call.scope else call.node.name in self.nodes


def shared_name(name: str, nodes: Sequence[Node]) -> str:
    """The name by which a variable is shared: its own where it says no other."""
    said = [
        text(one)
        for node in nodes
        for key, value in node.attributes()
        if key == "shared_name"
        for one in value[2]
    ]
    return "".join(said) or name


def functions_in(value: Message) -> Iterator[str]:
    """The functions that a setting names, those in its lists and in their own settings too."""
    lists = [message(one) for one in value[1]]
    for one in [*value[10], *(one for found in lists for one in found[9])]:
        named = message(one)
        yield from map(text, named[1])
        for _, inner in entries(named[2]):
            yield from functions_in(inner)


def tensor_names(info: Message) -> Iterator[str]:
    """The tensors of an output: one, the three of a sparse one, or those of a composite."""
    yield from map(text, info[1])
    for sparse in map(message, info[4]):
        yield from (text(name) for number in (1, 2, 3) for name in sparse[number])
    for composite in map(message, info[5]):
        for one in composite[2]:
            yield from tensor_names(message(one))


def node_of(tensor: str) -> str:
    """The node of a tensor's name, or of a control input's."""
    return tensor.lstrip("^").partition(":")[0]


def packed(fields: list[memoryview]) -> Iterator[int]:
    """The small numbers of a field that holds several."""
    for data in fields:
        place = 0
        while place < len(data):
            value, place = varint(data, place)
            yield value
