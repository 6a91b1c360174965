"""What a model's last layer may leave to whoever reads its scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from plumbline.vision.arrays import Tensor


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
