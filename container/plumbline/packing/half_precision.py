"""A SavedModel that was trained in mixed precision → the same graph in float32 arithmetic.

Its weights are float32 already; half precision is only what the graph computes in. Runs where
TensorFlow is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

HALF = ("DT_HALF", "DT_BFLOAT16", "TFT_HALF", "TFT_BFLOAT16")
"""What TensorFlow's enumerations call half precision."""

SPOKEN = {"HALF": "float16", "BFLOAT16": "bfloat16"}

VARIABLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})

COMPILED = frozenset({"XlaCallModule", "TPUPartitionedCall"})
"""What holds a program of its own, whose types stand elsewhere."""


def in_float32(folder: Path) -> str:
    """Rewrite the SavedModel in `folder`; what to say of that, empty if it computes in float32."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel()
    model.ParseFromString(file.read_bytes())
    computing = list(computed(model))
    found = sorted({SPOKEN[half.partition("_")[2]] for each in computing for half in halves(each)})
    if not found:
        return ""
    said = " and ".join(found)
    if reason := hindrance(model):
        return f", in {said} as it was saved, because {reason}"
    for each in computing:
        rewrite(each)
    file.write_bytes(model.SerializeToString(deterministic=True))
    return f", in float32 arithmetic with the same weights, not in {said}"


def computed(model: Any) -> Iterator[Any]:
    """The parts of a SavedModel that say what is computed; others list what operations can do."""
    for graph in model.meta_graphs:
        yield graph.graph_def
        yield graph.object_graph_def
        yield from graph.signature_def.values()


def hindrance(model: Any) -> str:
    """Why the types can't be changed, empty if they can."""
    for graph in model.meta_graphs:
        inner = [
            node for function in graph.graph_def.library.function for node in function.node_def
        ]
        for node in (*graph.graph_def.node, *inner):
            if node.op in COMPILED:
                return f"it holds a compiled program ({node.op})"
            if node.op in VARIABLES and any(halves(node)):
                return f"weights are in it, too ({node.name})"
    return ""


def halves(message: Any) -> Iterator[str]:
    """The names of half precision wherever they stand in a message."""
    for field, value in message.ListFields():
        if field.enum_type is not None:
            numbers = value if is_many(field) else [value]
            names = (name_of(field, number) for number in numbers)
            yield from (name for name in names if name in HALF)
        elif field.message_type is not None:
            for each in messages(field, value):
                yield from halves(each)


def rewrite(message: Any) -> None:
    """Put float32 in the place of half precision, in types and in values."""
    if message.DESCRIPTOR.name == "TensorProto":
        widen(message)
        return
    for field, value in message.ListFields():
        if field.enum_type is not None:
            names = [name_of(field, number) for number in (value if is_many(field) else [value])]
            full = [number_of(field, name) for name in names]
            if is_many(field):
                value[:] = full
            else:
                setattr(message, field.name, full[0])
        elif field.message_type is not None:
            for each in messages(field, value):
                rewrite(each)


def widen(tensor: Any) -> None:
    """A constant's values as float32."""
    import tensorflow as tf

    if tensor.dtype in (tf.float16.as_datatype_enum, tf.bfloat16.as_datatype_enum):
        values = np.asarray(tf.make_ndarray(tensor), np.float32)
        tensor.CopyFrom(tf.make_tensor_proto(values))


def messages(field: Any, value: Any) -> list[Any]:
    """The messages in a field: one, several, or the values of a map."""
    if field.message_type.GetOptions().map_entry:
        is_message = field.message_type.fields_by_name["value"].message_type is not None
        return list(value.values()) if is_message else []
    return list(value) if is_many(field) else [value]


def is_many(field: Any) -> bool:
    """Whether a field holds several values."""
    return bool(field.is_repeated)


def name_of(field: Any, number: int) -> str:
    """What an enumeration calls a number; empty where it does not know it."""
    known = field.enum_type.values_by_number.get(number)
    return known.name if known else ""


def number_of(field: Any, name: str) -> int:
    """The number of a name, of half precision that of float32."""
    full = f"{name.partition('_')[0]}_FLOAT" if name in HALF else name
    return int(field.enum_type.values_by_name[full].number)
