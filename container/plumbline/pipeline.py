"""The one visible list of stages: bytes → image → tensor → raw output → result → bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from plumbline import responses
from plumbline.arrays import Tensor, Tensors
from plumbline.engines.base import Engine
from plumbline.errors import InvalidInstances, RequestError, SpecError
from plumbline.images import COLORS, Limits, decode, open_within
from plumbline.preprocess import preprocess
from plumbline.requests import Payload, Pictures, Request, read, to_tensors
from plumbline.responses import Response
from plumbline.signature import TEXT, Signature, TensorSpec
from plumbline.spec import ModelSpec
from plumbline.stopwatch import Stopwatch
from plumbline.tasks.base import Task

TimeLeft = Callable[[], float]
"""Seconds until the deadline; raises `DeadlineExceeded` when there are none."""

CHANNELS = {color: 1 if color.endswith("gray") else 3 for color in COLORS}


@dataclass(frozen=True)
class Pipeline:
    """A loaded model and everything around it that its spec declares."""

    spec: ModelSpec
    engine: Engine
    task: Task
    limits: Limits
    max_instances: int

    def __call__(self, request: Request, time_left: TimeLeft, watch: Stopwatch) -> Response:
        """The answer to a request; every request takes this way."""
        media_type = responses.negotiate(request.accept)
        with watch.lap("decode"):
            payload = read(request)
            self.count(payload)
        inputs = self.inputs(payload, time_left, watch)
        with watch.lap("infer"):
            outputs = self.engine.run(inputs, time_left())
        with watch.lap("encode"):
            predictions = self.interpret(payload, outputs, request)
            return responses.encode({"predictions": predictions}, media_type)

    def values(self, picture: bytes, time_left: TimeLeft) -> Tensors:
        """What golden pictures are compared by: the model's values for one picture."""
        inputs = self.inputs(Pictures((picture,)), time_left, Stopwatch())
        return self.task.values(self.engine.run(inputs, time_left()))

    def count(self, payload: Payload) -> None:
        """Refuse more instances than are computed at once."""
        count = len(payload.data if isinstance(payload, Pictures) else payload.rows)
        if count > self.max_instances:
            raise InvalidInstances(
                f"The request has {count} instances, but at most {self.max_instances} are taken "
                "at once; send them in several requests."
            )

    def inputs(self, payload: Payload, time_left: TimeLeft, watch: Stopwatch) -> Tensors:
        """The batch for the model; of many pictures only one is decoded at a time."""
        signature = self.engine.signature
        if not isinstance(payload, Pictures):
            with watch.lap("preprocess"):
                return to_tensors(payload.rows, signature)
        try:
            fit_pictures(self.spec, signature)
        except SpecError as exc:
            raise InvalidInstances(
                f"This model takes no pictures. {exc} It does take tensors: "
                '{"instances": [...]} as application/json.'
            ) from exc
        target = signature.input()
        if decodes_itself(target):
            with watch.lap("decode"):
                return {target.name: self.files(payload.data)}
        return {target.name: np.stack(list(self.tensors(payload.data, time_left, watch)))}

    def files(self, pictures: Sequence[bytes]) -> Tensor:
        """The pictures' files as they are, for a model that decodes them; within the limits."""
        for number, data in enumerate(pictures):
            with numbered(number, len(pictures)):
                open_within(data, self.limits)
        return np.array(pictures, object)

    def tensors(
        self, pictures: Sequence[bytes], time_left: TimeLeft, watch: Stopwatch
    ) -> Iterator[Tensor]:
        """Each picture as the model's input `[height, width, channels]`."""
        declared, target = self.spec.preprocess, self.engine.signature.input()
        size = image_size(self.spec, target)
        for number, data in enumerate(pictures):
            time_left()
            with watch.lap("decode"), numbered(number, len(pictures)):
                pixels = decode(
                    data,
                    decoder=declared.decoder,
                    color=declared.color,
                    exif=declared.exif,
                    limits=self.limits,
                )
            with watch.lap("preprocess"):
                tensor = preprocess(pixels, declared, size, target.dtype)
            yield tensor

    def interpret(self, payload: Payload, outputs: Tensors, request: Request) -> Any:
        """Pictures are answered by the task, tensors as TF Serving answers them."""
        if isinstance(payload, Pictures):
            return self.task.results(outputs, request.options)
        return responses.tensor_rows(outputs)


@contextmanager
def numbered(number: int, count: int) -> Iterator[None]:
    """Say which one of several pictures is wrong."""
    try:
        yield
    except RequestError as exc:
        if count == 1:
            raise
        raise type(exc)(f"Instance {number}: {exc}") from exc


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


def image_size(spec: ModelSpec, target: TensorSpec) -> tuple[int, int]:
    """The (height, width) that pictures are resized to: declared, or the model's own.

    Raises `SpecError` where the two disagree, or where neither says it.
    """
    channels = CHANNELS[spec.preprocess.color]
    if len(target.shape) != 4 or target.shape[3] not in (channels, None):
        raise SpecError(
            f"The model's input is {target}, but pictures are [?, height, width, {channels}] "
            f"with [preprocess] color = {spec.preprocess.color!r}."
        )
    declared, own = spec.preprocess.size, target.shape[1:3]
    if declared is None:
        height, width = own
        if height is None or width is None:
            raise SpecError(
                f"The model takes pictures of any size ({target}); "
                "say in plumbline.toml which it was trained on: [preprocess] size."
            )
        return height, width
    if any(length not in (None, wanted) for length, wanted in zip(own, declared, strict=True)):
        raise SpecError(
            f"plumbline.toml: preprocess.size = {list(declared)}, but the model's input is "
            f"{target}."
        )
    return declared
