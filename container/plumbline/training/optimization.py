"""The optimizer, and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from plumbline.training.hyperparameters import Values

NO_DECAY = ("bias", "gamma", "beta")
"""Variables that weight decay leaves alone, as MXNet does."""


POWER = 0.9
"""Of the polynomial by which segmenters are usually trained."""


def optimizer(values: Values) -> Any:
    """Keras's optimizer of that name."""
    import keras

    kinds = keras.optimizers
    name, decay = values["optimizer"], values["weight_decay"] or None
    momentum, gamma, epsilon = values["momentum"], values["gamma"], values["eps"]
    betas = {"beta_1": values["beta_1"], "beta_2": values["beta_2"], "epsilon": epsilon}
    built = {
        "sgd": lambda: kinds.SGD(momentum=momentum, weight_decay=decay),
        "nag": lambda: kinds.SGD(momentum=momentum, nesterov=True, weight_decay=decay),
        "nesterov": lambda: kinds.SGD(momentum=momentum, nesterov=True, weight_decay=decay),
        "adam": lambda: kinds.Adam(weight_decay=decay, **betas),
        "adamw": lambda: kinds.AdamW(weight_decay=decay or 0.0, **betas),
        "rmsprop": lambda: kinds.RMSprop(
            rho=gamma, momentum=momentum, epsilon=epsilon, weight_decay=decay
        ),
        "adagrad": lambda: kinds.Adagrad(epsilon=epsilon, weight_decay=decay),
        "adadelta": lambda: kinds.Adadelta(rho=gamma, epsilon=epsilon, weight_decay=decay),
    }[name]()
    built.exclude_from_weight_decay(var_names=NO_DECAY)
    return built


def learning_rates(values: Values, steps: int) -> Callable[[int], float]:
    """The rate of a step of all, counted from 0, where an epoch has so many."""
    first, factor = values["learning_rate"], values["lr_scheduler_factor"]
    drops = [steps * epoch for epoch in values["lr_scheduler_step"]]
    warm_up, last = steps * values["warm_up_epochs"], steps * values["epochs"]
    kind = values["learning_rate_schedule"]

    def rate(step: int) -> float:
        if step < warm_up:
            return float(first * (step + 1) / (warm_up + 1))
        if kind == "cosine":
            return float(first * (1 + math.cos(math.pi * step / last)) / 2)
        if kind == "poly":
            return float(first * (1 - step / last) ** POWER)
        if kind == "step":
            return float(first * factor ** sum(step >= drop for drop in drops))
        return float(first)

    return rate
