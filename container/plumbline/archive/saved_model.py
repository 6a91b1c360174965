"""A SavedModel's own description, read from its file: without its weights, and without TensorFlow.

The file is a protocol buffer, of which the messages around signatures are read: a message is a row
of numbered fields, each a whole number or some bytes, which may be a message again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from plumbline.archive.damage import told
from plumbline.errors import EngineError
from plumbline.signature import TEXT, Signature, TensorSpec

SERVE = "serve"
"""The tag of the graph that is for serving; others are for training or for TPUs."""

Message = Mapping[int, list[memoryview]]
"""The bytes of each field that has some, by the field's number; those of a number as it stands."""

DTYPES: Mapping[int, str] = MappingProxyType(
    {
        1: "float32",
        2: "float64",
        3: "int32",
        4: "uint8",
        5: "int16",
        6: "int8",
        7: TEXT,
        8: "complex64",
        9: "int64",
        10: "bool",
        11: "qint8",
        12: "quint8",
        13: "qint32",
        14: "bfloat16",
        15: "qint16",
        16: "quint16",
        17: "uint16",
        18: "complex128",
        19: "float16",
        20: "resource",
        21: "variant",
        22: "uint32",
        23: "uint64",
    }
)
"""TensorFlow's numbers of dtypes (`tensorflow/core/framework/types.proto`)."""

MOST_FIELDS = 1_000_000
"""Of one message: a graph has one for each of its nodes."""

FROZEN = (
    "a frozen graph of TensorFlow 1, not a SavedModel: it does not say which tensors are its "
    "inputs and outputs. Read it with tf.compat.v1.GraphDef.FromString, import it with "
    "tf.import_graph_def, and export it with tf.compat.v1.saved_model.simple_save(session, "
    "folder, {'image': input tensor}, {'scores': output tensor})"
)
"""What a lone graph is, and what makes a SavedModel of it."""

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5
"""How a field is written."""


def read_signatures(folder: Path) -> dict[str, Signature]:
    """Every signature by name. Raises `EngineError`."""
    with told_of_damage(folder):
        return dict(sorted(signatures_in(serving_graph(folder))))


def serving_graph(folder: Path) -> Message:
    """The graph that is for serving. Raises `EngineError`."""
    with told_of_damage(folder):
        with told(f"{folder.name}/saved_model.pb", "the system"):
            read = (folder / "saved_model.pb").read_bytes()
        if not read:
            raise EngineError(
                f"{folder.name}/saved_model.pb is empty: copy the whole folder that export() or "
                "save() wrote."
            )
        data = message(read)
        if is_frozen(data):
            raise EngineError(f"{folder.name}/saved_model.pb is {FROZEN}.")
        graphs = [message(graph) for graph in data[2]]
        tagged = [tags_of(graph) for graph in graphs]
        for wanted in ([SERVE], *(tags for tags in tagged if SERVE in tags)):
            if wanted in tagged:
                return graphs[tagged.index(wanted)]
    if tagged == [[]]:
        return graphs[0]
    there = "; ".join(", ".join(map(repr, tags)) or "none" for tags in tagged)
    raise EngineError(
        f"{folder.name}/saved_model.pb has no graph for serving (tag {SERVE!r}); the tags of its "
        f"graphs are: {there or 'none'}. Write the intended one again: "
        f"model = tf.saved_model.load({folder.name!r}, {(tagged or [[]])[0]!r}); "
        "tf.saved_model.save(model, 'saved_model', model.signatures)."
    )


def is_frozen(data: Message) -> bool:
    """Whether it is a graph alone: its first field is a node, not the version of a SavedModel."""
    first = data[1][0] if data[1] else memoryview(b"")
    try:
        node = message(first)
        return len(first) > 10 and text(node[2][-1]).isidentifier()
    except (ValueError, IndexError):
        return False


def serving_tags(folder: Path) -> list[str]:
    """The tags of the graph that is for serving. Raises `EngineError`."""
    with told_of_damage(folder):
        return tags_of(serving_graph(folder))


def no_signature(name: str, there: Iterable[str]) -> EngineError:
    """The error for a SavedModel without the signature that the spec names."""
    names = sorted(each for each in there if is_public(each))
    if not names:
        return EngineError(
            "The SavedModel has no signatures, so its inputs are not known: it was "
            "saved without them. Where it was made, give it one: tf.saved_model.save(module, "
            "folder, signatures=module.function.get_concrete_function(tf.TensorSpec([None, 224, "
            "224, 3]))); of a Keras model, model.export(folder)."
        )
    return EngineError(
        f"The SavedModel has no signature {name!r}; it has {', '.join(map(repr, names))}. "
        f'Set [model] signature in plumbline.toml: signature = "{names[0]}", say.'
    )


