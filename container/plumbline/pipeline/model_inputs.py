"""Pictures → what the model takes: which it takes, and each of them made ready for it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from plumbline.drift.looks import Look, look
from plumbline.errors import SpecError
from plumbline.pipeline.picture_view import seen
from plumbline.pipeline.preprocess import prepare
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.signature import TEXT, Signature, TensorSpec
from plumbline.spec.model_spec import ModelSpec, Preprocess
from plumbline.vision.arrays import Tensor
from plumbline.vision.geometry import Geometry
from plumbline.vision.images import CHANNELS, Limits, open_within, read_picture

LEAST_SIDE = 8
"""What a flat input holds is a picture, perhaps, if it would have such sides."""

BATCH_BYTES = 32 * 1024**2
"""Of the tensors that are made ready at a time: so many pictures are decoded ahead of the model."""

MOST_IN_A_BATCH = 16
"""More would not be faster on a CPU, and cost the memory of its layers' outputs."""


@dataclass(frozen=True)
class Prepared:
    """A picture as the model takes it, without the batch axis, and where it came from."""

    tensor: Tensor
    geometry: Geometry
    look: Look | None = None
    """What the picture looks like, where that was asked for."""


def prepared(
    data: bytes,
    spec: ModelSpec,
    target: TensorSpec,
    limits: Limits,
    watch: Stopwatch,
    *,
    looked: bool = False,
) -> Prepared:
    """A picture's bytes as the input `target` takes it. Raises an `ImageError`."""
    if decodes_itself(target):
        with watch.lap("decode"):
            return Prepared(np.array(data, object), own_geometry(data, spec, limits))
    declared = spec.preprocess
    with watch.lap("decode"):
        picture = read_picture(
            data,
            decoder=declared.decoder,
            color=declared.color,
            exif=declared.exif,
            limits=limits,
        )
    with watch.lap("preprocess"):
        seen = look(picture.pixels) if looked else None  # before the pixels are worked on in place
        return Prepared(*prepare(picture, declared, image_size(spec, target), target.dtype), seen)


def own_geometry(data: bytes, spec: ModelSpec, limits: Limits) -> Geometry:
    """The geometry of a picture that the model decodes itself, within the limits.

    Where the task is raw the bytes may be anything, as TensorFlow Serving passes them on.
    """
    if spec.task == "raw":
        return Geometry.whole((1, 1))
    width, height = open_within(data, limits).size
    return Geometry.whole((height, width))


