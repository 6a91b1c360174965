"""Declarations → how far their outputs are from the expected ones; nothing is computed twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.engines.base import Engine
from plumbline.engines.time_left import lasting
from plumbline.errors import PackingError, SpecError
from plumbline.parity.differences import trimmed
from plumbline.pipeline.model_inputs import fit_pictures, image_size
from plumbline.pipeline.picture_view import seen
from plumbline.pipeline.preprocess import in_dtype, normalized, resizer
from plumbline.signature import Signature
from plumbline.spec.model_spec import ModelChoice, ModelSpec, Preprocess
from plumbline.vision.activations import ACTIVATIONS
from plumbline.vision.arrays import Pixels, Tensor, Tensors
from plumbline.vision.crops import fit_of
from plumbline.vision.fit import place
from plumbline.vision.images import Limits, decode

BATCH = 32
"""Pictures that are computed at once."""

MOST_RESIZED = 32

UNHURRIED = lasting(300.0)


@dataclass(frozen=True)
class Declaration:
    """What is tried: a `[preprocess]` table and an activation."""

    preprocess: Preprocess
    activation: str


@dataclass(frozen=True)
class Trial:
    """How far a declaration's outputs are off: the largest |difference|, and the mean one."""

    declaration: Declaration
    largest: float
    mean: float


class Inputs:
    """The model's input for every picture, by declaration.

    Decoded pictures are kept, and of the resized ones those that were used last.
    """

    def __init__(self, pictures: Sequence[Path], size: tuple[int, int], dtype: str) -> None:
        self._data = [picture.read_bytes() for picture in pictures]
        self._size = size
        self._dtype = dtype
        self._decoded: dict[tuple[object, ...], list[Pixels]] = {}
        self._resized = lru_cache(MOST_RESIZED)(self._resize)

    def batch(self, declared: Preprocess) -> Tensor:
        """`[pictures, height, width, channels]`."""
        resized = self._resized(replace(declared, normalize="none"))
        return in_dtype(normalized(resized, declared), self._dtype)

    def _resize(self, declared: Preprocess) -> Tensor:
        """The pictures as they are before they are normalised."""
        pixels = self._pixels(declared)
        placed = (place(one, self._size, fit_of(declared.fit), resizer(declared)) for one in pixels)
        return np.stack([resized for resized, _ in placed])

    def _pixels(self, declared: Preprocess) -> list[Pixels]:
        """The decoded pictures."""
        key = (declared.decoder, declared.exif, declared.color)
        if key not in self._decoded:
            self._decoded[key] = [
                decode(
                    data,
                    decoder=declared.decoder,
                    color=declared.color,
                    exif=declared.exif,
                    limits=Limits(),
                )
                for data in self._data
            ]
        return self._decoded[key]


