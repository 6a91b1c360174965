"""An engine around an engine: requests that come while it is busy are computed together.

Nobody waits for a batch to fill: who comes while a lane is free computes at once, and who comes
later would have to wait anyhow. (Waiting was measured: MobileNetV2 on two cores, 4 and 16 callers;
2, 5 or 10 ms changed the answers a second by less than 5 %, up or down.) Whoever is given a lane
takes along all that wait and are like it, and gives each its part of what came out. What fails
together is computed again one by one, so that no request harms another.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from plumbline.engines.base import PATIENCE, Engine, as_the_models
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import PlumblineError
from plumbline.loading.openvino_equivalence import UNHURRIED, one
from plumbline.parity.differences import compare
from plumbline.pipeline.inference import Predictor
from plumbline.pipeline.model_inputs import stacked
from plumbline.signature import TEXT, Signature
from plumbline.vision import synthetic_pictures
from plumbline.vision.arrays import Tensors

log = logging.getLogger("plumbline.batching")

Observe = Callable[[int], None]


def unobserved(_rows: int) -> None:
    """Does nothing with how many instances were computed together."""


@dataclass(eq=False)
class Asked:
    """A caller's inputs, and what becomes of them."""

    inputs: Tensors
    left: TimeLeft
    """Of the caller's time."""
    alone: bool = False
    """Whether nobody else's may be computed with them."""
    given_up: bool = False
    """Whether the caller's time was up, or it was gone, while it waited."""
    outputs: Tensors | None = None
    woken: threading.Event = field(default_factory=threading.Event)
    """Set when it was given a lane, or its outputs."""

    @property
    def rows(self) -> int:
        """How many instances it brings."""
        return len(next(iter(self.inputs.values())))

    @property
    def like(self) -> object:
        """What must be equal of those that are computed together."""
        return {name: (tensor.shape[1:], tensor.dtype) for name, tensor in self.inputs.items()}

    @property
    def waits(self) -> bool:
        """Whether there is still somebody who wants the answer."""
        try:
            return self.left() > 0
        except PlumblineError:
            return False


class BatchingEngine:
    """An engine whose rows don't depend on each other; so many `lanes` compute at a time."""

    def __init__(
        self, engine: Engine, lanes: int, most: int, observe: Observe = unobserved
    ) -> None:
        self.name = engine.name
        self.signature = engine.signature
        self.engine = engine
        self._most = most
        self._observe = observe
        self._free = lanes
        self._waiting: deque[Asked] = deque()
        self._lock = threading.Lock()

    @property
    def others(self) -> Mapping[str, Engine]:
        """The other signatures, computed for each caller alone."""
        return self.engine.others

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        """See `Engine.run`."""
        uneven = len({len(tensor) for tensor in inputs.values()}) != 1
        asked = Asked(inputs, left, alone=uneven)
        self._enter(asked)
        with as_the_models():
            self._wait(asked)
            return self._lead(asked) if asked.outputs is None else asked.outputs

    def _enter(self, asked: Asked) -> None:
        with self._lock:
            self._waiting.append(asked)
            if self._free:
                self._free -= 1
                self._hand_on()

    def _wait(self, asked: Asked) -> None:
        """Until it has a lane or its outputs. Raises what `left` raises."""
        try:
            while not asked.woken.wait(min(PATIENCE, asked.left())):
                pass
        except PlumblineError:
            if self._leaves(asked):
                raise

    def _leaves(self, asked: Asked) -> bool:
        """Take it out of the line, unless its turn has come."""
        with self._lock:
            asked.given_up = not asked.woken.is_set()
            if asked.given_up and asked in self._waiting:
                self._waiting.remove(asked)
            return asked.given_up

    def _lead(self, asked: Asked) -> Tensors:
        """Compute the caller's rows, and those of others with them."""
        company: list[Asked] = []
        try:
            asked.left()  # who has no time left, or is gone, must spoil no batch
            company = self._company(asked)
            return self._together([asked, *company])
        except Exception:
            if not company:
                raise
            self._put_back(company)
            asked.left()
            return self.engine.run(asked.inputs, asked.left)
        finally:
            with self._lock:
                self._hand_on()

    def _company(self, asked: Asked) -> list[Asked]:
        """Those who can be computed with it; they wait in line no more."""
        chosen, rows = list[Asked](), asked.rows
        with self._lock:
            for other in () if asked.alone else tuple(self._waiting):
                fits = rows + other.rows <= self._most and not other.alone
                if fits and other.like == asked.like and other.waits:
                    chosen.append(other)
                    rows += other.rows
                    self._waiting.remove(other)
        return chosen

    def _together(self, batch: Sequence[Asked]) -> Tensors:
        """Compute a batch within the time of its first; the outputs of that one."""
        first, *company = batch
        self._observe(sum(one.rows for one in batch))
        if not company:
            return self.engine.run(first.inputs, first.left)
        names = first.inputs
        joined = {name: np.concatenate([one.inputs[name] for one in batch]) for name in names}
        outputs = self.engine.run(joined, first.left)
        start = first.rows
        for other in company:
            end = start + other.rows
            other.outputs = {name: tensor[start:end] for name, tensor in outputs.items()}
            start = end
            other.woken.set()
        return {name: tensor[: first.rows] for name, tensor in outputs.items()}

    def _put_back(self, company: Sequence[Asked]) -> None:
        """Let them compute by themselves, before all others: they were first."""
        with self._lock:
            for other in reversed(company):
                other.alone = True
                if not other.given_up:
                    self._waiting.appendleft(other)

    def _hand_on(self) -> None:
        """Give a lane to the first in line, or to whoever comes next."""
        if self._waiting:
            self._waiting.popleft().woken.set()
        else:
            self._free += 1


