"""Names for the arrays that flow through the house."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""A picture: `[height, width, channels]`, uint8."""

Tensor: TypeAlias = NDArray[Any]
"""What a model takes or gives; the first axis is the batch."""

Tensors: TypeAlias = dict[str, Tensor]
"""Tensors by the name that the model's signature gives them."""
