"""Pictures → tensors → raw outputs → results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from plumbline.drift.looks import Look
from plumbline.engines.base import Engine
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import InputRefused, RequestError
from plumbline.parity.differences import Difference, compare
from plumbline.pipeline.linked_pictures import Fetch, fetched_bytes, gathered, no_links
from plumbline.pipeline.loading_facts import Facts
from plumbline.pipeline.model_inputs import (
    Prepared,
    batches,
    chunk_size,
    cut,
    fit_pictures,
    hint_on_size,
    prepared,
    stacked,
)
from plumbline.pipeline.stopwatch import Timing
from plumbline.results.task_results import Failure, Result
from plumbline.signature import Signature
from plumbline.spec.model_spec import ModelSpec
from plumbline.tasks.base import Task
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.geometry import Geometry
from plumbline.vision.images import Limits
from plumbline.wire.picture_items import Item, Link

Tally = Callable[[Look | None, Result], None]
"""Learns of each picture that is answered what it looks like, and what was answered."""


@dataclass(frozen=True)
class Predictor:
    """A loaded model, and how a picture becomes its input and its outputs become results."""

    spec: ModelSpec
    engine: Engine
    task: Task
    limits: Limits
    tensors: Engine | None = field(default=None, kw_only=True)
    """What answers tensors, where the engine itself takes pictures: their bytes, and normalises
    them, or in another layout than the model's own."""
    fetch: Fetch = field(default=no_links, kw_only=True)
    max_fetched: int = field(default=0, kw_only=True)
    """Bytes of the pictures behind a request's links."""
    facts: Facts = field(default_factory=Facts, kw_only=True)
    tally: Tally | None = field(default=None, kw_only=True)

    @property
    def signature(self) -> Signature:
        """What the model itself takes and gives, whatever pictures see of it."""
        return (self.tensors or self.engine).signature

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
            result = next(computed) if isinstance(one, Prepared) else one
            if self.tally and isinstance(one, Prepared) and not isinstance(result, Failure):
                self.tally(one.look, result)
            yield result

    def said(
        self, batch: Sequence[Prepared], outputs: Tensors | Failure, options: Mapping[str, Any]
    ) -> Sequence[Result]:
        """What the task makes of the outputs for each picture of a batch."""
        if isinstance(outputs, Failure):
            return [outputs]
        return self.task.answers(outputs, [one.geometry for one in batch], options)

    def prepared(self, item: Item, timing: Timing) -> Prepared | Failure:
        """A picture as the model takes it, or why that can't be."""
        timing.left()
        try:
            data = fetched_bytes(item)
            target = self.engine.signature.input()
            looked = self.tally is not None
            return prepared(data, self.spec, target, self.limits, timing.watch, looked=looked)
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
        try:
            with timing.watch.lap("infer"):
                outputs = self.engine.run({target.name: stacked(batch, target)}, timing.left)
        except InputRefused as exc:
            if not (hint := hint_on_size(self.spec, target)):
                raise
            height, width = batch[0].tensor.shape[:2]
            raise InputRefused(f"{exc} The picture is {width}×{height} pixels.{hint}") from exc
        filled = target.shape[0] or len(batch)
        return {name: cut(tensor, len(batch), filled) for name, tensor in outputs.items()}

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
        return self.task.readings(*self.alone(picture, time_left))

    def gist(self, picture: bytes, time_left: TimeLeft) -> Tensor:
        """What the model's answer to one picture means, as `Task.agreement` takes it."""
        return self.task.gist(*self.alone(picture, time_left))

    def alone(self, picture: bytes, time_left: TimeLeft) -> tuple[Tensors, Geometry]:
        """The outputs `[1, …]` for one picture, and how it lies in the model's input."""
        target, timing = self.engine.signature.input(), Timing(time_left)
        fit_pictures(self.spec, self.signature)
        made = prepared(picture, self.spec, target, self.limits, timing.watch)
        return self.outputs([made], timing), made.geometry

    @cached_property
    def chunk_size(self) -> int:
        """How many pictures are made ready at a time."""
        return chunk_size(self.spec, self.engine.signature.input())

    def fetched(self, items: Sequence[Item], timing: Timing) -> Sequence[Item]:
        """The items with the bytes of pictures instead of links."""
        if not any(isinstance(item, Link) for item in items):
            return items
        with timing.watch.lap("fetch"):
            return gathered(items, self.fetch, self.max_fetched, timing.left)
