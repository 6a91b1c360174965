"""The one visible list of stages: bytes → image → tensor → raw output → result → bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
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
from plumbline.pipeline.mixed_rows import filled
from plumbline.pipeline.model_inputs import fit_pictures, is_turned
from plumbline.pipeline.sent_pictures import check_columns, meant
from plumbline.pipeline.stopwatch import Stopwatch, Timing
from plumbline.results.png_files import png
from plumbline.results.task_results import Failure, NewPicture, Segments, first_of
from plumbline.signature import TEXT
from plumbline.vision.images import to_draw_on
from plumbline.wire import media_types, responses, tf_serving_responses
from plumbline.wire.json_documents import check_memory
from plumbline.wire.requests import (
    PICTURE_TYPES,
    UNLIMITED,
    Payload,
    Pictures,
    Request,
    Values,
    check_count,
    may_have_links,
    read,
)
from plumbline.wire.responses import FORMS, JSON, JSON_LINES, PNG, Parts, Response
from plumbline.wire.tensor_bodies import Inputs, Instances, Lines
from plumbline.wire.tf_examples import Examples
from plumbline.wire.tf_serving_requests import readers_of


@dataclass(frozen=True)
class Pipeline(Predictor):
    """A loaded model and everything around it that its spec declares."""

    max_instances: int
    """The most pictures or instances of a request."""
    max_parsed: int = field(default=UNLIMITED, kw_only=True)
    """Bytes of memory that the JSON of a request may take once it is parsed."""
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
        with watch.lap("decode"):
            payload = self.read(request)
        if isinstance(payload, Pictures) and self.takes_texts(payload, request):
            payload = self.as_texts(payload, timing)
        if not isinstance(payload, Pictures):
            with told_as_tensorflow():
                if media_type == JSON_LINES and not is_answered_in_lines(request):
                    # SageMaker's container of TensorFlow Serving calls its one line so.
                    whole = self.answer_tensors(payload, JSON, timing)
                    return replace(whole, content_type=JSON_LINES)
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
            payload = self.read(request)
        if isinstance(payload, Pictures) and self.is_own(payload.signature_name):
            self.check_pictures()
            if len(payload.items) <= self.chunk_size:
                items = self.fetched(payload.items, Timing(time_left, watch))
                payload = replace(payload, items=tuple(items))
        return replace(request, payload=payload)

    def read(self, request: Request) -> Payload:
        """What is in the body. Raises a `RequestError`, before a parser takes too much memory."""
        kind = media_types.meant(request.media_type, request.body)
        if request.payload is None and (request.by_tensorflow or "json" in kind):
            check_memory(request.body, self.max_parsed)
        with nullcontext() if kind in PICTURE_TYPES else uncollected():
            payload = read(request, self.max_instances, readers_of(request))
        if self.is_own(payload.signature_name):
            return meant(payload, self.engine.signature, self.max_instances)
        return payload

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
            check_columns(payload, engine.signature)
            if self.is_own(payload.signature_name):
                payload = filled(
                    payload, self.spec, engine.signature, self.limits, self.max_instances
                )
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
            if self.engine.signature.absent:
                raise InvalidInstances(absent(self.spec.model.signature, self.engine))
            return self.tensors or self.engine
        others = (self.tensors or self.engine).others
        if name not in others:
            names = ", ".join(map(repr, [self.spec.model.signature, *sorted(others)]))
            raise InvalidInstances(
                f"The model has no signature {name!r}; it has {names}. Name one of these as "
                '"signature_name", or leave that out.'
            )
        return others[name]

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
        timing.watch.answered += len(payload.items) - len(failures)
        timing.watch.refused += len(failures)
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
        timing.watch.answered += 1
        with timing.watch.lap("encode"):
            if isinstance(result, NewPicture):
                return Response(result.png(), PNG)
            if isinstance(result, Segments) and options.get("mode") == "mask":
                return Response(render.mask_png(result.sent_mask, result.palette), PNG)
            turned = is_turned(self.spec, self.engine.signature.input())
            color = self.spec.preprocess.color
            pixels = to_draw_on(fetched_bytes(item), color=color, exif=turned, limits=self.limits)
            return Response(png(render.draw(result, pixels)), PNG)

    def check_pictures(self) -> None:
        """Raise `InvalidInstances` if the model takes no pictures."""
        if self.misfit:
            raise InvalidInstances(
                f"This model takes no pictures. {self.misfit} It does take tensors: "
                '{"instances": [...]} as application/json.'
            )

    @cached_property
    def misfit(self) -> str:
        """Why pictures can't be brought into the model's input; empty if they can."""
        try:
            fit_pictures(self.spec, self.signature)
        except DoesNotFit as exc:
            return str(exc)
        return ""


def absent(name: str, engine: Engine) -> str:
    """Why a model can't be asked without the name of a signature, begun in TF Serving's words."""
    names = ", ".join(map(repr, sorted(engine.others)))
    return (
        f'Serving signature name: "{name}" not found in signature def: the model has {names}; say '
        'which is meant with "signature_name", or whoever deploys it with [model] signature.'
    )


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
