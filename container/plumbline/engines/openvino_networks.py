"""OpenVINO's networks before they are compiled: read, normalising, converted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.errors import EngineError
from plumbline.signature import Signature, TensorSpec
from plumbline.vision.normalize import Normalization


@cache
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


@dataclass(frozen=True)
class Places:
    """At which place of the network each tensor of the signature stands."""

    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


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


@contextmanager
def told(path: Path) -> Iterator[None]:
    """OpenVINO's errors as ours."""
    try:
        yield
    except RuntimeError as exc:
        said = str(exc).strip().splitlines()[-1][:300]
        raise EngineError(f"OpenVINO can't compile {path.name}: {said}") from exc
