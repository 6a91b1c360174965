"""Mistakes of decoders that are copied from repository to repository are told from one another.

The reference is an SSD's decoder as those repositories have it, written in plain Python, with one
line wrong at a time.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from plumbline.archive.contents import GoldenPicture
from plumbline.engines.base import Engine
from plumbline.engines.time_left import TimeLeft
from plumbline.loading.likely_causes import explain
from plumbline.pipeline.stages import Pipeline
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import Detection, ModelSpec
from plumbline.tasks.task_table import make_task
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.images import Limits

CLASSES = 3
Row = list[float]


@dataclass(frozen=True)
class PriorEngine:
    """An SSD of four priors far from one another, whose offsets depend on the picture."""

    name: str = "priors"
    signature = Signature(
        (TensorSpec("image", (None, 8, 8, 3), "float32"),),
        (TensorSpec("rows", (None, 4, 4 + CLASSES + 8), "float32"),),
    )

    @property
    def others(self) -> Mapping[str, Engine]:
        return {}

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        return {"rows": np.stack([self.rows(image) for image in inputs["image"]])}

    def rows(self, image: Tensor) -> Tensor:
        random = np.random.default_rng(int(image.sum()))
        corners = [(0.1, 0.1), (0.6, 0.1), (0.1, 0.6), (0.6, 0.6)]
        rows = []
        for left, top in corners:
            offsets = random.uniform(-0.6, 0.6, 4)
            scores = random.dirichlet([1, 1, 1])
            prior = [left, top, left + 0.3, top + 0.15]
            rows.append([*offsets, *scores, *prior, 0.1, 0.1, 0.2, 0.2])
        return np.array(rows, np.float32)


def decoded(row: Row, wrong: str) -> Row:
    x, y, w, h = row[1::-1] + row[3:1:-1] if wrong == "swapped offsets" else row[:4]
    left, top, right, bottom = row[-8:-4]
    of_x, of_y, of_w, of_h = [1.0] * 4 if wrong == "variances" else row[-4:]
    width, height = right - left, bottom - top
    center_x = x * of_x * (height if wrong == "height" else width) + (left + right) / 2
    center_y = y * of_y * (width if wrong == "width" else height) + (top + bottom) / 2
    width, height = width * math.exp(w * of_w), height * math.exp(h * of_h)
    box = [center_x - width / 2, center_y - height / 2, center_x + width / 2, center_y + height / 2]
    return [min(max(side, 0.0), 1.0) for side in box]


def reference(rows: Tensor, wrong: str) -> Tensor:
    background = CLASSES - 1 if wrong == "background" else 0
    found = [
        [number, score, *decoded(row, wrong)]
        for row in rows.tolist()
        for number, score in enumerate(row[4 : 4 + CLASSES])
        if number != background and score > 0.2
    ]
    found.sort(key=lambda row: -row[1])
    if wrong == "corners":
        found = [[number, score, y, x, b, r] for number, score, x, y, r, b in found]
    if wrong == "classes":
        found = [[number - 1, *rest] for number, *rest in found]
    return np.array(found, np.float32)


WORDS = {
    "width": "multiplies the vertical offset by the prior's width, where its height is meant",
    "height": "multiplies the horizontal offset by the prior's height, where its width is meant",
    "variances": "leaves the variances out",
    "swapped offsets": "takes the offsets as y, x, height, width",
    "corners": "swaps x and y",
    "classes": "numbers the classes one too low",
}


def explained(engine: PriorEngine, wrong: Callable[[Tensor], Tensor]) -> str:
    spec = ModelSpec(task="detection", detection=Detection(format="ssd", nms="none"))
    task = make_task(spec, None)
    task.fit(engine.signature)
    goldens = []
    for seed in range(3):
        noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
        file = io.BytesIO()
        Image.fromarray(noise).save(file, "PNG")
        rows = engine.rows(noise.astype(np.float32))
        goldens.append(GoldenPicture(f"{seed}.png", file.getvalue(), {"output": wrong(rows)}))
    return explain(Pipeline(spec, engine, task, Limits(), 8), goldens, goldens[0], 60)


@pytest.mark.parametrize("mistake", WORDS)
def test_the_mistake_of_a_reference_is_named(mistake: str) -> None:
    said = explained(PriorEngine(), lambda rows: reference(rows, mistake))
    assert said.startswith(f"Your reference code {WORDS[mistake]}")
    assert said.endswith("With that mistake they come out right.")


def test_a_background_at_the_end_can_be_declared() -> None:
    said = explained(PriorEngine(), lambda rows: reference(rows, "background"))
    assert said == (
        "With [detection] background = 2 (your reference code takes the last class for the "
        "background) they come out right."
    )


def test_another_threshold_can_be_declared() -> None:
    said = explained(PriorEngine(), lambda rows: rows_above(reference(rows, ""), 0.5))
    assert said == "With [detection] score_threshold = 0.5 they come out right."


def rows_above(rows: Tensor, threshold: float) -> Tensor:
    return rows[rows[:, 1] > threshold]