class Trials:
    """Runs declarations through the model, several at once, and remembers how they did."""

    def __init__(self, engine: Engine, inputs: Inputs, expected: Sequence[Tensors]) -> None:
        self._engine = engine
        self._inputs = inputs
        self._count = len(expected)
        self._output = matching_output(engine, expected[0])
        self._expected = np.stack([wanted(outputs, self._output) for outputs in expected])
        self._tried: dict[Preprocess, tuple[Trial, ...]] = {}

    @property
    def all(self) -> list[Trial]:
        """Every trial so far, the best first."""
        return sorted(
            (trial for trials in self._tried.values() for trial in trials),
            key=lambda trial: (trial.largest, trial.mean),
        )

    def run(
        self,
        declared: Sequence[Preprocess],
        more_time: Callable[[], bool],
        done: Callable[[str], None],
    ) -> list[Trial]:
        """The trials of these declarations, with every activation; stops when time is up."""
        new = [one for one in dict.fromkeys(declared) if one not in self._tried]
        step = max(1, BATCH // self._count)
        for start in range(0, len(new), step):
            if not more_time():
                break
            together = new[start : start + step]
            outputs = self._outputs(np.concatenate([self._inputs.batch(one) for one in together]))
            for one, values in zip(together, np.split(outputs, len(together)), strict=True):
                self._tried[one] = tuple(self._judge(one, values))
                done(one.resize)
        return [trial for one in declared for trial in self._tried.get(one, ())]

    @property
    def rounding(self) -> float:
        """The last bit of the expected outputs."""
        return float(np.finfo(np.float32).eps * np.abs(self._expected).max(initial=0))

    def noise(self, declared: Preprocess) -> float:
        """How far the model's own answers vary with what it computes beside, plus rounding."""
        batch = self._inputs.batch(declared)
        alone = np.concatenate([self._outputs(row[np.newaxis]) for row in batch])
        together = self._outputs(np.concatenate([batch[::-1], batch]))[len(batch) :]
        return 4 * float(np.abs(alone - together).max(initial=0)) + 4 * self.rounding

    def _outputs(self, batch: Tensor) -> Tensor:
        """The model's output for a batch, in parts of the size that the model takes."""
        target = self._engine.signature.input()
        step = target.shape[0] or BATCH
        found = []
        for start in range(0, len(batch), step):
            part = batch[start : start + step]
            padded = np.concatenate([part, *[part[-1:]] * (step - len(part))])
            fed = padded if target.shape[0] else part
            found.append(self._engine.run({target.name: fed}, UNHURRIED)[self._output][: len(part)])
        return np.concatenate(found)

    def _judge(self, declared: Preprocess, outputs: Tensor) -> Iterator[Trial]:
        for activation, activate in ACTIVATIONS.items():
            values = np.stack([trimmed(row) for row in activate(outputs)])
            gap = np.abs(values.astype(np.float64) - self._expected)
            gap = np.where(np.isnan(gap), np.inf, gap)
            yield Trial(Declaration(declared, activation), float(gap.max()), float(gap.mean()))


def wanted(outputs: Tensors, name: str) -> Tensor:
    """The expected output of one picture that is compared."""
    return trimmed(outputs[name] if name in outputs else next(iter(outputs.values())))


def matching_output(engine: Engine, expected: Tensors) -> str:
    """The model's output that the expected one can be. Raises `PackingError`."""
    declared = engine.signature.outputs
    named = [spec.name for spec in declared if spec.name in expected]
    if named:
        return named[0]
    shape = trimmed(next(iter(expected.values()))).shape
    for spec in declared:
        own = [length for length in spec.shape[1:] if length != 1]
        plain = [length for length in shape if length != 1]
        if len(own) == len(plain) and all(
            length in (None, found) for length, found in zip(own, plain, strict=True)
        ):
            return spec.name
    raise PackingError(
        f"The expected outputs have the shape {list(shape)} for each picture, but the model gives "
        f"{'; '.join(map(str, declared))}. Give what this model returns."
    )


def input_size(engine: Engine, asked: ModelSpec) -> tuple[int, int]:
    """The (height, width) of the model's input. Raises `SpecError` or `PackingError`."""
    found = seen(asked, engine.signature)
    if len(found.inputs) > 1:
        raise PackingError(
            f"The model takes {'; '.join(map(str, found.inputs))}. Give all but that of the "
            "pictures a value, the same for every picture: --constant NAME=0, or =[0, 1] for the "
            "values of one row."
        )
    target = found.input()
    try:
        size = image_size(asked, target)
    except SpecError as exc:
        raise PackingError(f"{exc} Or give --size HEIGHT WIDTH.") from exc
    if size is None:
        raise PackingError(
            f"The model resizes pictures itself ({target}), so that there is nothing to find."
        )
    return size


def asked_for(
    signature: Signature, size: tuple[int, int] | None, constants: Mapping[str, Any]
) -> ModelSpec:
    """A spec of the first colour in which the input can hold pictures; of the default for none."""
    model = ModelChoice(constants=constants)
    declared = [
        ModelSpec(model=model, preprocess=replace(Preprocess(), color=color, size=size))
        for color in ("rgb", "gray", "rgba")
    ]
    for asked in declared:
        with suppress(SpecError):
            fit_pictures(asked, signature)
            return asked
    return declared[0]


def names(expected: Mapping[str, Tensors], pictures: Sequence[Path]) -> list[Tensors]:
    """The expected outputs in the pictures' order. Raises `PackingError` where shapes differ."""
    found = [expected[picture.name] for picture in pictures]
    shapes = {tuple(sorted((name, trimmed(v).shape) for name, v in one.items())) for one in found}
    if len(shapes) > 1:
        raise PackingError("The expected outputs have not the same shape for every picture.")
    return found
