"""Pictures and their masks in every layout that training jobs read, as SageMaker gives them."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from plumbline.training.readers.recordio import frame

CLASSES = 3
"""Ground, stroke and the middle of a stroke."""

IGNORED = 255

EXIF_ORIENTATION = 0x0112


class Masked(NamedTuple):
    """A picture's file, its mask `[height, width]` as the file lies, and how the file ends."""

    data: bytes
    mask: np.ndarray
    ending: str


def masked(count: int, begin: int = 0) -> list[Masked]:
    """So many of scikit-learn's scanned digits, of 40 pixels and a few more, in colours.

    A corner of each does not count. Among them are some that EXIF says to turn.
    """
    images = load_digits().images[begin : begin + count]
    return [written(image, number) for number, image in enumerate(images)]


def written(digit: np.ndarray, number: int) -> Masked:
    """One digit as a file with its mask."""
    size = (40 + number % 5, 40 + number % 3)
    gray = Image.fromarray(np.uint8(np.round(digit * (255 / 16))))
    ink = np.asarray(gray.resize(size, Image.Resampling.BICUBIC)).astype(np.float64)
    mask = np.uint8(ink > 90) + np.uint8(ink > 200)
    mask[:6, :6] = IGNORED
    noise = np.random.default_rng(number).normal(0, 6, (*ink.shape, 3))
    pixels = np.stack([230 - 0.6 * ink, 210 - 0.8 * ink, 40 + 0.7 * ink], axis=-1) + noise
    picture = Image.fromarray(np.uint8(np.clip(pixels, 0, 255)))
    exif, file = Image.Exif(), io.BytesIO()
    if number % 7 == 3 and size[0] != size[1]:  # of a square, masks are upright
        exif[EXIF_ORIENTATION] = 6
    kind, ending = (("PNG", "png"), ("JPEG", "jpg"))[number % 2]
    picture.save(file, kind, exif=exif)
    return Masked(file.getvalue(), mask, ending)


def png(mask: np.ndarray, palette: bool = False) -> bytes:
    """A mask as a PNG file, gray or with a palette whose colours mean nothing."""
    image, file = Image.fromarray(mask), io.BytesIO()
    if palette:
        image.putpalette(np.random.default_rng(0).integers(0, 255, 768, np.uint8).tobytes())
    image.save(file, "PNG")
    return file.getvalue()


def channels(root: Path, name: str, pictures: Sequence[Masked]) -> None:
    """A channel of pictures, and one of masks with the same names, gray and with palettes."""
    for number, each in enumerate(pictures):
        for channel, ending, data in (
            (name, each.ending, each.data),
            (f"{name}_annotation", "png", png(each.mask, palette=number % 3 == 0)),
        ):
            file = root / f"input/data/{channel}/some/{number:05}.{ending}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def manifest(root: Path, name: str, pictures: Sequence[Masked]) -> None:
    """An augmented manifest as Ground Truth writes it, with pictures and masks beside it."""
    folder, rows = root / f"input/data/{name}", []
    folder.mkdir(parents=True)
    names = {"0": {"class-name": "ground"}, "1": {"class-name": "stroke"}}
    for number, each in enumerate(pictures):
        picture, mask = f"{number:05}.{each.ending}", f"masks/{number:05}.mask.png"
        (folder / "masks").mkdir(exist_ok=True)
        (folder / picture).write_bytes(each.data)
        (folder / mask).write_bytes(png(each.mask))
        row = {
            "source-ref": f"s3://bucket/where/{picture}",
            "strokes-ref": f"s3://bucket/where/{mask}",
            "strokes-ref-metadata": {"internal-color-map": names, "type": "groundtruth/x"},
        }
        rows.append(json.dumps(row))
    (folder / "output.manifest").write_text("\n".join(rows) + "\n")


def pipe(root: Path, name: str, pictures: Sequence[Masked]) -> None:
    """A FIFO with the attributes of a manifest, each a record, written by a thread."""
    data = b"".join(frame(each.data) + frame(png(each.mask)) for each in pictures)
    fifo = root / f"input/data/{name}_0"
    os.mkfifo(fifo)
    threading.Thread(target=fifo.write_bytes, args=(data,), daemon=True).start()
    config = root / "input/config/inputdataconfig.json"
    there = json.loads(config.read_text()) if config.exists() else {}
    entry = {"TrainingInputMode": "Pipe", "RecordWrapperType": "RecordIO"}
    config.write_text(json.dumps({**there, name: entry}))


LAYOUTS = {"channels": channels, "manifest": manifest, "pipe": pipe}


def job_folder(
    root: Path, layout: str, train: Sequence[Masked], validation: Sequence[Masked] | None
) -> Path:
    """What SageMaker would lay out below /opt/ml for a job, without hyperparameters."""
    for name in ("input/config", "input/data", "model", "output/data"):
        (root / name).mkdir(parents=True, exist_ok=True)
    LAYOUTS[layout](root, "train", train)
    if validation is not None:
        LAYOUTS[layout](root, "validation", validation)
    return root
