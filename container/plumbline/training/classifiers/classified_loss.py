"""What a classifier's logits are judged by."""

from __future__ import annotations

from typing import Any

from plumbline.training.hyperparameters import Values


def loss_and_metrics(values: Values) -> tuple[Any, list[Any]]:
    """The loss, and the metrics of the batches, of logits."""
    import keras

    smoothing = values["label_smoothing"]
    if values["multi_label"]:
        return (
            keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing),
            [keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)],
        )
    return (
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing),
        [keras.metrics.CategoricalAccuracy("accuracy")],
    )
