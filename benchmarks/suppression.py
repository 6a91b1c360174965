"""How long a detector's answer takes beside TensorFlow's own non-maximum suppression, on one core.

Run `python benchmarks/suppression.py`. The case is as large as an SSDLite of 300×300: 1,917 priors
with 21 classes, the scores of nearly all of them above the threshold.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import Detection, ModelSpec
from plumbline.tasks.detection import DetectionTask
from plumbline.vision.geometry import Geometry
from preprocess import on_one_core, one_thread_each, row

PRIORS = 1917
CLASSES = 21

ANCHORS = {"spread": (0.0, 1.0), "crowded": (0.45, 0.55)}
"""Where the centres of the priors lie."""


def rows(lowest: float, highest: float) -> np.ndarray:
    """Raw outputs `[1, priors, 4 + classes + 8]`."""
    rng = np.random.default_rng(0)
    powers = np.exp(rng.normal(size=(PRIORS, CLASSES)))
    centers, half = rng.uniform(lowest, highest, (PRIORS, 2)), rng.uniform(0.02, 0.2, (PRIORS, 2))
    parts = [
        rng.normal(size=(PRIORS, 4)),
        powers / powers.sum(axis=1, keepdims=True),
        np.concatenate([centers - half, centers + half], axis=1),
        np.tile([0.1, 0.1, 0.2, 0.2], (PRIORS, 1)),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)[np.newaxis]


def task(nms: str) -> DetectionTask:
    """What reads them."""
    declared = Detection(format="ssd", nms=nms, score_threshold=0.01)
    found = DetectionTask(ModelSpec(task="detection", detection=declared), None)
    picture = TensorSpec("picture", (None, 300, 300, 3), "float32")
    output = TensorSpec("rows", (None, PRIORS, CLASSES + 12), "float32")
    found.fit(Signature((picture,), (output,)))
    return found


def by_tensorflow(outputs: np.ndarray) -> object:
    """The suppression alone, of boxes that are decoded already."""
    import tensorflow as tf

    return tf.image.combined_non_max_suppression(
        outputs[:, :, None, -8:-4],
        outputs[:, :, 5 : 4 + CLASSES],
        max_output_size_per_class=400,
        max_total_size=200,
        iou_threshold=0.45,
        score_threshold=0.01,
        clip_boxes=False,
    )


def main() -> None:
    """Print a line for each case."""
    on_one_core()
    one_thread_each()
    geometry = [Geometry.whole((300, 300))]
    for name, span in ANCHORS.items():
        outputs = rows(*span)
        for nms in ("per-class", "agnostic"):
            ours = partial(task(nms).results, {"rows": outputs}, geometry, {})
            print(row(f"{name}, {nms}", ours, partial(by_tensorflow, outputs)))


if __name__ == "__main__":
    main()