@contextmanager
def told_of_damage(folder: Path) -> Iterator[None]:
    """Raise `EngineError` for what is no protocol buffer."""
    try:
        yield
    except (ValueError, IndexError, RecursionError) as exc:
        raise EngineError(
            f"{folder.name}/saved_model.pb is damaged: {exc}. Copy "
            "the whole folder that export() or save() wrote."
        ) from exc


def is_public(name: str) -> bool:
    """Whether a signature is one to call; TensorFlow keeps notes of its own under others."""
    return not name.startswith("__")


def tags_of(graph: Message) -> list[str]:
    """What a graph is for."""
    return [text(tag) for info in graph[1] for tag in message(info)[4]]


def signatures_in(graph: Message) -> Iterator[tuple[str, Signature]]:
    """The signatures of a graph, their inputs and outputs in the order of their names."""
    fed = placeholders(graph)
    for name, definition in entries(graph[5]):
        if is_public(name):
            inputs, outputs = (sorted(entries(definition[field])) for field in (1, 2))
            yield (
                name,
                Signature(
                    tuple(as_fed(tensor(*entry), entry[1], fed) for entry in inputs),
                    tuple(tensor(*entry) for entry in outputs),
                    text(definition[3][-1]) if definition[3] else "",
                ),
            )


def placeholders(graph: Message) -> dict[str, str]:
    """The dtype of each placeholder, by the name of its tensor."""
    found = {}
    for data in (node for definition in graph[2] for node in message(definition)[1]):
        node = message(data)
        if node[2] and text(node[2][-1]).startswith("Placeholder"):
            types = [value[6] for key, value in entries(node[5]) if key == "dtype"]
            if types and types[0]:
                found[f"{text(node[1][-1])}:0"] = DTYPES.get(whole(types[0][-1]), "")
    return found


def as_fed(spec: TensorSpec, info: Message, fed: Mapping[str, str]) -> TensorSpec:
    """An input with the dtype that the graph takes, whatever the signature says."""
    return replace(spec, dtype=fed.get(text(info[1][-1]) if info[1] else "") or spec.dtype)


def tensor(name: str, info: Message) -> TensorSpec:
    """A tensor of a signature; `loose` where its number of axes is not known.

    Raises `EngineError` where its dtype is not.
    """
    shape = message(info[3][-1]) if info[3] else message(memoryview(b""))
    axes = (message(axis)[1] for axis in shape[2])
    lengths = (whole(length[-1]) if length else 0 for length in axes)
    dtype = DTYPES.get(whole(info[2][-1]) if info[2] else 0)
    if dtype is None:
        raise EngineError(f"The SavedModel declares no dtype for {name!r}; export it again.")
    known = tuple(None if length < 0 else length for length in lengths)
    return TensorSpec(name, known, dtype, loose=any(whole(flag) for flag in shape[3]))


def entries(fields: list[memoryview]) -> Iterator[tuple[str, Message]]:
    """The entries of a map from texts to messages."""
    for entry in map(message, fields):
        yield text(entry[1][-1]) if entry[1] else "", message(b"".join(entry[2]))


def text(data: memoryview) -> str:
    """A field of text."""
    return str(data, "utf-8")


def whole(data: memoryview) -> int:
    """A field of a whole number, 64 bits with a sign."""
    value, _ = varint(data, 0)
    return value - (1 << 64) if value >> 63 else value


def message(data: memoryview | bytes) -> Message:
    """The fields of a message. Raises `ValueError` or `IndexError` where it is none."""
    found: defaultdict[int, list[memoryview]] = defaultdict(list)
    kinds: dict[int, int] = {}
    data, place, count = memoryview(data), 0, 0
    while place < len(data):
        tag, place = varint(data, place)
        start, end = span(data, place, tag & 7)
        if end > len(data):
            raise ValueError("a field is longer than the file")
        # TensorFlow passes over fields that are written otherwise; here they must not hide one.
        if tag >> 32 or kinds.setdefault(tag >> 3, tag & 7) != tag & 7:
            raise ValueError("a field is written in a way that no SavedModel has")
        found[tag >> 3].append(data[start:end])
        count += 1
        if count > MOST_FIELDS:
            raise ValueError("it has more fields than any model")
        place = end
    return found


def span(data: memoryview, place: int, kind: int) -> tuple[int, int]:
    """Where the field at `place` starts and ends."""
    if kind == VARINT:
        return place, varint(data, place)[1]
    if kind == BYTES:
        length, start = varint(data, place)
        return start, start + length
    if kind in (EIGHT_BYTES, FOUR_BYTES):
        return place, place + (8 if kind == EIGHT_BYTES else 4)
    raise ValueError(f"a field is written in a way ({kind}) that no SavedModel has")


def varint(data: memoryview, place: int) -> tuple[int, int]:
    """The number that is written from `place` on, seven bits a byte, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("a number is of more than 64 bits")
