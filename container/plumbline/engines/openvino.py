"""OpenVINO: a network compiled for this machine's CPU.

It is compiled twice: for a lone caller, whose request gets several cores, and for a crowd, each of
whose requests gets one. Which of the two answers depends on how many requests are running, in all
processes of the server.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.engines.base import PATIENCE, Engine, as_the_models
from plumbline.engines.openvino_networks import (
    Places,
    core,
    folded,
    one_of,
    places_in,
    preload,
    told,
)
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import EngineError, InputRefused, PlumblineError
from plumbline.machine.allocator import forget_mapped
from plumbline.machine.shared_counts import Counts, counts_of
from plumbline.signature import Signature
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.normalize import Normalization

log = logging.getLogger("plumbline.engines")

QUICK_SECONDS = 0.005
"""What runs in less need not be broken off; to wait for it in another thread would cost more."""

CROWD_SECONDS = 0.2
"""How long after two requests have met others are expected; each gets one core until then."""


class Network:
    """A compiled network, and the requests that run it: each for one caller at a time."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: list[Any] = []

    def take(self) -> Any:
        """A request that nobody else uses."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._compiled.create_infer_request()

    def give_back(self, request: Any) -> None:
        """Let others use it; one that was broken off is not used again."""
        self._idle.append(request)


class OpenVINOEngine:
    """A network of one signature; `run` may be called from several threads at once."""

    name = "openvino"

    def __init__(
        self,
        signature: Signature,
        places: Places,
        networks: Sequence[Network],
        running: Counts,
        *,
        one_at_a_time: bool = False,
    ) -> None:
        self.signature = signature
        self._places = places
        self._alone, self._crowd = networks
        self._running = running
        self._crowded_until = 0.0
        self._one_at_a_time = one_at_a_time
        self._is_fixed = all(None not in spec.shape[1:] for spec in signature.inputs)
        self._took = math.inf
        """Seconds of the last run."""

    @property
    def is_quick(self) -> bool:
        """See `plumbline.engines.base.is_quick`."""
        return self._one_at_a_time and self._is_fixed and self._took < QUICK_SECONDS

    @property
    def others(self) -> Mapping[str, Engine]:
        """None: the other signatures were not compiled."""
        return {}

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        """See `Engine.run`; the instances of a batch are computed one by one."""
        count = len(next(iter(inputs.values())))
        with self._running.one_more() as running:
            network = self.network(running)
            request = network.take()
            rows = [self.row(request, inputs, number, left) for number in range(count)]
            network.give_back(request)
        if count == 1:
            return rows[0]
        return {name: np.concatenate([row[name] for row in rows]) for name in self._places.outputs}

    def row(self, request: Any, inputs: Tensors, number: int, left: TimeLeft) -> Tensors:
        """The outputs `[1, …]` for one instance. Raises `EngineError`, and what `left` raises."""
        fed = {  # OpenVINO reads it where it is
            place: readable(inputs[name][number : number + 1])
            for name, place in self._places.inputs.items()
        }
        begun = time.perf_counter()
        try:
            for place, tensor in fed.items():
                request.set_input_tensor(place, preload().Tensor(tensor, shared_memory=True))
            self.compute(request, left)
        except RuntimeError as exc:
            if not self._is_fixed:
                log.warning("The model refused an input: %s", str(exc)[:1000])
                raise InputRefused("The model can't compute an input of this size.") from exc
            raise EngineError("The model failed on this input; the server's log says why.") from exc
        self._took = time.perf_counter() - begun
        return {
            name: np.array(request.get_output_tensor(place).data)  # a look at all costs more
            for name, place in self._places.outputs.items()
        }

    def compute(self, request: Any, left: TimeLeft) -> None:
        """Run it in this thread if that is quick, and else where it can be broken off."""
        with as_the_models(), cancelled(request):
            if self._is_fixed and self._took < min(QUICK_SECONDS, left()):
                request.infer(share_outputs=True)
                return
            request.start_async()
            while not request.wait_for(max(1, int(1000 * min(PATIENCE, left())))):
                pass

    def network(self, running: int) -> Network:
        """The network that suits how many requests are running."""
        now = time.monotonic()
        if running > 1:
            self._crowded_until = now + CROWD_SECONDS
        return self._alone if now >= self._crowded_until else self._crowd


def readable(tensor: Tensor) -> Tensor:
    """The tensor as OpenVINO reads it where it is, in C's order; a copy where it isn't."""
    flags = tensor.flags
    return tensor if flags.c_contiguous and flags.writeable else np.array(tensor, order="C")


@contextmanager
def cancelled(request: Any) -> Iterator[None]:
    """Let a request end with the layer that it is at, if nobody waits for it any more."""
    try:
        yield
    except PlumblineError:
        request.cancel()
        raise


@dataclass(frozen=True)
class Threads:
    """Threads of one process for a lone request, and for all of a crowd's together.

    A crowd's requests are computed `streams` at a time, each on its share; None is one on each.
    """

    alone: int
    crowd: int
    streams: int | None = None


def load_network(
    path: Path,
    signature: Signature,
    precision: str,
    threads: Threads,
    normalization: Normalization | None = None,
    shared: Path | None = None,
) -> OpenVINOEngine:
    """The engine for a SavedModel, or for a network in OpenVINO's own format.

    `precision` is "f32" or "bf16". With a `normalization` its first input takes pictures' own
    bytes, and they are normalised in the network. `shared` is a folder of all processes of the
    server. Raises `EngineError` where OpenVINO can't read or compile it, or where it is another one
    than the signature says.
    """
    with told(path):
        network = core().read_model(path)
        places = places_in(network, signature)
        network.reshape({places.inputs[spec.name]: one_of(spec) for spec in signature.inputs})
        if normalization is not None:
            network = folded(network, places.inputs[signature.input().name], normalization)
            signature = signature.of_bytes()
        networks = compiled(network, precision, threads)
    forget_mapped(path.with_suffix(".bin"))  # what was compiled has weights of its own
    running = counts_of("running", shared)
    alone = (threads.streams or threads.crowd) == 1
    return OpenVINOEngine(signature, places, networks, running, one_at_a_time=alone)


def compiled(network: Any, precision: str, threads: Threads) -> list[Network]:
    """The network for a lone caller and for a crowd, compiled together; one where it's the same."""

    def compile_for(count: int, streams: int) -> Network:
        hints = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": count,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,
        }
        return Network(core().compile_model(network.clone(), "CPU", hints))

    alone, crowd = (threads.alone, 1), (threads.crowd, threads.streams or threads.crowd)
    if alone == crowd:
        return 2 * [compile_for(*alone)]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(compile_for, *zip(alone, crowd, strict=True)))
