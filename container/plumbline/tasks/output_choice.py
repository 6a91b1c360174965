"""Which of a model's outputs a task reads."""

from __future__ import annotations

import json
from collections.abc import Mapping

from plumbline.errors import SpecError
from plumbline.signature import TEXT, Signature, TensorSpec
from plumbline.spec.labels import NumberedLabels, by_class
from plumbline.spec.model_spec import ModelSpec
from plumbline.tasks.ways_out import RAW


def check_input(task: str, signature: Signature) -> None:
    """Raise `SpecError` if the model has several inputs: a picture fills one."""
    if len(signature.inputs) != 1:
        others = sorted(signature.inputs, key=lambda each: -len(each.shape))[1:]
        values = ", ".join(f"{json.dumps(each.name)} = 0" for each in others)
        raise SpecError(
            f'task = "{task}" needs a model with one input, but this one has '
            f"{len(signature.inputs)}: {', '.join(map(str, signature.inputs))}. Give all but that "
            "of the pictures a value in plumbline.toml, the same for every picture: [model] "
            f'constants = {{{values}}}. Or take task = "raw", and send tensors by their names.'
        )


def chosen_output(task: str, needed: str, spec: ModelSpec, signature: Signature) -> TensorSpec:
    """The declared output, or the only one of numbers; `needed` is its form, in words.

    Raises `SpecError` where there is none, or none is named among several.
    """
    named = {output.name: output for output in signature.outputs if output.dtype != TEXT}
    wanted = spec.model.output
    if not named:
        raise SpecError(
            f'task = "{task}" needs an output of scores {needed}, but the model '
            f"gives only {', '.join(map(str, signature.outputs))}. Export it with its scores. {RAW}"
        )
    if wanted is None and len(named) == 1:
        return next(iter(named.values()))
    if wanted in named:
        return named[wanted]
    said = f"[model] output = {wanted!r}" if wanted else "[model] output is not set"
    raise SpecError(
        f"plumbline.toml: {said}, but it must be one of {', '.join(named)}: the one that is "
        f"{needed}. {RAW}"
    )


def named_classes(
    labels: tuple[str, ...] | None, classes: int, found: TensorSpec
) -> Mapping[int, str]:
    """Each class's label. Raises `SpecError` if there are labels, and not of so many classes."""
    if not labels:
        return {}
    if (names := by_class(labels, classes)) is not None:
        return names
    counted = f"There are {len(labels)} labels"
    if isinstance(labels, NumberedLabels):
        counted += f", numbered from {labels.class_ids[0]} to {labels.class_ids[-1]}"
    raise SpecError(
        f"{counted}, but the model has {classes} classes ({found}). "
        "Give one label for each class, in the order of training; or none, and classes are "
        "answered by their numbers."
    )
