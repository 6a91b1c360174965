"""Runs inside the process of `quantize.py`: NNCF quantises, under control of agreement.

It sends `{"done": name}` for each picture that calibrates, or `{"error": text}` once.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.archive import accelerated_files
from plumbline.archive.contents import open_archive, read_outputs
from plumbline.engines.openvino_networks import Places, core, name_layers, one_of, places_in
from plumbline.errors import PackingError
from plumbline.machine.child_process import received, send
from plumbline.packing.quantize import Pace
from plumbline.pipeline.model_inputs import Prepared, prepared
from plumbline.pipeline.picture_view import View, seen, view_of
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.settings import environment
from plumbline.signature import Signature
from plumbline.spec.model_spec import ModelSpec
from plumbline.tasks.base import Task
from plumbline.tasks.task_table import fitted, suited
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.images import Limits

BYTES = 512 * 1024**2
"""Of the pictures as the model takes them."""

WEIGHTED = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul")
"""The layers that are quantised."""


def main() -> None:
    """Answer the request; whatever goes wrong becomes a message."""
    request, messages = received()
    try:
        quantize(request, lambda name: send(messages, done=name))
    except PackingError as exc:
        send(messages, error=exc.message)
    except Exception as exc:  # whatever NNCF raises for a network that it can't read
        traceback.print_exc()
        said = (str(exc).strip().splitlines() or [""])[0][:300]
        send(messages, error=f"{type(exc).__name__}: {said}")


@dataclass(frozen=True)
class Samples:
    """Pictures as the model takes them, and what the original's answers to them mean."""

    names: Sequence[str]
    pictures: Sequence[Prepared]
    truths: Tensors
    task: Task
    places: Places
    view: View | None

    def input(self, number: int) -> Tensor | tuple[Tensor, ...]:
        """The network's input `[1, …]` for a picture, or its inputs in their order."""
        batch = self.pictures[number].tensor[np.newaxis]
        if self.view is None:
            return batch
        fed, places = self.view.inputs(batch), self.places.inputs
        return tuple(fed[name] for name in sorted(places, key=places.__getitem__))

    def outputs(self, network: Any, number: int) -> Tensors:
        """The outputs `[1, …]` of a compiled network for a picture."""
        found = network(self.input(number))
        return {name: found[place] for name, place in self.places.outputs.items()}

    def agreement(self, network: Any, numbers: Iterable[int]) -> tuple[float, None]:
        """That of a compiled network with the original, and no outputs.

        With outputs NNCF would rank the layers by what is left of the error without each, and put
        back first those that leave the most of it (so does `Ranker` of 3.4); without them it ranks
        by the agreement, and begins with those that help most.
        """
        agreement = self.task.agreement(
            (
                self.truths[str(number)],
                self.task.gist(self.outputs(network, number), self.pictures[number].geometry),
            )
            for number in numbers
        )
        return agreement, None


def quantize(request: Mapping[str, Any], done: Callable[[str], None]) -> None:
    """Calibrate, quantise, put back what costs too much, and write the network."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # NNCF reports nothing
    import nncf
    import openvino

    signature = accelerated_files.signature(request["signature"])
    network = core().read_model(request["network"])
    places = places_in(network, signature)
    network.reshape({places.inputs[spec.name]: one_of(spec) for spec in signature.inputs})
    samples = read_samples(request, signature, places)
    pace = pace_of(network, samples)
    numbers = range(len(samples.pictures))
    waiting = set(numbers)

    def calibrating(number: int) -> Tensor | tuple[Tensor, ...]:
        if number in waiting:
            waiting.remove(number)
            done(samples.names[number])
        return samples.input(number)

    quantized = nncf.quantize_with_accuracy_control(
        network,
        nncf.Dataset(numbers, calibrating),
        nncf.Dataset(numbers, samples.input),
        samples.agreement,
        max_drop=request["max_drop"],
        preset=nncf.QuantizationPreset.MIXED,
        target_device=nncf.TargetDevice.CPU,
        subset_size=len(numbers),
        advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
            max_num_iterations=pace.rounds(len(numbers)),
            ranking_subset_size=pace.ranked_by,
            num_ranking_workers=1,
        ),
    )
    if not any(layer.get_type_name() == "FakeQuantize" for layer in quantized.get_ops()):
        raise PackingError("to keep to min_agreement, every layer had to be put back into floats")
    name_layers(quantized)
    openvino.save_model(quantized, request["target"], compress_to_fp16=False)


def pace_of(network: Any, samples: Samples) -> Pace:
    """How long the network takes here, as it is."""
    start = time.perf_counter()
    compiled = core().compile_model(network, "CPU")
    samples.outputs(compiled, 0)  # the first takes longer
    begun = time.perf_counter()
    samples.outputs(compiled, 0)
    layers = [layer for layer in network.get_ops() if layer.get_type_name() in WEIGHTED]
    return Pace(begun - start, time.perf_counter() - begun, len(layers))


def read_samples(request: Mapping[str, Any], signature: Signature, places: Places) -> Samples:
    """The request's pictures, as many of the first as there is memory for."""
    archive = open_archive(
        Path(request["root"]), allow_ops=environment.from_environment().allow_ops
    )
    as_pictures = seen(archive.spec, signature)
    spec = suited(archive.spec, as_pictures)
    files = [Path(picture) for picture in request["pictures"]]
    pictures = list(within(BYTES, made(files, spec, as_pictures)))
    return Samples(
        names=[file.name for file in files],
        pictures=pictures,
        truths=read_outputs(Path(request["truths"])),
        task=fitted(spec, archive.labels, as_pictures),
        places=places,
        view=view_of(spec, signature),
    )


def made(files: Iterable[Path], spec: ModelSpec, signature: Signature) -> Iterator[Prepared]:
    """Each picture as the model takes it, the very way that requests take."""
    for file in files:
        yield prepared(file.read_bytes(), spec, signature.input(), Limits(), Stopwatch())


def within(most: int, pictures: Iterable[Prepared]) -> Iterator[Prepared]:
    """The first pictures, until they have so many bytes; one at least."""
    total = 0
    for picture in pictures:
        yield picture
        total += picture.tensor.nbytes
        if total >= most:
            return


if __name__ == "__main__":
    main()
