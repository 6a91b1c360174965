"""OpenVINO: a network compiled for this machine's CPU.

It is compiled twice: for a lone caller, whose request gets several cores, and for a crowd, each of
whose requests gets one. Which of the two answers depends on how many requests are running, in all
processes of the server.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.engines.base import PATIENCE, Engine, as_the_models
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import EngineError, InputRefused, PlumblineError
from plumbline.machine.allocator import forget_mapped
from plumbline.machine.shared_counts import Counts, counts_of
from plumbline.signature import Signature, TensorSpec
from plumbline.vision.arrays import Tensors
from plumbline.vision.normalize import Normalization

log = logging.getLogger("plumbline.engines")

QUICK_SECONDS = 0.005
"""What runs in less need not be broken off; to wait for it in another thread would cost more."""

CROWD_SECONDS = 0.2
"""How long after two requests have met others are expected; each gets one core until then."""


def preload() -> Any:
    """OpenVINO, imported without the part that reports its use to its makers, in a thread."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


@cache
def core() -> Any:
    """OpenVINO's register of devices, one for the process."""
    return preload().Core()


def computes_in(precision: str) -> bool:
    """Whether this machine's CPU computes in "f32" or "bf16".

    Asked for bf16 where there is none, OpenVINO computes in float32 without a word.
    """
    return precision == "f32" or "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class Network:
    """A compiled network, and the requests that run it: each for one caller at a time."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: list[Any] = []

    @contextmanager
    def request(self) -> Iterator[Any]:
        """A request that nobody else uses; one that was broken off is not used again."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        yield request
        self._idle.append(request)


class OpenVINOEngine:
    """A network of one signature; `run` may be called from several threads at once."""

    name = "openvino"

    def __init__(
        self, signature: Signature, places: Places, networks: Sequence[Network], running: Counts
    ) -> None:
        self.signature = signature
        self._places = places
        self._alone, self._crowd = networks
        self._running = running
        self._crowded_until = 0.0
        self._is_fixed = all(None not in spec.shape[1:] for spec in signature.inputs)
        self._took = math.inf
        """Seconds of the last run."""

    @property
    def others(self) -> Mapping[str, Engine]:
        """None: the other signatures were not compiled."""
        return {}

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        """See `Engine.run`; the instances of a batch are computed one by one."""
        count = len(next(iter(inputs.values())))
        with self.network() as network, network.request() as request:
            rows = [self.row(request, inputs, number, left) for number in range(count)]
        return {name: np.concatenate([row[name] for row in rows]) for name in self._places.outputs}

    def row(self, request: Any, inputs: Tensors, number: int, left: TimeLeft) -> Tensors:
        """The outputs `[1, …]` for one instance. Raises `EngineError`, and what `left` raises."""
        fed = {  # OpenVINO reads it where it is
            place: np.require(inputs[name][number : number + 1], requirements=("C", "W"))
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

    @contextmanager
    def network(self) -> Iterator[Network]:
        """The network that suits how many requests are running."""
        with self._running.one_more() as count:
            now = time.monotonic()
            if count > 1:
                self._crowded_until = now + CROWD_SECONDS
            yield self._alone if now >= self._crowded_until else self._crowd


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


@dataclass(frozen=True)
class Places:
    """At which place of the network each tensor of the signature stands."""

    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


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
    return OpenVINOEngine(signature, places, networks, counts_of("running", shared))


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


def folded(network: Any, place: int, normalization: Normalization) -> Any:
    """The network with the normalisation in front, for uint8 `[1, height, width, channels]`."""
    from openvino import Type
    from openvino import opset15 as ops
    from openvino.preprocess import PrePostProcessor

    def normalize(pixels: Any) -> Any:
        values = ops.convert(pixels, np.float32)
        if normalization.reverse:
            values = ops.gather(values, np.array([2, 1, 0]), np.array(3))
        values = ops.divide(values, np.float32(normalization.divisor))
        values = ops.multiply(values, np.float32(normalization.scale))
        values = ops.subtract(values, np.array(normalization.mean, np.float32))
        return ops.divide(values, np.array(normalization.std, np.float32)).output(0)

    processor = PrePostProcessor(network)
    processor.input(place).tensor().set_element_type(Type.u8)
    processor.input(place).preprocess().custom(normalize)
    return processor.build()


def convert(path: Path, signature: Signature, target: Path) -> None:
    """Write the SavedModel's network in OpenVINO's own format.

    What compiling would do first on any machine is done already, such as to put the factors of
    batch normalisation into the weights before it: they would be there twice otherwise, once as
    they were. Raises `EngineError`.
    """
    openvino = preload()
    from openvino._offline_transformations import apply_moc_transformations

    with told(path):
        network = core().read_model(path)
        places_in(network, signature)
        apply_moc_transformations(network, cf=True)
        name_layers(network)
        target.parent.mkdir(parents=True, exist_ok=True)
        openvino.save_model(network, target, compress_to_fp16=False)


def name_layers(network: Any) -> None:
    """Name the layers by their order: OpenVINO names them by what the process has read so far."""
    for number, layer in enumerate(network.get_ordered_ops()):
        layer.set_friendly_name(f"{layer.get_type_name()}_{number}")


def places_in(network: Any, signature: Signature) -> Places:
    """Where the signature's tensors stand. Raises `EngineError` if they are others."""
    found = [
        {
            spec.name: place
            for spec in specs
            for place, port in enumerate(ports)
            if spec.name in port.get_names()
        }
        for ports, specs in (
            (network.inputs, signature.inputs),
            (network.outputs, signature.outputs),
        )
    ]
    ports = (len(network.inputs), len(network.outputs))
    declared = (len(signature.inputs), len(signature.outputs))
    if not ports == declared == (len(found[0]), len(found[1])):
        raise EngineError(
            "OpenVINO reads other inputs or outputs than the model's signature has: it leaves out "
            "an output that is the same for every picture, for one."
        )
    return Places(*found)


def one_of(spec: TensorSpec) -> list[int]:
    """The shape of one instance, with its batch axis; -1 is any length."""
    return [1, *(-1 if length is None else length for length in spec.shape[1:])]


@contextmanager
def told(path: Path) -> Iterator[None]:
    """OpenVINO's errors as ours."""
    try:
        yield
    except RuntimeError as exc:
        said = str(exc).strip().splitlines()[-1][:300]
        raise EngineError(f"OpenVINO can't compile {path.name}: {said}") from exc
