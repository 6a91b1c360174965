"""A model's input as pictures fill it, `[batch, height, width, channels]`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plumbline.engines.base import Engine, is_quick
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import SpecError
from plumbline.signature import TEXT, Signature, TensorSpec
from plumbline.spec.checks import FILE
from plumbline.spec.model_spec import ModelSpec, Preprocess
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.images import CHANNELS

PLAIN = "channels_last"

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class View:
    """How a batch of pictures becomes all of a model's inputs.

    `signature` has one input, `[batch, height, width, channels]`; `own` is what the model has in
    its place, and `constants` are the values of its other inputs, with their batch axis.
    """

    signature: Signature
    own: TensorSpec
    layout: str
    constants: Mapping[str, Tensor]

    def inputs(self, batch: Tensor) -> Tensors:
        """What the model takes for pictures `[batch, height, width, channels]`."""
        laid = {self.own.name: self.laid(batch)}
        for name, value in self.constants.items():
            rows = len(batch) if value.ndim and len(value) == 1 else None
            laid[name] = value if rows is None else value.repeat(rows, axis=0)
        return laid

    def laid(self, batch: Tensor) -> Tensor:
        """The batch in the layout of the model's own input."""
        if self.layout == "channels_first":
            return np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        if self.layout == "no_channels":
            return batch[..., 0]
        return batch.reshape(len(batch), -1) if self.layout == "flat" else batch


@dataclass(frozen=True)
class ViewedEngine:
    """An engine that takes pictures where its model takes another layout, or constants beside."""

    engine: Engine
    view: View

    @property
    def name(self) -> str:
        """The engine's own."""
        return self.engine.name

    @property
    def signature(self) -> Signature:
        """With one input, that of pictures."""
        return self.view.signature

    @property
    def is_quick(self) -> bool:
        """As the engine is."""
        return is_quick(self.engine)

    @property
    def others(self) -> Mapping[str, Engine]:
        """Those of the engine that take the same inputs."""
        own = self.engine.signature.inputs
        return {
            name: ViewedEngine(other, self.view)
            for name, other in self.engine.others.items()
            if other.signature.inputs == own
        }

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        """See `Engine.run`."""
        (batch,) = inputs.values()
        return self.engine.run(self.view.inputs(batch), left)


def viewed(spec: ModelSpec, engine: Engine) -> Engine:
    """The engine, so that it takes pictures; itself where it does already, or can't."""
    view = view_of(spec, engine.signature)
    return engine if view is None else ViewedEngine(engine, view)


def seen(spec: ModelSpec, signature: Signature) -> Signature:
    """The signature as pictures see it. Raises `SpecError` for what does not fit the model."""
    view = view_of(spec, signature)
    return signature if view is None else view.signature


def view_of(spec: ModelSpec, signature: Signature) -> View | None:
    """The view; None where the model takes pictures as they are, or none at all.

    Raises `SpecError` where what is declared does not fit the model.
    """
    constants = constants_of(spec, signature)
    fed = [each for each in signature.inputs if each.name not in constants]
    if len(fed) != 1:
        return None
    (own,) = fed
    if own.dtype == TEXT or own.loose:
        layout, shape = PLAIN, own.shape
    else:
        layout, shape = layout_of(spec.preprocess, own)
    if layout == PLAIN and not constants:
        return None
    target = replace(own, shape=shape)
    return View(replace(signature, inputs=(target,)), own, layout, constants)


def layout_of(declared: Preprocess, own: TensorSpec) -> tuple[str, Shape]:
    """How pictures lie in an input, and its shape as pictures see it.

    What is not declared is taken from the shape, where that allows one layout alone.
    """
    channels = CHANNELS[declared.color]
    if declared.layout is None:
        for layout in LAYOUTS:
            if shape := shape_in(layout, own.shape, channels, declared.size):
                return layout, shape
        return PLAIN, own.shape
    if shape := shape_in(declared.layout, own.shape, channels, declared.size):
        return declared.layout, shape
    size = list(declared.size) if declared.size else "the model's own"
    raise SpecError(
        f"{FILE}: preprocess.layout = {declared.layout!r}, but the model's input is {own}, which "
        f"holds no pictures of {channels} channels in that layout (size: {size}). "
        f"{FORMS[declared.layout].format(channels=channels)} Without layout, the shape says it; "
        'task = "raw", and no [preprocess], serves the model for tensors.'
    )


FORMS: Mapping[str, str] = {
    PLAIN: "It would be [?, height, width, {channels}].",
    "channels_first": "It would be [?, {channels}, height, width].",
    "no_channels": 'It would be [?, height, width], of one channel: color = "gray".',
    "flat": "It would be [?, height · width · {channels}], with size = [height, width] declared.",
}
"""What each layout looks like."""

LAYOUTS = tuple(FORMS)


def shape_in(layout: str, own: Shape, channels: int, size: tuple[int, int] | None) -> Shape | None:
    """The shape `[batch, height, width, channels]` of an input of that layout; None for no such."""
    batch, *axes = own or (None,)
    if layout == PLAIN and len(axes) == 3 and axes[2] in (channels, None):
        return own
    if layout == "channels_first" and len(axes) == 3 and axes[0] == channels:
        return batch, axes[1], axes[2], channels
    if layout == "no_channels" and len(axes) == 2 and channels == 1:
        return batch, *axes, 1
    if layout == "flat" and len(axes) == 1 and size and math.prod((*size, channels)) == axes[0]:
        return batch, *size, channels
    return None


def constants_of(spec: ModelSpec, signature: Signature) -> dict[str, Tensor]:
    """The declared values of inputs, as the model takes them. Raises `SpecError`."""
    inputs = {each.name: each for each in signature.inputs if not signature.absent}
    for name in spec.model.constants:
        if inputs and name not in inputs:
            raise SpecError(
                f"{FILE}: model.constants has {name!r}, but the model's inputs are "
                f"{', '.join(inputs)}. Call it by one of these names, or leave it out."
            )
    if inputs and not inputs.keys() - spec.model.constants.keys():
        raise SpecError(
            f"{FILE}: model.constants has all of the model's inputs ({', '.join(inputs)}); leave "
            "out the one that pictures go to."
        )
    declared = spec.model.constants if inputs else {}
    return {name: constant(value, inputs[name]) for name, value in declared.items()}


def constant(value: Any, target: TensorSpec) -> Tensor:
    """The value with a batch axis, as the input takes it; one number stands for all of a row.

    Raises `SpecError`.
    """
    rows, rest = target.shape[:1], target.shape[1:]
    try:
        given = np.array(value)
        lengths = given.shape if given.ndim == len(rest) else (1,) * len(rest)
        shape = [own or length for own, length in zip(rest, lengths, strict=True)]
        row = np.broadcast_to(cast(given, target.dtype), shape)
    except ValueError as exc:
        raise SpecError(
            f"{FILE}: model.constants.{target.name} = {value!r}, but the model's input is "
            f"{target}: give one number, or the values of one row."
        ) from exc
    return np.stack([row] * (rows[0] or 1)) if rows else row


def cast(given: Tensor, dtype: str) -> Tensor:
    """Numbers in another dtype. Raises `ValueError` where that has no such numbers."""
    if dtype == TEXT or given.dtype.kind not in "biuf":
        raise ValueError(dtype)
    found = given.astype(dtype)
    if found.dtype.kind in "biu" and not np.array_equal(found, given):
        raise ValueError(dtype)
    return found
