"""The one visible list of stages: bytes → image → tensor → raw output → result → bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from plumbline import responses, serving
from plumbline.arrays import Tensor, Tensors
from plumbline.engines.base import Engine
from plumbline.errors import InvalidInstances, NotAcceptable, PlumblineError, RequestError
from plumbline.errors import SpecError as DoesNotFit
from plumbline.gathering import Fetch, gathered, no_links
from plumbline.images import Limits, decode
from plumbline.inputs import Prepared, batches, chunk_size, fit_pictures, prepared, stacked
from plumbline.parity import Difference, compare
from plumbline.requests import Item, Link, Pictures, Request, Values, may_have_links, read
from plumbline.responses import FORMS, JSON, JSON_LINES, PNG, Response
from plumbline.results import Failure, Result, Segments
from plumbline.spec import ModelSpec
from plumbline.stopwatch import Stopwatch, Timing
from plumbline.tasks.base import Task
from plumbline.tensors import Inputs

TimeLeft = Callable[[], float]
"""Seconds until the deadline; raises `DeadlineExceeded` when there are none."""


@dataclass(frozen=True)
class Pipeline:
    """A loaded model and everything around it that its spec declares."""

    spec: ModelSpec
    engine: Engine
    task: Task
    limits: Limits
    max_instances: int
    fetch: Fetch = no_links
    max_fetched: int = 0
    """Bytes of the pictures behind a request's links."""

    def __call__(self, request: Request, time_left: TimeLeft, watch: Stopwatch) -> Response:
        """The answer to a request; every request takes this way."""
        timing = Timing(time_left, watch)
        media_type = responses.negotiate(
            request.accept, JSON_LINES if request.media_type == JSON_LINES else JSON
        )
        with watch.lap("decode"):
            payload = read(request)
        if not isinstance(payload, Pictures):
            with told_as_tensorflow():
                return self.answer_tensors(payload, media_type, timing)
        self.check(payload)
        if media_type == PNG:
            return self.draw(payload, request.options, timing)
        return self.answer_pictures(payload, request.options, media_type, timing)

    def with_pictures(self, request: Request, time_left: TimeLeft, watch: Stopwatch) -> Request:
        """The request with its links fetched, so that it need not hold a slot meanwhile."""
        if not may_have_links(request):
            return request
        with watch.lap("decode"):
            payload = read(request)
        if isinstance(payload, Pictures):
            self.check(payload)
            if len(payload.items) <= self.chunk_size:
                items = self.fetched(payload.items, Timing(time_left, watch))
                payload = replace(payload, items=tuple(items))
        return replace(request, payload=payload)

    def answer_tensors(self, payload: Values, media_type: str, timing: Timing) -> Response:
        """What TensorFlow Serving answers to tensors."""
        engine = self.signed(payload.signature_name)
        with timing.watch.lap("preprocess"):
            inputs = payload.tensors(engine.signature)
            for tensor in inputs.values():
                self.count(len(tensor) if tensor.ndim else 1)
        with timing.watch.lap("infer"):
            outputs = engine.run(inputs, timing.left())
        with timing.watch.lap("encode"):
            return serving.encode(outputs, media_type, by_columns=isinstance(payload, Inputs))

    def signed(self, name: str | None) -> Engine:
        """The engine of the signature that a request names. Raises `InvalidInstances`."""
        own = self.spec.model.signature
        if name in (None, own):
            return self.engine
        if name not in self.engine.others:
            names = ", ".join(map(repr, [own, *sorted(self.engine.others)]))
            raise InvalidInstances(f"The model has no signature {name!r}; it has {names}.")
        return self.engine.others[name]

    def answer_pictures(
        self, payload: Pictures, options: Mapping[str, Any], media_type: str, timing: Timing
    ) -> Response:
        """What the task makes of each picture, in the form that was asked for."""
        form, style = FORMS[media_type], options.get("format", self.spec.response.format)
        parts = []
        failures = []
        for number, result in enumerate(self.results(payload.items, options, timing)):
            if isinstance(result, Failure):
                failures.append(result)
            with timing.watch.lap("encode"):
                parts.append(form.part(result, number, style))
        if len(failures) == len(parts) and not payload.lines:
            raise failures[0].error if len(parts) == 1 else first_of(failures)
        with timing.watch.lap("encode"):
            return Response(form.whole(parts, payload.alone), media_type)

    def results(
        self, items: Sequence[Item], options: Mapping[str, Any], timing: Timing
    ) -> Iterator[Result]:
        """The answer for each picture, in their order; only a few are held at a time."""
        size = self.chunk_size
        for start in range(0, len(items), size):
            chunk = self.fetched(items[start : start + size], timing)
            yield from self.chunk_results(chunk, options, timing)

    def chunk_results(
        self, items: Sequence[Item], options: Mapping[str, Any], timing: Timing
    ) -> Iterator[Result]:
        """The answers for a few pictures, computed together."""
        made = [self.prepared(item, timing) for item in items]
        ready = [one for one in made if isinstance(one, Prepared)]
        computed = (
            result
            for batch, outputs in self.computed(ready, timing)
            for result in self.task.results(outputs, [one.geometry for one in batch], options)
        )
        for one in made:
            yield next(computed) if isinstance(one, Prepared) else one

    def prepared(self, item: Item, timing: Timing) -> Prepared | Failure:
        """A picture as the model takes it, or why that can't be."""
        timing.left()
        try:
            data = fetched_bytes(item)
            target = self.engine.signature.input()
            return prepared(data, self.spec, target, self.limits, timing.watch)
        except RequestError as exc:
            return Failure(exc)

    def computed(
        self, ready: Sequence[Prepared], timing: Timing
    ) -> Iterator[tuple[list[Prepared], Tensors]]:
        """The outputs `[batch, …]`, and the pictures that they belong to."""
        target = self.engine.signature.input()
        for batch in batches(ready, target):
            with timing.watch.lap("infer"):
                outputs = self.engine.run({target.name: stacked(batch, target)}, timing.left())
            yield batch, {name: cut(tensor, len(batch)) for name, tensor in outputs.items()}

    def draw(self, payload: Pictures, options: Mapping[str, Any], timing: Timing) -> Response:
        """The picture with its answer drawn on it, or the mask itself."""
        from plumbline.drawing import render

        if len(payload.items) > 1 or payload.lines:
            raise NotAcceptable(f"{PNG} shows one picture; send one alone, or ask for {JSON}.")
        (item,) = self.fetched(payload.items, timing)
        result = next(self.chunk_results([item], options, timing))
        if isinstance(result, Failure):
            raise result.error
        with timing.watch.lap("encode"):
            if isinstance(result, Segments) and options.get("mode") == "mask":
                return Response(render.mask_png(result.sent_mask, result.palette), PNG)
            pixels = decode(
                fetched_bytes(item), color="rgb", exif=self.spec.preprocess.exif, limits=self.limits
            )
            return Response(render.png(render.draw(result, pixels)), PNG)

    def compare(self, picture: bytes, expected: Tensors, time_left: TimeLeft) -> Difference:
        """How far a golden picture's outputs are from those that are expected.

        Expected may be the model's own outputs or what the task makes of them: the user's code
        may give either.
        """
        found = self.readings(picture, time_left)
        return min((compare(expected, one) for one in found), key=lambda one: one.largest)

    def values(self, picture: bytes, time_left: TimeLeft) -> Tensors:
        """The model's values for one picture, `[1, …]`."""
        return self.readings(picture, time_left)[0]

    def readings(self, picture: bytes, time_left: TimeLeft) -> tuple[Tensors, ...]:
        """Each form in which the user's own code may give the values of one picture."""
        target, timing = self.engine.signature.input(), Timing(time_left)
        fit_pictures(self.spec, self.engine.signature)
        made = prepared(picture, self.spec, target, self.limits, timing.watch)
        ((_, outputs),) = self.computed([made], timing)
        return self.task.readings(outputs, made.geometry)

    @property
    def chunk_size(self) -> int:
        """How many pictures are made ready at a time."""
        return chunk_size(self.spec, self.engine.signature.input())

    def fetched(self, items: Sequence[Item], timing: Timing) -> Sequence[Item]:
        """The items with the bytes of pictures instead of links."""
        if not any(isinstance(item, Link) for item in items):
            return items
        with timing.watch.lap("fetch"):
            return gathered(items, self.fetch, self.max_fetched, timing.left)

    def check(self, payload: Pictures) -> None:
        """Refuse pictures where the model takes none, and more than are answered at once."""
        try:
            fit_pictures(self.spec, self.engine.signature)
        except DoesNotFit as exc:
            raise InvalidInstances(
                f"This model takes no pictures. {exc} It does take tensors: "
                '{"instances": [...]} as application/json.'
            ) from exc
        self.count(len(payload.items))

    def count(self, instances: int) -> None:
        """Refuse more instances than are taken at once, and none at all."""
        if not 0 < instances <= self.max_instances:
            raise InvalidInstances(
                f"The request has {instances} instances, but 1 to {self.max_instances} are taken "
                "at once; send them in several requests."
            )


def fetched_bytes(item: Item) -> bytes:
    """A picture's bytes. Raises the error that came in their place."""
    if isinstance(item, bytes):
        return item
    if isinstance(item, RequestError):
        raise item
    raise TypeError(f"{item} has not been fetched.")


def first_of(failures: Sequence[Failure]) -> RequestError:
    """The error of a request of which no picture could be answered."""
    error = failures[0].error
    return type(error)(
        f"None of the {len(failures)} pictures could be answered. Instance 0: {error}"
    )


def cut(tensor: Tensor, count: int) -> Tensor:
    """An output without what belongs to a batch's filling."""
    return tensor[:count] if tensor.ndim else tensor


@contextmanager
def told_as_tensorflow() -> Iterator[None]:
    """Let errors be told as TensorFlow Serving tells them."""
    try:
        yield
    except PlumblineError as exc:
        exc.as_tensorflow = True
        raise
