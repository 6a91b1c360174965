"""How well the network does on the validation pictures, by the path of requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plumbline.training.classifiers.labelled_batches import targets
from plumbline.training.decoded_pictures import DecodedPictures
from plumbline.vision.arrays import Tensor

ACCURACY, LOSS = "validation:accuracy", "validation:loss"

THRESHOLD = 0.5
"""From which score on a class counts as seen, where a picture may have several."""

LEAST = 1e-7
"""Scores below this count as this in the loss, as in Keras."""


@dataclass
class Validation:
    """Validation pictures, and the scores of the last time that they were looked at.

    Nothing is augmented, and the network computes in float32, as the server does.
    """

    pictures: DecodedPictures
    classes: int
    several: bool
    top_k: int | None = None
    size: int = 64
    compiled: Any = field(init=False, default=None)
    """The network as a function, once it has been asked."""
    truth: Tensor = field(init=False)
    """`[n, classes]`: 1 for each class that a picture has."""

    def __post_init__(self) -> None:
        self.truth = targets([entry.label for entry in self.pictures.entries], self.classes)

    def scores(self, network: Any) -> Tensor:
        """The network's answers: `[n, classes]` float32, each from 0 to 1."""
        if self.compiled is None:
            self.compiled = answering(network, self.several)
        found = []
        for begin in range(0, len(self.truth), self.size):
            chosen = range(begin, min(begin + self.size, len(self.truth)))
            batch = self.pictures.how.normalized(self.pictures.batch(chosen))
            found.append(np.asarray(self.compiled(batch)))
        return np.concatenate(found)

    def metrics(self, network: Any) -> dict[str, float]:
        """Accuracy, loss, and how often the class is among the first few, if that is asked."""
        return self.judged(self.scores(network))

    def judged(self, scores: Tensor) -> dict[str, float]:
        """The same of these scores."""
        sure = np.clip(scores, LEAST, 1 - LEAST).astype(np.float64)
        if self.several:
            each = -(self.truth * np.log(sure) + (1 - self.truth) * np.log(1 - sure))
            right = (scores >= THRESHOLD) == (self.truth > 0)
            return {ACCURACY: float(right.mean()), LOSS: float(each.mean())}
        truth = self.truth.argmax(axis=-1)
        loss = -np.log(sure[np.arange(len(truth)), truth])
        found = {
            ACCURACY: float((scores.argmax(axis=-1) == truth).mean()),
            LOSS: float(loss.mean()),
        }
        if self.top_k:
            first = np.argsort(-scores, axis=-1, kind="stable")[:, : self.top_k]
            among = (first == truth[:, np.newaxis]).any(axis=-1)
            found[f"validation:top_k_accuracy_{self.top_k}"] = float(among.mean())
        return found


def answering(network: Any, several: bool) -> Any:
    """The network's scores as a function of pictures.

    `predict_on_batch` would answer once for each GPU that the network learns on.
    """
    import tensorflow as tf

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def answer(pictures: Any) -> Any:
        logits = network(pictures, training=False)
        return tf.sigmoid(logits) if several else tf.nn.softmax(logits)

    return answer
