"""The first run of a model, which costs more than any other, and how long further ones take."""

from __future__ import annotations

import io
import logging
import time

from PIL import Image

from plumbline.loading.golden_check import time_left
from plumbline.pipeline.model_inputs import check_pictures
from plumbline.pipeline.stages import Pipeline
from plumbline.vision.images import DEEP

log = logging.getLogger("plumbline.loading")

PACED = 10
"""How often each of several forms is timed before one is chosen."""


def pace(pipeline: Pipeline) -> float:
    """Seconds that a black picture takes, the best of some."""

    def seconds() -> float:
        start = time.perf_counter()
        warm_up(pipeline)
        return time.perf_counter() - start

    return min(seconds() for _ in range(PACED))


def warm_up(pipeline: Pipeline) -> None:
    """Answer for a black picture, so that no caller pays for what only the first run does.

    Raises `InputRefused` where a model takes other bytes than a picture's.
    """
    pipeline = pipeline.bare
    reason = check_pictures(pipeline.spec, pipeline.signature)
    if reason:
        log.warning("The model is served for tensors only, not for pictures. %s", reason)
        return
    black = io.BytesIO()
    deep = pipeline.spec.preprocess.color == DEEP
    kind = "PNG" if deep else pipeline.limits.formats[0]
    Image.new("I;16" if deep else "RGB", (64, 64)).save(black, kind)
    pipeline.values(black.getvalue(), time_left)
