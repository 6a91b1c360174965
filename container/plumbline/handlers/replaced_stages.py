"""A pipeline in which a user's handler stands for the stages that it names."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Protocol, TypeVar

from PIL import Image

from plumbline.archive.handler_errors import HandlerError
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import PlumblineError
from plumbline.handlers.code_timeout import Cutoff
from plumbline.handlers.user_code import Stages
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch, Timing
from plumbline.vision.arrays import Tensors
from plumbline.vision.geometry import Geometry
from plumbline.wire.requests import UNLIMITED, Request
from plumbline.wire.responses import Response


@dataclass(frozen=True)
class Named:
    """The model that a handler stands around."""

    name: str = "model"
    version: int = 1


T = TypeVar("T")


class Handler(Protocol):
    """The port: all that the house asks of a dialect."""

    @property
    def stages(self) -> Stages:
        """The functions by their names."""

    @property
    def incomparable(self) -> str:
        """Why golden pictures can't be compared with anything; empty if they can."""

    @property
    def reads(self) -> bool:
        """Whether it reads requests itself, links in them among the rest."""

    def answer(
        self, pipeline: Pipeline, model: Named, request: Request, timing: Timing
    ) -> Response:
        """The answer to a request; `pipeline` is the house's own, for what is left to it."""

    def alone(self, pipeline: Pipeline, picture: bytes, timing: Timing) -> tuple[Tensors, Geometry]:
        """The outputs `[1, …]` for a golden picture, and how it lies in the model's input."""


@dataclass(frozen=True)
class Handled(Pipeline):
    """A pipeline around which a handler stands; the time of a user's code is bounded."""

    handler: Handler = field(kw_only=True)
    cutoff: Cutoff = field(default_factory=Cutoff, kw_only=True)
    model: Named = field(default_factory=Named, kw_only=True)

    def __call__(self, request: Request, time_left: TimeLeft, watch: Stopwatch) -> Response:
        """The answer to a request."""
        inner = Timing(time_left)  # of its own: a thread that is left behind must not write to ours
        pipeline = unbounded(self)
        with watch.lap("handler"):
            answer = self.cutoff.run(
                lambda: self.handler.answer(pipeline, self.model, request, inner), time_left
            )
        add(watch, inner.watch)
        return answer

    def with_pictures(self, request: Request, time_left: TimeLeft, watch: Stopwatch) -> Request:
        """Links are fetched only where the house reads requests."""
        if self.handler.reads:
            return request
        return super().with_pictures(request, time_left, watch)

    def alone(self, picture: bytes, time_left: TimeLeft) -> tuple[Tensors, Geometry]:
        """The outputs for one picture, which the handler may have read."""
        if self.incomparable:
            return self.bare.alone(picture, time_left)
        return self.handler.alone(self.bare, picture, Timing(time_left))

    @property
    def incomparable(self) -> str:
        """Why golden pictures can't be compared."""
        return self.handler.incomparable

    @property
    def bare(self) -> Pipeline:
        """The pipeline without the handler."""
        return Pipeline(**{entry.name: getattr(self, entry.name) for entry in fields(Pipeline)})


def unbounded(pipeline: Pipeline) -> Pipeline:
    """What a handler asks: the model alone, with as many instances as the handler makes."""
    return replace(pipeline.bare, max_instances=UNLIMITED)


def around(pipeline: Pipeline, handler: Handler | None, cutoff: Cutoff, model: Named) -> Pipeline:
    """The pipeline with the handler around it, if there is one."""
    if handler is None:
        return pipeline
    parts = {entry.name: getattr(pipeline, entry.name) for entry in fields(Pipeline)}
    return Handled(**parts, handler=handler, cutoff=cutoff, model=model)


def add(watch: Stopwatch, other: Stopwatch) -> None:
    """Take over what was measured elsewhere."""
    for stage, spent in other.laps.items():
        watch.laps[stage] = watch.laps.get(stage, 0.0) + spent
    watch.answered += other.answered
    watch.refused += other.refused


PICTURE = "application/x-image"
"""What SageMaker's own algorithms, and most handlers, call a picture."""


def of_picture(picture: bytes, act: Callable[[str], T]) -> T:
    """What a handler makes of a golden picture, which is sent as two Content-Types at most.

    Raises `HandlerError` where it takes neither.
    """
    own = Image.MIME.get(Image.open(io.BytesIO(picture)).format or "", PICTURE)
    try:
        return act(PICTURE)
    except PlumblineError:
        try:
            return act(own)
        except PlumblineError as exc:
            raise HandlerError(
                f"A golden picture can't be checked, because the handler does not take it as "
                f"{PICTURE} nor as {own}: {exc.message} Let it, or leave the folder of golden "
                "pictures out of the archive."
            ) from exc
