"""The trained network → the job's model folder: first complete, then proven and packed."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from plumbline.archive import npz_outputs
from plumbline.errors import GoldenMismatch, PlumblineError
from plumbline.spec import model_spec as specs
from plumbline.spec.checks import FILE
from plumbline.training import handover
from plumbline.training.decoded_pictures import DecodedPictures
from plumbline.training.job import Job
from plumbline.training.stopping import Stop
from plumbline.vision.arrays import Tensor

SAVED_MODEL, LABELS, GOLDEN = "saved_model", "labels.txt", "golden"

GOLDEN_PICTURES = 10

Say = Callable[[str], None]


@dataclass(frozen=True)
class Finished:
    """What is handed over. `declaration` is the text of plumbline.toml, `note` training.json's."""

    network: Any
    declaration: str
    classes: Sequence[str]
    pictures: DecodedPictures
    truth: Tensor
    """`[n, classes]`, of the pictures, which are those of validation."""
    note: Mapping[str, Any]


def hand_over(finished: Finished, job: Job, stop: Stop, say: Say) -> None:
    """Write the model where it is uploaded from, then pack it there.

    If there is no time to pack it, what was written first stays. Raises `GoldenMismatch` where the
    server answers otherwise than this process; then the folder is empty.
    """
    say("Writing the model …")
    with tempfile.TemporaryDirectory(prefix="plumbline-model-") as name:
        lay_out(finished, Path(name))
        handover.replace(job.model, Path(name))
    try:
        with handover.in_time(stop):
            handover.pack_in_place(job.model, say)
    except handover.TimeIsUp:
        say(f"There was no time to pack the model, which is complete without. {handover.REPACK}")
    except GoldenMismatch:
        handover.empty(job.model)
        raise
    except PlumblineError as exc:
        say(f"Warning: the model is not packed, and is served as it is: {exc.message}")


def lay_out(finished: Finished, folder: Path) -> None:
    """A SavedModel, its declaration, labels, golden pictures and how it came about."""
    from plumbline.engines.keras_export import export

    export(finished.network, folder / SAVED_MODEL)
    (folder / FILE).write_text(finished.declaration, "utf-8")
    (folder / LABELS).write_text("".join(f"{name}\n" for name in finished.classes), "utf-8")
    (folder / handover.NOTES).write_text(json.dumps(finished.note, indent=1) + "\n", "utf-8")
    golden = folder / GOLDEN
    golden.mkdir()
    chosen = spread(finished.truth, GOLDEN_PICTURES)
    outputs = answers(finished, chosen)
    for place, number in enumerate(chosen):
        data = finished.pictures.entries[number].read()
        picture = golden / f"{place:02}.{ending(data)}"
        picture.write_bytes(data)
        npz_outputs.save(
            picture.with_name(f"{picture.name}.npz"),
            {name: array[place] for name, array in outputs.items()},
        )


def answers(finished: Finished, chosen: Sequence[int]) -> dict[str, Tensor]:
    """What the network answers here, in training, to the pictures as they were decoded for it."""
    from plumbline.engines.keras_export import outputs_by_name
    from plumbline.packing.convert_process import activated

    batch = finished.pictures.how.normalized(finished.pictures.batch(chosen))
    outputs = outputs_by_name(finished.network(batch, training=False))
    found = activated(outputs, specs.parse(finished.declaration))
    return {name: np.asarray(value) for name, value in found.items()}


def spread(truth: Tensor, most: int) -> list[int]:
    """Numbers of pictures, one class after the other until there are enough; sorted."""
    waiting = [list(np.flatnonzero(truth[:, number])) for number in range(truth.shape[1])]
    chosen: dict[int, None] = {}
    while len(chosen) < min(most, len(truth)) and any(waiting):
        for numbers in waiting:
            if numbers and len(chosen) < most:
                chosen[int(numbers.pop(0))] = None
    return sorted(chosen) or list(range(min(most, len(truth))))


def ending(data: bytes) -> str:
    """How files of this picture's format end."""
    with Image.open(io.BytesIO(data)) as picture:
        kind = (picture.format or "png").lower()
    return {"jpeg": "jpg", "mpo": "jpg", "tiff": "tif"}.get(kind, kind)
