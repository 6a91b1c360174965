"""The one visible list of stages: bytes → image → tensor → raw output → result → bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from plumbline.engines.base import Engine
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import (
    InvalidInstances,
    NotAcceptable,
    PlumblineError,
    RequestError,
)
from plumbline.errors import SpecError as DoesNotFit
from plumbline.machine.allocator import uncollected
from plumbline.pipeline.inference import Predictor
from plumbline.pipeline.linked_pictures import fetched_bytes
from plumbline.pipeline.model_inputs import fit_pictures, is_turned
from plumbline.pipeline.stopwatch import Stopwatch, Timing
from plumbline.results.task_results import Failure, Segments, first_of
from plumbline.signature import TEXT
from plumbline.vision.images import decode
from plumbline.wire import responses, tf_serving_responses
from plumbline.wire.requests import Pictures, Request, Values, check_count, may_have_links, read
from plumbline.wire.responses import FORMS, JSON, JSON_LINES, PNG, Parts, Response
from plumbline.wire.tensor_bodies import Inputs, Instances, Lines
from plumbline.wire.tf_examples import Examples
from plumbline.wire.tf_serving_requests import readers_of


@dataclass(frozen=True)
class Pipeline(Predictor):
    """A loaded model and everything around it that its spec declares."""

    max_instances: int
    """The most pictures or instances of a request."""
    tensors: Engine | None = field(default=None, kw_only=True)
    """What answers tensors, where the engine itself takes pictures' bytes and normalises them."""
    aliases: frozenset[str] = field(default=frozenset(), kw_only=True)
    """Other names of the same signature, for tensors."""

    def __call__(self, request: Request, time_left: TimeLeft, watch: Stopwatch) -> Response:
        """The answer to a request; every request takes this way."""
        if request.by_tensorflow and request.accept.strip().startswith(JSON_LINES):
            # Its container calls the one line of its answer so.
            whole = self(replace(request, accept=JSON), time_left, watch)
            return replace(whole, content_type=JSON_LINES)
        timing = Timing(time_left, watch)
        media_type = responses.negotiate(
            request.accept, JSON_LINES if is_answered_in_lines(request) else JSON
        )
        with watch.lap("decode"), uncollected():
            payload = read(request, self.max_instances, readers_of(request))
        if isinstance(payload, Pictures) and self.takes_texts(payload, request):
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
            payload = read(request, self.max_instances, readers_of(request))
        if isinstance(payload, Pictures) and self.is_own(payload.signature_name):
            self.check_pictures()
            if len(payload.items) <= self.chunk_size:
                items = self.fetched(payload.items, Timing(time_left, watch))
                payload = replace(payload, items=tuple(items))
        return replace(request, payload=payload)

    @property
    def bare(self) -> Pipeline:
        """The pipeline without a user's handler."""
        return self

    @property
    def incomparable(self) -> str:
        """Why golden pictures can't be compared with what it computes; empty if they can."""
        return ""

    def answer_tensors(self, payload: Values, media_type: str, timing: Timing) -> Response:
        """What TensorFlow Serving answers to tensors."""
        engine = self.signed(payload.signature_name)
        with timing.watch.lap("preprocess"):
            inputs = payload.tensors(engine.signature)
            for spec in engine.signature.inputs:
                rows = inputs[spec.name].shape[:1]
                if rows and spec.shape[:1] == (None,):  # another is no batch, or not the caller's
                    check_count(rows[0], self.max_instances)
        with timing.watch.lap("infer"):
            outputs = engine.run(inputs, timing.left)
        with timing.watch.lap("encode"):
            if isinstance(payload, Examples):
                return Response(responses.to_json(payload.answer(outputs)))
            return tf_serving_responses.encode(
                outputs, media_type, by_columns=isinstance(payload, Inputs)
            )

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
        if name is None or self.is_own(name) or name in self.aliases:
            return self.tensors or self.engine
        if name not in self.engine.others:
            names = ", ".join(map(repr, [self.spec.model.signature, *sorted(self.engine.others)]))
            raise InvalidInstances(f"The model has no signature {name!r}; it has {names}.")
        return self.engine.others[name]

    def takes_texts(self, payload: Pictures, request: Request) -> bool:
        """Whether a signature gets pictures' bytes as they are, and gives what it gives."""
        decodes_itself = self.engine.signature.input().dtype == TEXT
        own = self.is_own(payload.signature_name)
        return not own or (request.by_tensorflow and decodes_itself)

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

    def draw(self, payload: Pictures, options: Mapping[str, Any], timing: Timing) -> Response:
        """The picture with its answer drawn on it, or the mask itself."""
        from plumbline.results.drawing import render

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

    def check_pictures(self) -> None:
        """Raise `InvalidInstances` if the model takes no pictures."""
        try:
            fit_pictures(self.spec, self.engine.signature)
        except DoesNotFit as exc:
            raise InvalidInstances(
                f"This model takes no pictures. {exc} It does take tensors: "
                '{"instances": [...]} as application/json.'
            ) from exc


def is_answered_in_lines(request: Request) -> bool:
    """Whether lines are answered by lines where nothing else is asked for."""
    return request.media_type == JSON_LINES and not request.by_tensorflow


@contextmanager
def told_as_tensorflow() -> Iterator[None]:
    """Let errors be told as TensorFlow Serving tells them."""
    try:
        yield
    except PlumblineError as exc:
        exc.as_tensorflow = True
        raise
