"""Golden pictures come out wrong → the one change that usually explains it, found by trying.

Each suspect is the declared pipeline with one thing changed. The worst picture goes through every
one; those that bring it right are then held against all the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from plumbline.archive.contents import GoldenPicture
from plumbline.engines.base import Engine
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import PlumblineError
from plumbline.loading import decoder_mistakes
from plumbline.pipeline.stages import Pipeline
from plumbline.signature import Signature
from plumbline.spec import model_spec as specs
from plumbline.spec.known_keys import ACTIVATIONS
from plumbline.spec.model_spec import ModelSpec
from plumbline.spec.toml_writer import toml_value
from plumbline.tasks.task_table import make_task
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.crops import NAMED
from plumbline.vision.decoders import DECODERS
from plumbline.vision.images import COLORS
from plumbline.vision.normalize import NORMALIZATIONS
from plumbline.vision.resize import FILTERS

SECONDS = 5.0
"""How long the search for a cause may take: nobody should wait for an error."""

SEARCH = (
    "plumbline find-preprocess MODEL --images DIR --expected FILE:FUNCTION tries all declarations; "
    "what none gives, a handler of your own does (docs/handlers.md)."
)

MOST_CONFIRMED = 4
"""Of suspects that bring one picture right, how many are held against all."""

ALTERNATIVES: Mapping[str, Sequence[Any]] = {
    "normalize": (*NORMALIZATIONS, {"divisor": 256}),
    "color": tuple(COLORS),
    "fit": (*NAMED, {"shorter_side": 256}, {"central_crop": 0.875}),
    "resize": tuple(FILTERS),
    "decoder": tuple(DECODERS),
    "exif": (True, False),
    "pillow": (12, 13),
}
"""What `[preprocess]` may say instead, the likeliest mistakes first."""


HINTS: Mapping[tuple[str, Any, Any], str] = {
    ("normalize", "none", "unit"): "the pictures are not divided by 255",
    (
        "normalize",
        "unit",
        "none",
    ): "the pictures are divided by 255, and the model does that itself",
    ("color", "rgb", "bgr"): "red and blue are swapped",
    ("color", "bgr", "rgb"): "red and blue are swapped",
    ("exif", True, False): "training took the pictures as they lie in the file",
    ("exif", False, True): "training turned the pictures upright first",
    ("activation", "none", "softmax"): "softmax is missing",
    ("activation", "softmax", "none"): "softmax is applied twice",
    ("activation", "none", "sigmoid"): "sigmoid is missing",
    ("activation", "sigmoid", "none"): "sigmoid is applied twice",
}
"""What a key, its declared value and the right one say about the mistake."""


@dataclass(frozen=True)
class Suspect:
    """What to write instead, and the pipeline that it makes."""

    change: str
    pipeline: Pipeline
    of_reference: bool = False
    """Whether it is not the declaration that is wrong, but the code that it is held against."""

    @property
    def words(self) -> str:
        """The beginning of a sentence about what comes out right with it."""
        if not self.of_reference:
            return f"With {self.change}"
        return (
            f"Your reference code {self.change}. Correct it there and pack again, or serve what it "
            "computes by a handler of your own (docs/handlers.md). With that mistake"
        )


@dataclass(frozen=True)
class Trial:
    """How far the worst picture is off with a suspect's change."""

    suspect: Suspect
    difference: float


@dataclass(frozen=True)
class Scaled:
    """An engine that is fed the same pictures on another scale."""

    engine: Engine
    scale: Callable[[Tensor], Tensor]
    name: str = "scaled"

    @property
    def signature(self) -> Signature:
        """The engine's own."""
        return self.engine.signature

    @property
    def others(self) -> Mapping[str, Engine]:
        """None: golden pictures take the one way."""
        return {}

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        """See `Engine.run`."""
        scaled = {key: self.scale(value).astype(value.dtype) for key, value in inputs.items()}
        return self.engine.run(scaled, left)


SCALES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "the pictures divided by 255 once more": lambda pixels: pixels / 255,
    "the pictures multiplied by 255": lambda pixels: pixels * 255,
}
"""Mistakes that lie in the numbers, whatever is declared."""


