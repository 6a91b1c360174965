"""A SavedModel's own description, read without loading its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plumbline.errors import EngineError
from plumbline.signature import Signature, TensorSpec

SERVE = "serve"
"""The tag of the graph that is for serving; others are for training or for TPUs."""


def read_signatures(folder: Path) -> dict[str, Signature]:
    """Every signature by name. Raises `EngineError`."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    described = SavedModel()
    try:
        described.ParseFromString((folder / "saved_model.pb").read_bytes())
    except DecodeError as exc:
        raise EngineError(f"{folder.name}/saved_model.pb is damaged: {exc}.") from exc
    for graph in described.meta_graphs:
        if SERVE in graph.meta_info_def.tags:
            return {
                name: signature_of(definition)
                for name, definition in sorted(graph.signature_def.items())
                if is_public(name)
            }
    raise EngineError(f"{folder.name}/saved_model.pb has no graph for serving (tag {SERVE!r}).")


def is_public(name: str) -> bool:
    """Whether a signature is one to call; TensorFlow keeps notes of its own under others."""
    return not name.startswith("__")


def signature_of(definition: Any) -> Signature:
    """A signature in our words, its inputs and outputs in the order of their names."""
    return Signature(
        tuple(describe(name, info) for name, info in sorted(definition.inputs.items())),
        tuple(describe(name, info) for name, info in sorted(definition.outputs.items())),
    )


def describe(name: str, info: Any) -> TensorSpec:
    """A tensor of a signature. Raises `EngineError` where its number of axes is not known."""
    import tensorflow as tf

    shape = tf.TensorShape(info.tensor_shape)
    if shape.rank is None:
        raise EngineError(f"The SavedModel declares no shape for {name!r}; export it with one.")
    return TensorSpec(name, tuple(shape.as_list()), tf.as_dtype(info.dtype).name)