def batching(
    predictor: Predictor,
    goldens: Sequence[bytes],
    lanes: int,
    most: int,
    observe: Observe = unobserved,
) -> Engine:
    """The predictor's engine, around it one that batches, if answers stay what they are alone."""
    if most == 1:
        return predictor.engine
    reason = objection(predictor, goldens, most)
    if reason:
        log.info("Requests are not computed together: %s.", reason)
        return predictor.engine
    log.info("Up to %d pictures of several requests are computed together.", most)
    return BatchingEngine(predictor.engine, lanes, most, observe)


def objection(predictor: Predictor, goldens: Sequence[bytes], most: int) -> str:
    """Why a model's requests must not be computed together; empty if they may."""
    if not takes_batches(predictor.engine.signature):
        return "an input or an output has no axis for instances, one of any length"
    pictures = (
        goldens if len(goldens) > 1 else synthetic_pictures.pictures(predictor.limits.formats[0])
    )
    try:
        alike = alike_together(predictor, pictures[:most], most)
    except Exception as exc:  # whatever it is, single pictures may do
        return f"it could not be proven that answers stay the same ({exc})"
    return "" if alike else "a picture's answer depends on what is computed with it"


def takes_batches(signature: Signature) -> bool:
    """Whether a model takes any number of rows, and gives as many, of numbers."""
    given = all(spec.shape[:1] == (None,) and spec.dtype != TEXT for spec in signature.outputs)
    return given and all(spec.shape[:1] == (None,) and not spec.loose for spec in signature.inputs)


def alike_together(predictor: Predictor, pictures: Sequence[bytes], most: int) -> bool:
    """Whether pictures that fill a batch are answered in it as each alone, within the tolerance.

    Of pictures that the model takes at several sizes, those of the first one's size are tried.
    """
    target = predictor.engine.signature.input()
    made = [one(predictor, picture) for picture in pictures]
    made = [each for each in made if each.tensor.shape == made[0].tensor.shape]
    alone = [
        predictor.engine.run({target.name: stacked([each], target)}, UNHURRIED) for each in made
    ]
    batch = [made[number % len(made)] for number in range(most)]
    together = predictor.engine.run({target.name: stacked(batch, target)}, UNHURRIED)
    return all(
        compare(
            alone[number % len(made)],
            {name: tensor[number : number + 1] for name, tensor in together.items()},
        ).within(predictor.spec.golden.tolerance)
        for number in range(most)
    )
