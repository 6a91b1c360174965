"""Scores → the best labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from plumbline.arrays import Tensor, Tensors
from plumbline.errors import SpecError
from plumbline.signature import TEXT, Signature, TensorSpec
from plumbline.tasks.base import Task


def softmax(logits: Tensor) -> Tensor:
    """Equals `tf.nn.softmax` over the last axis, in float32."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def sigmoid(logits: Tensor) -> Tensor:
    """Equals `tf.math.sigmoid`; tanh does not overflow where exp would."""
    return np.asarray(0.5 * (np.tanh(0.5 * logits) + 1), logits.dtype)


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {"none": lambda scores: scores, "softmax": softmax, "sigmoid": sigmoid}
)


class ClassificationTask(Task):
    """One output of scores `[batch, classes]`; another may say the best label, or each class's."""

    output: str
    words: str | None

    def fit(self, signature: Signature) -> None:
        """Take the output that holds the scores, and check it against the labels."""
        if len(signature.inputs) != 1:
            raise SpecError(
                'task = "classification" needs a model with one input, but this one has '
                f"{len(signature.inputs)}: {', '.join(map(str, signature.inputs))}."
            )
        found = self.scores_of(signature)
        if len(found.shape) != 2:
            raise SpecError(
                f'task = "classification" needs an output [batch, classes], but the model\'s is '
                f"{found}."
            )
        classes = found.shape[1]
        if self.labels and classes is not None and len(self.labels) != classes:
            raise SpecError(
                f"There are {len(self.labels)} labels, but the model has {classes} classes "
                f"({found}). Give one label for each class, in the order of training."
            )
        self.output = found.name
        self.words = next((spec.name for spec in signature.outputs if spec.dtype == TEXT), None)

    @classmethod
    def suits(cls, signature: Signature) -> bool:
        """Whether the model looks like a classifier: one input, one output `[batch, classes]`."""
        numbers = [spec for spec in signature.outputs if spec.dtype != TEXT]
        return len(signature.inputs) == len(numbers) == 1 and len(numbers[0].shape) == 2

    def scores_of(self, signature: Signature) -> TensorSpec:
        """The declared output, or the only one of numbers."""
        named = {spec.name: spec for spec in signature.outputs if spec.dtype != TEXT}
        wanted = self.spec.model.output
        if not named:
            raise SpecError(
                'task = "classification" needs an output of scores [batch, classes], but the model '
                f"gives only {', '.join(map(str, signature.outputs))}. Export it with its scores."
            )
        if wanted is None and len(named) == 1:
            return next(iter(named.values()))
        if wanted in named:
            return named[wanted]
        said = f"[model] output = {wanted!r}" if wanted else "[model] output is not set"
        raise SpecError(f"plumbline.toml: {said}, but it must be one of {', '.join(named)}.")

    def values(self, outputs: Tensors) -> Tensors:
        """The scores `[batch, classes]`, activated."""
        activate = ACTIVATIONS[self.spec.classification.activation]
        return {self.output: activate(outputs[self.output])}

    def results(self, outputs: Tensors, options: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The `top_k` classes of each picture, the best first."""
        top_k = options.get("top_k", self.spec.classification.top_k)
        scores = self.values(outputs)[self.output]
        words = outputs[self.words] if self.words else [None] * len(scores)
        return [
            {"classes": self.best(row, said, top_k)}
            for row, said in zip(scores, words, strict=True)
        ]

    def best(self, scores: Tensor, said: Any, top_k: int) -> list[dict[str, Any]]:
        """The best classes of one picture; equal scores in the order of their classes."""
        order = np.argsort(-scores.astype(np.float64), kind="stable")[:top_k]
        words = [word.decode("utf-8", "replace") for word in np.atleast_1d(said) if word]
        return [
            {"label": self.label(index, words, rank), "class_id": index, "score": scores[index]}
            for rank, index in enumerate(map(int, order))
        ]

    def label(self, index: int, words: list[str], rank: int) -> str:
        """The class's label: the archive's, or what the model says, or else its number."""
        if self.labels:
            return self.labels[index]
        if len(words) == 1:
            return str(index) if rank else words[0]
        return words[index] if index < len(words) else str(index)
