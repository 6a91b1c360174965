"""Pictures → what the model takes: which it takes, and each of them made ready for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from plumbline.errors import SpecError
from plumbline.pipeline.preprocess import prepare
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.signature import TEXT, Signature, TensorSpec
from plumbline.spec.model_spec import ModelSpec
from plumbline.vision.arrays import Tensor
from plumbline.vision.geometry import Geometry
from plumbline.vision.images import COLORS, Limits, open_within, read_picture

CHANNELS = {color: 1 if color.endswith("gray") else 3 for color in COLORS}

BATCH_BYTES = 32 * 1024**2
"""Of the tensors that are made ready at a time: so many pictures are decoded ahead of the model."""

MOST_IN_A_BATCH = 16
"""More would not be faster on a CPU, and cost the memory of its layers' outputs."""


@dataclass(frozen=True)
class Prepared:
    """A picture as the model takes it, without the batch axis, and where it came from."""

    tensor: Tensor
    geometry: Geometry


def prepared(
    data: bytes, spec: ModelSpec, target: TensorSpec, limits: Limits, watch: Stopwatch
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
        return Prepared(*prepare(picture, declared, image_size(spec, target), target.dtype))


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
        if spec.declared:
            raise
        return str(exc)
    return None


def fit_pictures(spec: ModelSpec, signature: Signature) -> None:
    """Raise `SpecError` if pictures can't be brought into the model's input."""
    if len(signature.inputs) > 1:
        raise SpecError(f"The model has {len(signature.inputs)} inputs, and a picture fills one.")
    if not decodes_itself(signature.input()):
        image_size(spec, signature.input())


def image_size(spec: ModelSpec, target: TensorSpec) -> tuple[int, int] | None:
    """The (height, width) that pictures are resized to: declared, or the model's own.

    None where they keep their own size: where that is declared, and in front of models that take
    bytes of any size, because those resize them themselves. Raises `SpecError` where what is
    declared and the model disagree, or where neither says it.
    """
    declared, own = spec.preprocess.size, target.shape[1:3]
    check_channels(spec, target)
    if spec.preprocess.keep_size or (declared is None and target.dtype == "uint8"):
        if own == (None, None) and declared is None:
            return None
        if spec.preprocess.keep_size:
            raise SpecError(
                "plumbline.toml: preprocess.keep_size = true, but pictures are resized, as "
                f"{'preprocess.size' if declared else 'the model'} says; its input is {target}."
            )
    if declared is None:
        height, width = own
        if height is None or width is None:
            raise SpecError(
                f"The model takes pictures of any size ({target}); "
                "say in plumbline.toml which it was trained on: [preprocess] size. "
                "Or keep_size = true, if it resizes them itself."
            )
        return height, width
    if any(length not in (None, wanted) for length, wanted in zip(own, declared, strict=True)):
        raise SpecError(
            f"plumbline.toml: preprocess.size = {list(declared)}, but the model's input is "
            f"{target}."
        )
    return declared


def check_channels(spec: ModelSpec, target: TensorSpec) -> None:
    """Raise `SpecError` if the input takes no pictures of the declared colour."""
    channels = CHANNELS[spec.preprocess.color]
    if len(target.shape) != 4 or target.shape[3] not in (channels, None):
        raise SpecError(
            f"The model's input is {target}, but pictures are [?, height, width, {channels}] "
            f"with [preprocess] color = {spec.preprocess.color!r}."
        )
