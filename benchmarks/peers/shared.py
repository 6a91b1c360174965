"""What every peer does alike: read a picture, run the SavedModel, word the answer.

It needs Pillow, NumPy and TensorFlow, and nothing of Plumbline: it is what a user of the peer would
write. The environment names the model: `BENCH_MODEL` is a folder with `saved_model/` and
`declaration.json`.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

JSON = "application/json"
NPY = "application/x-npy"

TOP = 5


@dataclass(frozen=True)
class Declaration:
    """How pictures become tensors, `pixels / divisor - offset`, and how outputs are answered.

    `size` is (height, width); `answer` is "classes" (the five best, as JSON) or "tensor" (`.npy`).
    """

    size: tuple[int, int]
    filter: str
    divisor: float
    offset: float
    answer: str


def declared() -> Declaration:
    """The declaration of the model that the environment names."""
    file = Path(os.environ["BENCH_MODEL"], "declaration.json")
    return Declaration(**json.loads(file.read_text()))


def pixels(body: bytes, declaration: Declaration) -> np.ndarray:
    """A picture's file → float32 `[height, width, 3]`."""
    return prepared(Image.open(io.BytesIO(body)), declaration)


def prepared(picture: Image.Image, declaration: Declaration) -> np.ndarray:
    """A picture that is opened → float32 `[height, width, 3]`."""
    height, width = declaration.size
    chosen = Image.Resampling[declaration.filter.upper()]
    resized = picture.convert("RGB").resize((width, height), chosen)
    return np.asarray(resized, np.float32) / declaration.divisor - declaration.offset


class Model:
    """The SavedModel that `BENCH_MODEL` names, by its serving signature."""

    def __init__(self) -> None:
        import tensorflow as tf

        folder = Path(os.environ["BENCH_MODEL"])
        self.declaration = declared()
        # TensorFlow drops the variables of a model that nobody holds.
        self.loaded = tf.saved_model.load(str(folder / "saved_model"))
        self.signature = self.loaded.signatures["serving_default"]
        (self.input,) = self.signature.structured_input_signature[1]
        self.constant = tf.constant
        self.run(np.zeros((1, *self.declaration.size, 3), np.float32))

    def pixels(self, body: bytes) -> np.ndarray:
        """One picture as the model takes it."""
        return pixels(body, self.declaration)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """`[batch, height, width, 3]` → the only output, `[batch, …]`."""
        outputs = self.signature(**{self.input: self.constant(batch)})
        return np.asarray(next(iter(outputs.values())))

    def encode(self, output: np.ndarray) -> tuple[bytes, str]:
        """See `encode`."""
        return encode(output, self.declaration)


def encode(output: np.ndarray, declaration: Declaration) -> tuple[bytes, str]:
    """One picture's answer and its content type."""
    if declaration.answer == "classes":
        return json.dumps({"predictions": [classes(output)]}).encode(), JSON
    return npy(output), NPY


def classes(scores: np.ndarray) -> dict[str, Any]:
    """The five best, the best first."""
    best = np.argsort(-scores)[:TOP]
    return {"classes": [{"class_id": int(each), "score": float(scores[each])} for each in best]}


def npy(output: np.ndarray) -> bytes:
    """One picture's output as an `.npy` file, a batch of one."""
    buffer = io.BytesIO()
    np.save(buffer, output[np.newaxis])
    return buffer.getvalue()