def explain(
    pipeline: Pipeline,
    goldens: Sequence[GoldenPicture],
    worst: GoldenPicture,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """The likeliest cause of the mismatch, in a sentence; `worst` is one of `goldens`."""
    end = clock() + seconds
    trials: list[Trial] = []
    cut = ""
    for suspect in suspects(pipeline):
        if clock() >= end:
            cut = f" The search for the cause was cut short after {seconds:g} s."
            break
        trials += try_one(suspect, worst, seconds)
    right = [trial for trial in trials if trial.difference <= pipeline.spec.golden.tolerance]
    right.sort(key=lambda trial: trial.difference)
    found = [trial.suspect for trial in right[:MOST_CONFIRMED]]
    return (confirmed(found, goldens, seconds) if found else unexplained(trials)) + cut


def suspects(pipeline: Pipeline) -> Iterator[Suspect]:
    """The pipeline with one thing changed, again and again."""
    for change, mistake in decoder_mistakes.mistaken(pipeline.task):
        yield Suspect(change, replace(pipeline, task=mistake), of_reference=True)
    changes = (*changed_detections(pipeline), *changed_specs(pipeline.spec))
    for change, spec in changes:
        task = make_task(spec, pipeline.task.labels)
        try:
            task.fit(pipeline.engine.signature)
        except PlumblineError:
            continue
        yield Suspect(change, replace(pipeline, spec=spec, task=task))
    for change, scale in SCALES.items():
        yield Suspect(change, replace(pipeline, engine=Scaled(pipeline.engine, scale)))


def changed_specs(spec: ModelSpec) -> Iterator[tuple[str, ModelSpec]]:
    """The spec with one key changed, and what that key would say."""
    yield from changed_activations(spec)
    declared = spec.preprocess
    for key, values in ALTERNATIVES.items():
        now = getattr(declared, key)
        for toml in values:
            value = getattr(specs.read_document({"preprocess": {key: toml}}).preprocess, key)
            if value != now:
                changed = replace(spec, preprocess=replace(declared, **{key: value}))
                yield describe("preprocess", key, now, toml), changed
    if declared.size and declared.size[0] != declared.size[1]:
        turned = declared.size[::-1]
        changed = replace(spec, preprocess=replace(declared, size=turned))
        yield describe("preprocess", "size", declared.size, turned), changed


def changed_activations(spec: ModelSpec) -> Iterator[tuple[str, ModelSpec]]:
    """The spec with another activation, where its task has one."""
    section: Any = getattr(spec, spec.task, None)
    for activation in ACTIVATIONS if hasattr(section, "activation") else ():
        if activation != section.activation:
            changed = replace(spec, **{spec.task: replace(section, activation=activation)})
            yield describe(spec.task, "activation", section.activation, activation), changed


def changed_detections(pipeline: Pipeline) -> Iterator[tuple[str, ModelSpec]]:
    """The spec with one key of `[detection]` changed."""
    spec = pipeline.spec
    for key, value, hint in decoder_mistakes.alternatives(pipeline.task):
        now = getattr(spec.detection, key)
        if value is not now and (value != now or isinstance(value, bool)):
            changed = replace(spec, detection=replace(spec.detection, **{key: value}))
            said = f" ({hint})" if hint else ""
            yield f"[detection] {key} = {toml_value(value)}{said}", changed


def describe(table: str, key: str, now: Any, instead: Any) -> str:
    """What to write instead, and what that says about the mistake."""
    hint = HINTS.get((key, now, instead)) if isinstance(instead, Hashable) else None
    return f"[{table}] {key} = {toml_value(instead)}" + (f" ({hint})" if hint else "")


def try_one(suspect: Suspect, golden: GoldenPicture, seconds: float) -> list[Trial]:
    """How far the picture is off; nothing where the change does not fit the model."""
    try:
        found = suspect.pipeline.compare(golden.picture, golden.expected, lambda: seconds)
    except (PlumblineError, ValueError):  # ValueError: means for three channels, one channel
        return []
    return [Trial(suspect, found.largest)]


def confirmed(found: Sequence[Suspect], goldens: Sequence[GoldenPicture], seconds: float) -> str:
    """The suspect that brings most pictures right; `found` is not empty."""
    counts = [(count_right(suspect, goldens, seconds), suspect) for suspect in found]
    count, best = max(counts, key=lambda pair: pair[0])
    if count == len(goldens):
        return f"{best.words} they come out right."
    return f"{best.words}, {count} of {len(goldens)} come out right."


def count_right(suspect: Suspect, goldens: Sequence[GoldenPicture], seconds: float) -> int:
    """How many golden pictures come out right with the change."""
    tolerance = suspect.pipeline.spec.golden.tolerance
    trials = (trial for golden in goldens for trial in try_one(suspect, golden, seconds))
    return sum(trial.difference <= tolerance for trial in trials)


def unexplained(trials: Sequence[Trial]) -> str:
    """The nearest of those that were tried, where none is right."""
    said = "None of the usual causes alone explains it"
    comparable = [
        trial
        for trial in trials
        if trial.difference < float("inf") and not trial.suspect.of_reference
    ]
    if not comparable:
        return f"{said}. {SEARCH}"
    nearest = min(comparable, key=lambda trial: trial.difference)
    near = f"{nearest.suspect.change} (difference {nearest.difference:.3g})"
    return f"{said}; the nearest is {near}. {SEARCH}"
