"""Scores → the best labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plumbline.errors import SpecError
from plumbline.parity import agreement
from plumbline.parity.agreement import Pairs
from plumbline.results.task_results import Classes, Result
from plumbline.signature import TEXT, Signature, TensorSpec
from plumbline.spec.labels import in_order
from plumbline.tasks.base import Task
from plumbline.tasks.output_choice import check_input, chosen_output, named_classes
from plumbline.tasks.ways_out import OTHER_FORM
from plumbline.vision.activations import ACTIVATIONS
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.geometry import Geometry

FORM = "[batch, classes]"

Threshold = float | tuple[float, ...] | None


class ClassificationTask(Task):
    """One output of scores `[batch, classes]`; another may say the best label, or each class's."""

    output: str
    words: str | None
    names: Mapping[int, str]

    def fit(self, signature: Signature) -> None:
        """Take the output that holds the scores; check labels, thresholds, activation by it."""
        check_input("classification", signature)
        found = chosen_output("classification", FORM, self.spec, signature)
        if len(found.shape) != 2:
            raise SpecError(
                f'task = "classification" needs an output {FORM}, but the model\'s is {found}. '
                f"{OTHER_FORM}"
            )
        self.names = in_order(self.labels or ())
        if (scores := found.shape[1]) is not None:
            self.names = named_classes(self.labels, max(scores, 2), found)
            self.check_thresholds(scores, found)
            self.check_activation(scores, found)
        self.output = found.name
        self.words = next((spec.name for spec in signature.outputs if spec.dtype == TEXT), None)

    @classmethod
    def suits(cls, signature: Signature) -> bool:
        """Whether the model looks like a classifier: one input, one output `[batch, classes]`.

        One value alone may as well be an age or a price.
        """
        numbers = [spec for spec in signature.outputs if spec.dtype != TEXT]
        one_each = len(signature.inputs) == len(numbers) == 1
        return one_each and len(numbers[0].shape) == 2 and numbers[0].shape[1] != 1

    @classmethod
    def resembles(cls, signature: Signature) -> bool:
        """Whether an output is a row of scores."""
        return any(len(spec.shape) == 2 and "float" in spec.dtype for spec in signature.outputs)

    def check_thresholds(self, scores: int, found: TensorSpec) -> None:
        """Raise `SpecError` if thresholds are declared, and not one for each score."""
        declared = self.spec.classification.threshold
        if isinstance(declared, tuple) and len(declared) != scores:
            raise SpecError(
                f"plumbline.toml: classification.threshold has {len(declared)} numbers, but the "
                f"model gives {scores} scores ({found}). Give one number for each, or one for all."
            )

    def check_activation(self, scores: int, found: TensorSpec) -> None:
        """Raise `SpecError` if the activation makes no sense of such an output."""
        if self.spec.classification.activation == "softmax" and scores == 1:
            raise SpecError(
                "plumbline.toml: classification.activation = 'softmax', which makes a single "
                f"score always 1 ({found}). Take 'sigmoid', or 'none' if the model has it inside."
            )

    def values(self, outputs: Tensors) -> Tensors:
        """The scores `[batch, classes]`, activated."""
        activate = ACTIVATIONS[self.spec.classification.activation]
        return {self.output: activate(outputs[self.output])}

    def results(
        self,
        outputs: Tensors,
        geometries: Sequence[Geometry],  # noqa: ARG002
        options: Mapping[str, Any],
    ) -> list[Result]:
        """The classes that are answered for each picture, the best first, at most `top_k`."""
        scores = self.values(outputs)[self.output]
        words = outputs[self.words] if self.words else [()] * len(scores)
        return [
            self.answer(row, texts(said), options) for row, said in zip(scores, words, strict=True)
        ]

    def answer(self, scores: Tensor, words: Sequence[str], options: Mapping[str, Any]) -> Classes:
        """What is said of one picture with these `scores` `[classes]`, or `[1]` of two classes."""
        declared = self.spec.classification
        threshold = options.get("score_threshold", declared.threshold)
        order = (ranked if len(scores) > 1 else decided)(scores, threshold)
        chosen = tuple(map(int, order[: options.get("top_k", declared.top_k)]))
        shown = scores if len(scores) > 1 else two_sided(scores)
        names = {int(shown.argmax()): words[0]} if len(words) == 1 else dict(enumerate(words))
        names.update(self.names)
        return Classes(shown, chosen, tuple(names.get(index) or str(index) for index in chosen))

    def gist(self, outputs: Tensors, geometry: Geometry) -> Tensor:  # noqa: ARG002
        """The class that is answered first `[1]`; none `[0]` where none reaches its threshold."""
        scores = self.values(outputs)[self.output][0]
        return np.array(self.answer(scores, (), {"top_k": 1}).class_ids, np.int64)

    def agreement(self, pairs: Pairs) -> float:
        """The share of pictures for which the class that is answered first is the same."""
        return agreement.of_classes(pairs)


def ranked(scores: Tensor, threshold: Threshold) -> Tensor:
    """The classes of `scores` `[classes]`, the best first, equal ones in the order of classes.

    With a threshold, or one for each class, only those that reach theirs.
    """
    order = np.argsort(-scores.astype(np.float64), kind="stable")
    return order if threshold is None else order[reached(scores, threshold)[order]]


def decided(score: Tensor, threshold: Threshold) -> Tensor:
    """Both classes of `score` `[1]`, the probability of class 1: the one that holds first."""
    if threshold is None:
        return ranked(two_sided(score), None)
    return np.array([1, 0] if reached(score, threshold)[0] else [0, 1])


def reached(scores: Tensor, threshold: float | tuple[float, ...]) -> Tensor:
    """Where scores are at least as high as theirs; in float32, as models compute."""
    return np.asarray(scores.astype(np.float32) >= np.asarray(threshold, np.float32))


def two_sided(score: Tensor) -> Tensor:
    """The scores of classes 0 and 1, by the probability `[1]` of class 1."""
    return np.concatenate([1 - score, score])


def texts(said: Any) -> list[str]:
    """What a model says of one picture: a label, or one for each class."""
    return [word.decode("utf-8", "replace") for word in np.atleast_1d(said)]
