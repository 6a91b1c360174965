"""The network of a job, with its weights and its loss, ready to learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from plumbline.training import optimization, pretrained_weights
from plumbline.training.hyperparameters import Values
from plumbline.training.job import Job
from plumbline.training.networks import network_table

FULL, HALF = "float32", "mixed_float16"


@dataclass(frozen=True)
class Wanted:
    """How a network is built, what judges it, and which of its layers are its own.

    `loss_and_metrics` makes Keras's loss and metrics of the network's outputs; `top` tells how many
    arrays are in the layers that depend on the data, at the end, and `body` which are the others.
    """

    make: Callable[[], Any]
    loss_and_metrics: Callable[[], tuple[Any, list[Any]]]
    top: Callable[[Any], int] = lambda _: pretrained_weights.TOP
    body: Callable[[Any], Sequence[Any]] = lambda network: network.layers[:-1]


@dataclass(frozen=True)
class Networks:
    """The network that learns; the one that is served computes in float32, and may be the same."""

    learning: Any
    served: Any
    told: str
    """Where the weights come from; empty where they begin at random."""

    def in_float32(self) -> Any:
        """The network that is served, with what the other has learnt."""
        if self.served is not self.learning:
            self.served.set_weights(self.learning.get_weights())
        return self.served


def build(job: Job, values: Values, wanted: Wanted) -> Networks:
    """Both networks, the first one compiled, on all GPUs of the machine.

    Raises `TrainingError` for weights and `HyperparameterError` for layers that are not there.
    """
    import keras
    import tensorflow as tf

    policy = values["mixed_precision"]
    if policy == "none":
        policy = HALF if values["precision_dtype"] == "float16" else FULL
    devices = len(tf.config.list_physical_devices("GPU"))
    strategy = tf.distribute.MirroredStrategy() if devices > 1 else tf.distribute.get_strategy()
    with strategy.scope():
        keras.config.set_dtype_policy(policy)
        network = wanted.make()
        keras.config.set_dtype_policy(FULL)
        told = pretrained_weights.start_from(job, values, network, wanted.top(network))
        only_top = values.chosen.get("train_only_on_top_layer", False)
        network_table.freeze(network, wanted.body(network), values["freeze"], only_top)
        loss, metrics = wanted.loss_and_metrics()
        optimizer = optimization.optimizer(values)
        if policy == HALF:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        # XLA takes up to six times as long as TensorFlow's own operations on a CPU.
        network.compile(optimizer, loss, metrics=metrics, jit_compile="auto" if devices else False)
    served = network if policy == FULL else wanted.make()
    return Networks(network, served, told)
