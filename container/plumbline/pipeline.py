"""The one visible list of stages: bytes → image → tensor → raw output → result → bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from plumbline import responses, serving
from plumbline.allocator import uncollected
from plumbline.arrays import Tensors
from plumbline.engines.base import Engine
from plumbline.errors import (
    InputRefused,
    InvalidInstances,
    NotAcceptable,
    PlumblineError,
    RequestError,
)
from plumbline.errors import SpecError as DoesNotFit
from plumbline.gathering import Fetch, fetched_bytes, gathered, no_links
from plumbline.images import Limits, decode
from plumbline.inputs import (
    Prepared,
    batches,
    chunk_size,
    cut,
    fit_pictures,
    is_turned,
    prepared,
    stacked,
)
from plumbline.parity import Difference, compare
from plumbline.requests import (
    Item,
    Link,
    Pictures,
    Request,
    Values,
    check_count,
    may_have_links,
    read,
)
from plumbline.responses import FORMS, JSON, JSON_LINES, PNG, Parts, Response
from plumbline.results import Failure, Result, Segments, first_of
from plumbline.spec import ModelSpec
from plumbline.stopwatch import Stopwatch, Timing
from plumbline.tasks.base import Task
from plumbline.tensors import Inputs, Instances, Lines

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
        with watch.lap("decode"), uncollected():
            payload = read(request, self.max_instances)
        if isinstance(payload, Pictures) and not self.is_own(payload.signature_name):
            payload = self.as_texts(payload, timing)
        if not isinstance(payload, Pictures):
            with told_as_tensorflow():
                if isinstance(payload, Lines) and media_type == JSON_LINES:
                    return self.answer_lines(payload, timing)
                return self.answer_tensors(payload, media_type, timing)
        self.check_pictures()
        if media_type == PNG:
            return self.draw(payload, request.options, timing)
        return self.answer_pictures(payload, request.options, media_type, timing)

    def with_pictures(self, request: Request, time_left: TimeLeft, watch: Stopwatch) -> Request:
        """The request with its links fetched, so that it need not hold a slot meanwhile."""
        if not may_have_links(request):
            return request
        with watch.lap("decode"):
            payload = read(request, self.max_instances)
        if isinstance(payload, Pictures) and self.is_own(payload.signature_name):
            self.check_pictures()
            if len(payload.items) <= self.chunk_size:
                items = self.fetched(payload.items, Timing(time_left, watch))
                payload = replace(payload, items=tuple(items))
        return replace(request, payload=payload)

    def answer_tensors(self, payload: Values, media_type: str, timing: Timing) -> Response:
        """What TensorFlow Serving answers to tensors."""
        engine = self.signed(payload.signature_name)
        with timing.watch.lap("preprocess"):
            inputs = payload.tensors(engine.signature)
            for spec in engine.signature.inputs:
                if spec.shape[:1] == (None,):  # another first axis is no batch, or not the caller's
                    check_count(len(inputs[spec.name]), self.max_instances)
        with timing.watch.lap("infer"):
            outputs = engine.run(inputs, timing.left())
        with timing.watch.lap("encode"):
            return serving.encode(outputs, media_type, by_columns=isinstance(payload, Inputs))

    def answer_lines(self, payload: Lines, timing: Timing) -> Response:
        """A line for each line: all together, or one by one where some of them are bad."""
        try:
            return self.answer_tensors(payload, JSON_LINES, timing)
        except RequestError:
            lines = [self.answer_line(row, timing) for row in payload.rows]
        return Response(b"".join(lines), JSON_LINES)

    def answer_line(self, row: Any, timing: Timing) -> bytes:
        """The answer to one line, or its error."""
        try:
            return self.answer_tensors(Lines((row,)), JSON_LINES, timing).body
        except RequestError as exc:
            exc.as_tensorflow = True
            return responses.encode_error(exc).body + b"\n"

    def is_own(self, name: str | None) -> bool:
        """Whether a request means the signature that pictures go to."""
        return name in (None, self.spec.model.signature)

    def signed(self, name: str | None) -> Engine:
        """The engine of the signature that a request names. Raises `InvalidInstances`."""
        if name is None or self.is_own(name):
            return self.engine
        if name not in self.engine.others:
            names = ", ".join(map(repr, [self.spec.model.signature, *sorted(self.engine.others)]))
            raise InvalidInstances(f"The model has no signature {name!r}; it has {names}.")
        return self.engine.others[name]

    def as_texts(self, payload: Pictures, timing: Timing) -> Instances:
        """Pictures for another signature: their bytes as they are, as TensorFlow Serving does."""
        items = self.fetched(payload.items, timing)
        return Instances([fetched_bytes(item) for item in items], payload.signature_name)

    def answer_pictures(
        self, payload: Pictures, options: Mapping[str, Any], media_type: str, timing: Timing
    ) -> Response:
        """What the task makes of each picture, in the form that was asked for."""
        form, style = FORMS[media_type], options.get("format", self.spec.response.format)
        parts = Parts()
        failures = []
        for number, result in enumerate(self.results(payload.items, options, timing)):
            if isinstance(result, Failure):
                failures.append(result)
            with timing.watch.lap("encode"):
                parts.add(form.part(result, number, style))
        if len(failures) == len(payload.items) and not payload.lines:
            raise failures[0].error if len(failures) == 1 else first_of(failures)
        with timing.watch.lap("encode"):
            return Response(form.whole(parts.held, payload.alone), media_type)

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
            for result in self.said(batch, outputs, options)
        )
        for one in made:
            yield next(computed) if isinstance(one, Prepared) else one

    def said(
        self, batch: Sequence[Prepared], outputs: Tensors | Failure, options: Mapping[str, Any]
    ) -> Sequence[Result]:
        """What the task makes of the outputs for each picture of a batch."""
        if isinstance(outputs, Failure):
            return [outputs]
        return self.task.results(outputs, [one.geometry for one in batch], options)

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
    ) -> Iterator[tuple[list[Prepared], Tensors | Failure]]:
        """The outputs `[batch, …]`, or the error, and the pictures that they belong to."""
        for batch in batches(ready, self.engine.signature.input()):
            yield from self.computed_together(batch, timing)

    def computed_together(
        self, batch: list[Prepared], timing: Timing
    ) -> list[tuple[list[Prepared], Tensors | Failure]]:
        """The same for one batch; for each picture by itself where the model refuses them all."""
        try:
            return [(batch, self.outputs(batch, timing))]
        except InputRefused as exc:
            if len(batch) == 1:
                return [(batch, Failure(exc))]
        return [pair for one in batch for pair in self.computed_together([one], timing)]

    def outputs(self, batch: Sequence[Prepared], timing: Timing) -> Tensors:
        """The outputs `[batch, …]`."""
        target = self.engine.signature.input()
        with timing.watch.lap("infer"):
            outputs = self.engine.run({target.name: stacked(batch, target)}, timing.left())
        filled = target.shape[0] or len(batch)
        return {name: cut(tensor, len(batch), filled) for name, tensor in outputs.items()}

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
            turned = is_turned(self.spec, self.engine.signature.input())
            pixels = decode(fetched_bytes(item), color="rgb", exif=turned, limits=self.limits)
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
        return self.task.readings(self.outputs([made], timing), made.geometry)

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

    def check_pictures(self) -> None:
        """Raise `InvalidInstances` if the model takes no pictures."""
        try:
            fit_pictures(self.spec, self.engine.signature)
        except DoesNotFit as exc:
            raise InvalidInstances(
                f"This model takes no pictures. {exc} It does take tensors: "
                '{"instances": [...]} as application/json.'
            ) from exc


@contextmanager
def told_as_tensorflow() -> Iterator[None]:
    """Let errors be told as TensorFlow Serving tells them."""
    try:
        yield
    except PlumblineError as exc:
        exc.as_tensorflow = True
        raise
