"""What TensorFlow Serving tells of a model's signatures, as its JSON has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from plumbline.archive.discovery import ModelFile
from plumbline.archive.saved_model import (
    DTYPES,
    Message,
    entries,
    message,
    serving_graph,
    text,
    told_of_damage,
    whole,
)
from plumbline.engines.base import Engine
from plumbline.signature import Signature, TensorSpec

OTHERWISE: Mapping[str, str] = MappingProxyType(
    {"float32": "FLOAT", "float64": "DOUBLE", "float16": "HALF"}
)
"""The dtypes whose names in protocol buffers are not those that NumPy gives them."""


def signature_defs(model: ModelFile, name: str, engine: Engine) -> dict[str, Any]:
    """All signatures by name; of a Keras file those that its engine has, the chosen one `name`."""
    if model.kind == "saved_model":
        return of_saved_model(model.path)
    engines = {name: engine, **engine.others}
    return {name: of_signature(each.signature) for name, each in sorted(engines.items())}


def of_saved_model(folder: Path) -> dict[str, Any]:
    """What the file says. Raises `EngineError`."""
    with told_of_damage(folder):
        graph = serving_graph(folder)
        return {name: definition(found) for name, found in sorted(entries(graph[5]))}


def definition(found: Message) -> dict[str, Any]:
    """One signature."""
    inputs, outputs = (
        {name: tensor_info(info) for name, info in sorted(entries(found[field]))}
        for field in (1, 2)
    )
    method = text(found[3][-1]) if found[3] else ""
    return {"inputs": inputs, "outputs": outputs, "method_name": method}


def tensor_info(info: Message) -> dict[str, Any]:
    """A tensor of a signature."""
    shape = message(b"".join(info[3]))
    axes = [message(axis) for axis in shape[2]]
    return {
        "dtype": dtype_name(DTYPES.get(whole(info[2][-1]) if info[2] else 0, "invalid")),
        "tensor_shape": {
            "dim": [
                {
                    "size": str(whole(axis[1][-1]) if axis[1] else 0),
                    "name": text(axis[2][-1]) if axis[2] else "",
                }
                for axis in axes
            ],
            "unknown_rank": any(whole(flag) for flag in shape[3]),
        },
        "name": text(info[1][-1]) if info[1] else "",
    }


def of_signature(signature: Signature) -> dict[str, Any]:
    """A signature that lies in no file; the graph's names for its tensors are not known."""
    return {
        "inputs": described(signature.inputs),
        "outputs": described(signature.outputs),
        "method_name": signature.method,
    }


def described(tensors: Iterable[TensorSpec]) -> dict[str, Any]:
    """Tensors by name."""
    return {
        spec.name: {
            "dtype": dtype_name(spec.dtype),
            "tensor_shape": {
                "dim": [
                    {"size": str(-1 if length is None else length), "name": ""}
                    for length in spec.shape
                ],
                "unknown_rank": False,
            },
            "name": "",
        }
        for spec in tensors
    }


def dtype_name(dtype: str) -> str:
    """A dtype's name in protocol buffers."""
    return f"DT_{OTHERWISE.get(dtype, dtype.upper())}"
