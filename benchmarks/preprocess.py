"""How long each filter and each decoder takes, beside the library that it equals, on one core.

Run `make bench-preprocess`. The two of a pair take turns, so that a busy neighbour meets both
alike.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Read by the libraries when they are first imported, and never again."""

SIZE = (224, 224)
ROUNDS = 40
CALLS = 5

Call = Callable[[], Any]


def on_one_core() -> None:
    """Hold this process to one core, and NumPy to one thread: by starting it again, if need be."""
    if any(os.environ.get(name) != value for name, value in THREADS.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **THREADS})
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def one_thread_each() -> None:
    """The same for the libraries."""
    import cv2
    import tensorflow as tf

    cv2.setNumThreads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def milliseconds(call: Call) -> float:
    """What one call takes, of a few."""
    begin = time.perf_counter()
    for _ in range(CALLS):
        call()
    return 1000 * (time.perf_counter() - begin) / CALLS


def row(name: str, ours: Call, library: Call) -> str:
    """A pair: the medians of both, and of their ratios."""
    for _ in range(2):
        milliseconds(ours)
        milliseconds(library)
    pairs = [(milliseconds(ours), milliseconds(library)) for _ in range(ROUNDS)]
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(first / second for first, second in pairs)
    return f"| {name} | {mine:.2f} | {theirs:.2f} | {ratio:.2f} |"


def filters() -> Iterator[str]:
    """Every filter, array to array."""
    import numpy as np

    from encoded import photograph
    from libraries import RESIZERS
    from plumbline.vision.resize import FILTERS

    pixels = np.asarray(photograph((480, 640)))
    for name, resize in FILTERS.items():
        yield row(f"`{name}`", partial(resize, pixels, SIZE), partial(RESIZERS[name], pixels, SIZE))


def decoders() -> Iterator[str]:
    """Files to arrays, the checks of what was sent included."""
    from encoded import encode, photograph
    from libraries import pillow_decode, tensorflow_decode
    from plumbline.vision.images import Limits, decode

    picture = photograph((480, 640))
    libraries = {"pillow": pillow_decode, "tensorflow": tensorflow_decode}
    for kind, options in (("JPEG", {"quality": 90}), ("PNG", {})):
        data = encode(picture, kind, **options)
        for name, library in libraries.items():
            ours = partial(decode, data, color="rgb", exif=True, limits=Limits(), decoder=name)
            yield row(f"{kind}, `{name}`", ours, partial(library, data))


def table() -> Iterator[str]:
    """The lines of a Markdown table."""
    yield "| 640×480 RGB, to 224×224 | Plumbline, ms | the library, ms | ratio |"
    yield "|---|---|---|---|"
    yield from filters()
    yield from decoders()


if __name__ == "__main__":
    on_one_core()
    one_thread_each()
    for line in table():
        print(line, flush=True)