def chunk_size(spec: ModelSpec, target: TensorSpec) -> int:
    """How many pictures are made ready before the model runs."""
    if decodes_itself(target):
        return MOST_IN_A_BATCH
    size = image_size(spec, target)
    if size is None:
        return 1
    channels = CHANNELS[spec.preprocess.color]
    picture_bytes = math.prod((*size, channels)) * np.dtype(target.dtype).itemsize
    return max(1, min(MOST_IN_A_BATCH, BATCH_BYTES // picture_bytes))


def batches(ready: Sequence[Prepared], target: TensorSpec) -> Iterator[list[Prepared]]:
    """Neighbours of one shape together, and no more than the model's own batch axis allows."""
    most = target.shape[0] or len(ready)
    for _, group in groupby(ready, key=lambda one: one.tensor.shape):
        alike = list(group)
        for start in range(0, len(alike), most):
            yield alike[start : start + most]


def stacked(batch: Sequence[Prepared], target: TensorSpec) -> Tensor:
    """`[batch, …]`; filled up with its last picture where the model's batch has a fixed length."""
    filling = (target.shape[0] or len(batch)) - len(batch)
    if len(batch) == 1 and not filling:
        return batch[0].tensor[np.newaxis]  # a text, too, is an array here
    return np.stack([one.tensor for one in batch] + [batch[-1].tensor] * filling)


def cut(tensor: Tensor, count: int, filled: int) -> Tensor:
    """An output `[filled, …]` as `[count, …]`, without what belongs to a batch's filling.

    What has no batch axis stays as it is.
    """
    return tensor[:count] if tensor.shape[:1] == (filled,) else tensor


def is_turned(spec: ModelSpec, target: TensorSpec) -> bool:
    """Whether pictures are turned upright by EXIF for the model; one that decodes them does not."""
    return spec.preprocess.exif and not decodes_itself(target)


def decodes_itself(target: TensorSpec) -> bool:
    """Whether the model takes the bytes of pictures, as exports with a decoder inside do."""
    return target.dtype == TEXT and len(target.shape) == 1


def check_pictures(spec: ModelSpec, signature: Signature) -> str | None:
    """Why the model takes no pictures, or None if it does.

    Raises `SpecError` where a plumbline.toml promises that it does.
    """
    try:
        fit_pictures(spec, signature)
    except SpecError as exc:
        if promises_pictures(spec):
            raise
        return str(exc)
    return None


def promises_pictures(spec: ModelSpec) -> bool:
    """Whether plumbline.toml says something that is said of pictures alone."""
    said = spec.declared - {"model", "response", "acceleration"}
    if "task" in said and spec.task == "raw":
        said &= {"preprocess", "golden"}
    return bool(said or spec.model.constants)


def fit_pictures(spec: ModelSpec, signature: Signature) -> None:
    """Raise `SpecError` if pictures can't be brought into the model's input."""
    if signature.absent:
        raise SpecError(
            f"The model has no signature {spec.model.signature!r}, which pictures go to; set "
            "[model] signature in plumbline.toml to one that it has (plumbline inspect lists them)."
        )
    found = seen(spec, signature)
    if len(found.inputs) > 1:
        raise SpecError(several(signature))
    if not decodes_itself(found.input()):
        image_size(spec, found.input())


def several(signature: Signature) -> str:
    """Why a model of several inputs takes no pictures, and how it would."""
    others = sorted(signature.inputs, key=lambda each: -len(each.shape))[1:]
    values = ", ".join(f"{json.dumps(each.name)} = 0" for each in others)
    return (
        f"The model has {len(signature.inputs)} inputs ({', '.join(map(str, signature.inputs))}), "
        "and a picture fills one. Give the others a value each in plumbline.toml, the same for "
        f"every picture: [model] constants = {{{values}}}. Or send them beside the picture, by the "
        'inputs\' names: {"instances": [{"NAME": {"b64": "…"}, …}]}.'
    )


def image_size(spec: ModelSpec, target: TensorSpec) -> tuple[int, int] | None:
    """The (height, width) that pictures are resized to: declared, or the model's own.

    None where they keep their own size: where that is declared, and in front of models that take
    bytes of any size, because those resize them themselves. Raises `SpecError` where what is
    declared and the model disagree, or where neither says it.
    """
    declared, own = spec.preprocess.size, target.shape[1:3]
    check_channels(spec, target)
    kept = said_to_be_kept(spec.preprocess)
    if kept or (declared is None and target.dtype == "uint8"):
        if own == (None, None) and declared is None:
            return None
        if kept:
            raise SpecError(
                f"plumbline.toml: preprocess.{kept}, but pictures are resized, as "
                f"{'preprocess.size' if declared else 'the model'} says; its input is {target}. "
                f"Leave out {'one of the two' if declared else 'the former'}."
            )
    if declared is None:
        height, width = own
        if height is None or width is None:
            raise SpecError(
                f"The model takes pictures of any size ({target}); "
                "say in plumbline.toml which it was trained on: [preprocess] size. "
                "Or keep_size = true, if it takes them as they are, or multiple_of = 32, say, if "
                "their sides must be multiples of that."
            )
        return height, width
    if any(length not in (None, wanted) for length, wanted in zip(own, declared, strict=True)):
        raise SpecError(
            f"plumbline.toml: preprocess.size = {list(declared)}, but the model's input is "
            f"{target}. Leave size out, or say what the model was exported for."
        )
    return declared


def said_to_be_kept(declared: Preprocess) -> str:
    """The key of plumbline.toml by which pictures keep their size; "" for none."""
    if declared.multiple_of is not None:
        return f"multiple_of = {declared.multiple_of}"
    return "keep_size = true" if declared.keep_size else ""


def hint_on_size(spec: ModelSpec, target: TensorSpec) -> str:
    """What may help where a model refuses pictures of their own size; "" where that isn't it."""
    if decodes_itself(target) or spec.preprocess.multiple_of or image_size(spec, target):
        return ""
    return (
        " Where the sides must be multiples of 32, say, plumbline.toml declares it: "
        "[preprocess] multiple_of = 32 pads pictures, and cuts their masks back."
    )


def check_channels(spec: ModelSpec, target: TensorSpec) -> None:
    """Raise `SpecError` if the input takes no pictures of the declared colour."""
    channels = CHANNELS[spec.preprocess.color]
    if len(target.shape) != 4 or target.shape[3] not in (channels, None):
        raise SpecError(
            f"The model's input is {target}, but pictures are [?, height, width, {channels}] "
            f"with [preprocess] color = {spec.preprocess.color!r}. {way_out(target)}"
        )


def way_out(target: TensorSpec) -> str:
    """What to declare for pictures in such an input, or instead of them."""
    tensors = 'task = "raw" in plumbline.toml, and no [preprocess], serves the model for tensors.'
    declared = lines_for(target.shape[1:])
    if not declared:
        return f"A picture does not fill it: {tensors}"
    return f"For pictures, plumbline.toml says [preprocess] {declared}; {tensors}"


def lines_for(axes: tuple[int | None, ...]) -> str:
    """The keys of [preprocess] by which pictures go into an input of these axes; "" for none."""
    named = {1: 'color = "gray"', 3: 'color = "rgb"', 4: 'color = "rgba"'}
    if len(axes) == 2:
        return named[1]
    if len(axes) == 3:
        return next((named[axis] for axis in (axes[2], axes[0]) if axis in named), "")
    for channels, color in named.items():
        side = math.isqrt((axes[0] or 0) // channels) if len(axes) == 1 else 0
        if side >= LEAST_SIDE and side**2 * channels == axes[0]:
            return f"{color} and size = [{side}, {side}]"
    return ""
