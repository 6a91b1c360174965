"""What training jobs leave behind, and a way to end them early."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.training.pretrained_weights import saved_arrays
from plumbline.training.stopping import Stop


class After(Stop):
    """Asks to end after so many looks."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    @property
    def requested(self) -> bool:
        """Whether it has been looked at so often."""
        self.looks -= 1
        if self.looks < 0:
            self.request()
        return self._event.is_set()


def note(model: Path) -> dict[str, Any]:
    """What the job says of itself."""
    found: dict[str, Any] = json.loads((model / "training.json").read_text())
    return found


def weights(model: Path) -> list[bytes]:
    """The bytes of its weights."""
    return [array.tobytes() for array in saved_arrays(model / "saved_model")]


def kernels(model: Path) -> list[np.ndarray]:
    """What is learnt, without the averages of batches."""
    return [array for array in saved_arrays(model / "saved_model") if array.ndim > 1]
