"""The limit: decode, preprocess and infer in threads of one process, without any server.

    python benchmarks/bare.py tensorflow MODEL_FOLDER PICTURE SECONDS

prints pictures a second by the number of threads, as JSON. The decoder is the fastest there is
whose pixels equal Pillow's, so that nothing but the engine sets the limit.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

from peers.shared import declared, prepared

Infer = Callable[[np.ndarray], Any]

SERVE = "serve"


def tensorflow(folder: Path, threads: int) -> Infer:  # noqa: ARG001
    """A session over the SavedModel, which is what TensorFlow Serving runs; safe in threads."""
    import tensorflow as tf

    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        loaded = tf.compat.v1.saved_model.load(session, [SERVE], str(folder))
    signature = loaded.signature_def["serving_default"]
    (fed,), (fetched,) = (tuple(part.values()) for part in (signature.inputs, signature.outputs))
    tensor = session.graph.get_tensor_by_name(fed.name)
    run: Infer = session.make_callable(fetched.name, feed_list=[tensor])
    return run


def openvino(folder: Path, threads: int) -> Infer:
    """OpenVINO in f32: all cores for one caller, a stream for each of several."""
    import openvino as ov

    config = {
        "PERFORMANCE_HINT": "LATENCY" if threads == 1 else "THROUGHPUT",
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": str(min(threads, os.cpu_count() or 1)),
    }
    core = ov.Core()
    model = core.read_model(folder)
    model.reshape({model.input(0): [1, *model.input(0).partial_shape[1:]]})
    compiled = core.compile_model(model, "CPU", config)
    local = threading.local()

    def run(batch: np.ndarray) -> Any:
        if not hasattr(local, "request"):
            local.request = compiled.create_infer_request()
        return local.request.infer([batch])[0]

    return run


ENGINES: Mapping[str, Callable[[Path, int], Infer]] = MappingProxyType(
    {"tensorflow": tensorflow, "openvino": openvino}
)


def rate(work: Callable[[], Any], threads: int, seconds: float) -> float:
    """How often a second so many threads do the work."""
    begin = time.perf_counter()
    done = [0] * threads

    def loop(number: int) -> None:
        while time.perf_counter() - begin < seconds:
            work()
            done[number] += 1

    started = [threading.Thread(target=loop, args=(number,)) for number in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return sum(done) / (time.perf_counter() - begin)


def measure(engine: str, folder: Path, picture: Path, seconds: float) -> dict[int, float]:
    """Pictures a second by threads: one, one a core, two a core."""
    declaration, body = declared(), picture.read_bytes()
    cores = os.cpu_count() or 1
    rates = {}
    for threads in (1, cores, 2 * cores):
        infer = ENGINES[engine](folder / "saved_model", threads)

        def work(infer: Infer = infer) -> Any:
            pixels = simplejpeg.decode_jpeg(body)
            return infer(prepared(Image.fromarray(pixels), declaration)[np.newaxis])

        rate(work, threads, seconds / 4)
        rates[threads] = rate(work, threads, seconds)
    return rates


if __name__ == "__main__":
    chosen, model, file, lasting = sys.argv[1:]
    os.environ["BENCH_MODEL"] = model
    print(json.dumps(measure(chosen, Path(model), Path(file), float(lasting))))
