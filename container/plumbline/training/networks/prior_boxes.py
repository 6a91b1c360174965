"""The layer of an SSD that says where its priors are."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from plumbline.vision.arrays import Tensor

VARIANCES = (0.1, 0.1, 0.2, 0.2)
"""What offsets are multiplied by: of the centre's x and y, of width and height."""


def priors(sides: tuple[tuple[float, float], ...], rows: int, columns: int) -> Tensor:
    """Corners and variances `[rows · columns · sides, 8]` float32: boxes of these sides, 0..1.

    They lie around the middle of each cell, cut off where they reach beyond the picture.
    """
    x, y = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
    centers, reach = np.stack([x, y], axis=-1)[:, :, np.newaxis], np.array(sides) / 2
    corners = np.concatenate([centers - reach, centers + reach], axis=-1).reshape(-1, 4)
    variances = np.tile(VARIANCES, (len(corners), 1))
    return np.concatenate([np.clip(corners, 0, 1), variances], axis=1).astype(np.float32)


def prior_boxes(sides: tuple[tuple[float, float], ...], number: int) -> Any:
    """The layer of a map: its cells `[n, rows, columns, …]` → `[n, priors, 8]` float32."""
    return layer_class()(sides, name=f"priors_{number}", dtype="float32")


@cache
def layer_class() -> Any:
    """The class, which Keras is needed for."""
    import keras

    @keras.saving.register_keras_serializable("plumbline")
    class PriorBoxes(keras.layers.Layer):  # type: ignore[misc]
        """The same priors for every picture of the batch."""

        def __init__(self, sides: Any, **named: Any) -> None:
            super().__init__(**named)
            self.sides = tuple(map(tuple, sides))

        def get_config(self) -> dict[str, Any]:
            """What makes the layer anew."""
            return {**super().get_config(), "sides": self.sides}

        def call(self, cells: Any) -> Any:
            """The priors, as often as there are pictures."""
            found = priors(self.sides, *cells.shape[1:3])
            return keras.ops.broadcast_to(found, (keras.ops.shape(cells)[0], *found.shape))

    return PriorBoxes
