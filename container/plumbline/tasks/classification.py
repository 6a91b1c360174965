"""Scores → the best labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from plumbline.arrays import Tensor, Tensors
from plumbline.errors import SpecError
from plumbline.signature import Signature, TensorSpec
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
    """One output `[batch, classes]`."""

    output: str

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

    def scores_of(self, signature: Signature) -> TensorSpec:
        """The declared output, or the only one."""
        named = {output.name: output for output in signature.outputs}
        wanted = self.spec.model.output
        if wanted is None and len(named) == 1:
            return signature.outputs[0]
        if wanted in named:
            return named[wanted]
        said = f"[model] output = {wanted!r}" if wanted else "[model] output is not set"
        raise SpecError(f"plumbline.toml: {said}, but it must be one of {', '.join(named)}.")

    def values(self, outputs: Tensors) -> Tensors:
        """The scores `[batch, classes]`, activated."""
        activate = ACTIVATIONS[self.spec.classification.activation]
        return {self.output: activate(outputs[self.output])}

    def results(self, values: Tensors, options: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The `top_k` classes of each picture, the best first."""
        top_k = options.get("top_k", self.spec.classification.top_k)
        return [{"classes": self.best(scores, top_k)} for scores in values[self.output]]

    def best(self, scores: Tensor, top_k: int) -> list[dict[str, Any]]:
        """The best classes of one picture; equal scores in the order of their classes."""
        order = np.argsort(-scores.astype(np.float64), kind="stable")[:top_k]
        return [
            {"label": self.label(index), "class_id": index, "score": scores[index]}
            for index in map(int, order)
        ]

    def label(self, index: int) -> str:
        """The class's label; its number where there are none."""
        return self.labels[index] if self.labels else str(index)
