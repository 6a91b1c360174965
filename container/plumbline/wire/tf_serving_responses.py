"""Outputs → the answer that TensorFlow Serving gives to tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from plumbline.errors import InvalidInstances, NotAcceptable
from plumbline.results.task_results import written_out
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.wire.responses import CSV, JSON, JSON_LINES, NPY, Response, csv_line, to_json, to_npy


def rows(outputs: Tensors) -> Any:
    """The row form: a value for each instance, or an object of all its outputs."""
    lengths = {value.shape[:1] for value in outputs.values()}
    if len(lengths) > 1 or () in lengths:
        raise InvalidInstances(
            "The model's outputs don't agree on the number of instances, or one has no axis for "
            'them, so that they can\'t be given in rows; send {"inputs": …} instead of '
            f'{{"instances": …}}, and ask for {JSON}.'
        )
    written = {name: written_out(name, value) for name, value in outputs.items()}
    if len(written) == 1:
        return next(iter(written.values()))
    return [dict(zip(written, row, strict=True)) for row in zip(*written.values(), strict=True)]


def columns(outputs: Tensors) -> Any:
    """The column form: the only output, or an object of all."""
    written = {name: written_out(name, value) for name, value in outputs.items()}
    return next(iter(written.values())) if len(written) == 1 else written


def as_json(outputs: Tensors, *, by_columns: bool) -> bytes:
    """`{"predictions": …}` or `{"outputs": …}`."""
    if by_columns:
        return to_json({"outputs": columns(outputs)})
    return to_json({"predictions": rows(outputs)})


def as_lines(outputs: Tensors, *, by_columns: bool) -> bytes:  # noqa: ARG001
    """A line for each instance."""
    return b"".join(to_json(row) + b"\n" for row in rows(outputs))


def as_csv(outputs: Tensors, *, by_columns: bool) -> bytes:  # noqa: ARG001
    """The values of an instance in each line."""
    array = np.atleast_1d(only(outputs))
    return b"".join(map(csv_line, array.reshape(len(array), math.prod(array.shape[1:]))))


def as_npy(outputs: Tensors, *, by_columns: bool) -> bytes:  # noqa: ARG001
    """The array itself."""
    return to_npy(only(outputs))


def only(outputs: Tensors) -> Tensor:
    """The only output. Raises `NotAcceptable` where there are several."""
    if len(outputs) > 1:
        raise NotAcceptable(
            f"The model has {len(outputs)} outputs ({', '.join(outputs)}), which don't fit into "
            f"one table or array; ask for {JSON}."
        )
    return next(iter(outputs.values()))


FORMS: Mapping[str, Callable[..., bytes]] = MappingProxyType(
    {JSON: as_json, JSON_LINES: as_lines, CSV: as_csv, NPY: as_npy}
)


def encode(outputs: Tensors, media_type: str, *, by_columns: bool) -> Response:
    """The answer's bytes. Raises `NotAcceptable` for what can't be made of tensors."""
    if media_type not in FORMS:
        raise NotAcceptable(
            f"Tensors are answered by tensors, not as {media_type}; ask for {', '.join(FORMS)}, "
            "or send a picture."
        )
    return Response(FORMS[media_type](outputs, by_columns=by_columns), media_type)
