"""Rows of a model of several inputs, in which a picture stands for the tensor that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plumbline.errors import InvalidInstances, RequestError, SpecError
from plumbline.pipeline.model_inputs import image_size, prepared
from plumbline.pipeline.picture_view import constants_of, view_of
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.signature import TEXT, Signature
from plumbline.spec.model_spec import ModelChoice, ModelSpec
from plumbline.vision.arrays import Tensor
from plumbline.vision.images import Limits
from plumbline.wire.picture_items import is_picture, to_item
from plumbline.wire.requests import Values, check_count
from plumbline.wire.tensor_bodies import Instances, Lines


def filled(
    payload: Values, spec: ModelSpec, signature: Signature, limits: Limits, most: int
) -> Values:
    """The payload with tensors for its pictures, and the declared constants where they lack.

    Raises a `RequestError`, also for more rows than `most`.
    """
    if len(signature.inputs) < 2 or not isinstance(payload, Instances | Lines):
        return payload
    check_count(len(payload.rows), most)
    declared = constants_of(spec, signature)
    constants = {name: rows[0].tolist() for name, rows in declared.items() if rows.ndim}
    numeric = {each.name for each in signature.inputs if each.dtype != TEXT}

    def whole(number: int, row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        tensors = {
            name: tensor(f"Instance {number}", name, value, spec, signature, limits)
            for name, value in row.items()
            if name in numeric and isinstance(value, dict) and is_picture(value)
        }
        return constants | row | tensors

    rows = [whole(number, row) for number, row in enumerate(payload.rows)]
    if isinstance(payload, Lines):
        return replace(payload, rows=tuple(rows))
    return replace(payload, rows=rows)


def tensor(
    what: str,
    name: str,
    value: Mapping[str, Any],
    spec: ModelSpec,
    signature: Signature,
    limits: Limits,
) -> Tensor:
    """A picture as a row of the input `name`. Raises a `RequestError`."""
    item = to_item(what, dict(value))
    if isinstance(item, RequestError):
        raise item
    if not isinstance(item, bytes):
        raise InvalidInstances(
            f"{what} has a link for {name!r}: beside other inputs, send the picture itself, as "
            '{"b64": "…"}.'
        )
    own = next(each for each in signature.inputs if each.name == name)
    alone = replace(spec, model=ModelChoice())
    only = Signature((own,), signature.outputs)
    view = view_of(alone, only)
    target = view.signature.input() if view else own
    try:
        image_size(spec, target)
    except SpecError as exc:
        raise InvalidInstances(f"{what} has a picture for {name!r}. {exc}") from exc
    batch = prepared(item, spec, target, limits, Stopwatch()).tensor[None]
    row: Tensor = (view.laid(batch) if view else batch)[0]
    return row
