"""What must hold of a model before OpenVINO may compute it in TensorFlow's stead."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from plumbline.engines.base import Engine
from plumbline.engines.time_left import lasting
from plumbline.parity.differences import compare
from plumbline.pipeline.inference import Predictor
from plumbline.pipeline.model_inputs import Prepared, prepared, stacked
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.signature import TEXT, Signature
from plumbline.vision.arrays import Tensor, Tensors

UNHURRIED = lasting(120.0)
"""The deadline of one picture."""


def by_pictures(signature: Signature) -> bool:
    """Whether every output is of numbers, and has as many rows as there are pictures."""
    rows = ((None,), signature.input().shape[:1])
    return all(spec.dtype != TEXT and spec.shape[:1] in rows for spec in signature.outputs)


def independent(predictor: Predictor, pictures: Sequence[bytes]) -> bool:
    """Whether two pictures together are answered as each alone; OpenVINO computes them alone."""
    target = predictor.engine.signature.input()
    made = [one(predictor, picture) for picture in (pictures[0], pictures[-1])]
    if target.shape[:1] != (None,) or made[0].tensor.shape != made[1].tensor.shape:
        return True
    pair = predictor.engine.run({target.name: stacked(made, target)}, UNHURRIED)
    alone = [
        predictor.engine.run({target.name: stacked([each], target)}, UNHURRIED) for each in made
    ]
    return all(
        compare(
            values, {name: output[number : number + 1] for name, output in pair.items()}
        ).within(predictor.spec.golden.tolerance)
        for number, values in enumerate(alone)
    )


def namesakes(predictor: Predictor, picture: bytes) -> frozenset[str]:
    """The other signatures that are the same function: Keras 3 has two names for one."""
    engine = predictor.engine
    batch = stacked([one(predictor, picture)], engine.signature.input())
    like = {name: each for name, each in engine.others.items() if alike(each, engine)}
    with ThreadPoolExecutor(1 + len(like)) as pool:  # a first run makes a function ready, slowly
        expected, *found = pool.map(partial(run, batch), (engine, *like.values()))
    pairs = zip(like, found, strict=True)
    return frozenset(name for name, values in pairs if compare(expected, values).within(0))


def alike(engine: Engine, other: Engine) -> bool:
    """Whether two signatures differ in the names of their inputs at most."""
    return shapes(engine.signature) == shapes(other.signature)


def shapes(signature: Signature) -> list[tuple[Any, ...]]:
    """What two names of one function have in common: all but the names of its inputs."""
    inputs = [(spec.shape, spec.dtype) for spec in signature.inputs]
    return [*inputs, *((spec.name, spec.shape, spec.dtype) for spec in signature.outputs)]


def run(batch: Tensor, engine: Engine) -> Tensors:
    """The outputs of an engine that takes nothing but the batch."""
    return engine.run({engine.signature.input().name: batch}, UNHURRIED)


def one(predictor: Predictor, picture: bytes) -> Prepared:
    """A picture as the model takes it."""
    target = predictor.engine.signature.input()
    return prepared(picture, predictor.spec, target, predictor.limits, Stopwatch())
