"""Masks: the class of each pixel."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Mask: TypeAlias = NDArray[np.uint8]
"""`[height, width]`: the class of each pixel."""

UNSEEN = 255
"""The class of pixels that the model did not see, as where `crop` cuts the margins off."""


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """COCO's compressed run-length encoding of a mask `[height, width]`."""
    raise NotImplementedError
