"""The same labelled pictures in every layout that training jobs read, as SageMaker gives them."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from plumbline.training.readers.picture_records import pack
from plumbline.training.readers.recordio import frame

Pictures = Sequence[tuple[bytes, int]]
"""The bytes of files, and their classes, sorted by class."""


def digits(count: int, classes: int = 10, begin: int = 0) -> Pictures:
    """So many of scikit-learn's scanned digits, JPEG and PNG in turn, of 32 pixels and a few more.

    Among them are gray ones, CMYK ones, and some that EXIF says to turn.
    """
    data = load_digits()
    chosen = [n for n in range(len(data.target)) if data.target[n] < classes]
    found = [
        (written(data.images[number], number), int(data.target[number]))
        for number in chosen[begin : begin + count]
    ]
    return sorted(found, key=lambda each: each[1])


def written(digit: np.ndarray, number: int) -> bytes:
    """One digit as a file."""
    picture = Image.fromarray(np.uint8(np.round(255 - digit * (255 / 16))))
    picture = picture.resize((32 + number % 5, 32 + number % 3), Image.Resampling.BICUBIC)
    picture = picture.convert(("RGB", "L", "RGB", "CMYK")[number % 4])
    exif = Image.Exif()
    if number % 7 == 3:
        picture, exif[0x0112] = picture.transpose(Image.Transpose.ROTATE_90), 6
    file = io.BytesIO()
    if number % 2 and picture.mode != "CMYK":
        picture.save(file, "PNG", exif=exif)
    else:
        picture.save(file, "JPEG", quality=92, exif=exif)
    return file.getvalue()


def ending(data: bytes) -> str:
    """How its file ends."""
    return "png" if data.startswith(b"\x89PNG") else "jpg"


def folders(root: Path, name: str, pictures: Pictures) -> None:
    """A folder a class."""
    for number, (data, label) in enumerate(pictures):
        file = root / f"input/data/{name}/class {label}/{number:05}.{ending(data)}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def flat(root: Path, name: str, pictures: Pictures) -> list[str]:
    """All pictures in one folder; their names."""
    folder = root / f"input/data/{name}"
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number:05}.{ending(data)}" for number, (data, _) in enumerate(pictures)]
    for each, (data, _) in zip(names, pictures, strict=True):
        (folder / each).write_bytes(data)
    return names


def listing(root: Path, name: str, pictures: Pictures) -> None:
    """A channel of pictures, and one with an `.lst` file."""
    names = flat(root, name, pictures)
    rows = [
        f"{number}\t{label:.6f}\t{file}"
        for number, (file, (_, label)) in enumerate(zip(names, pictures, strict=True))
    ]
    folder = root / f"input/data/{name}_lst"
    folder.mkdir(parents=True)
    (folder / f"{name}.lst").write_text("\n".join(rows) + "\n")


def recordio(pictures: Pictures) -> bytes:
    """What `im2rec.py` writes."""
    return b"".join(
        frame(pack(data, (float(label),), number)) for number, (data, label) in enumerate(pictures)
    )


def records(root: Path, name: str, pictures: Pictures) -> None:
    """A `.rec` file."""
    folder = root / f"input/data/{name}"
    folder.mkdir(parents=True)
    (folder / f"{name}.rec").write_bytes(recordio(pictures))


def manifest(root: Path, name: str, pictures: Pictures) -> None:
    """An augmented manifest as a channel, and its pictures as another."""
    names = flat(root, f"{name}_pictures", pictures)
    rows = [
        json.dumps({"source-ref": f"s3://bucket/some/where/{file}", "kind": label})
        for file, (_, label) in zip(names, pictures, strict=True)
    ]
    folder = root / f"input/data/{name}"
    folder.mkdir(parents=True)
    (folder / "output.manifest").write_text("\n".join(rows) + "\n")


def piped(wrapped: bool) -> Callable[[Path, str, Pictures], None]:
    """A FIFO, written by a thread: a `.rec`, or the attributes of a manifest, wrapped."""

    def write(root: Path, name: str, pictures: Pictures) -> None:
        data = recordio(pictures)
        if wrapped:
            data = b"".join(
                frame(picture) + frame(str(label).encode()) for picture, label in pictures
            )
        fifo = root / f"input/data/{name}_0"
        fifo.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(fifo)
        threading.Thread(target=fifo.write_bytes, args=(data,), daemon=True).start()
        entry: dict[str, Any] = {
            "TrainingInputMode": "Pipe",
            "ContentType": "application/x-recordio",
        }
        entry["RecordWrapperType"] = "RecordIO" if wrapped else "None"
        config = root / "input/config/inputdataconfig.json"
        config.parent.mkdir(parents=True, exist_ok=True)
        there = json.loads(config.read_text()) if config.exists() else {}
        config.write_text(json.dumps({**there, name: entry}))

    return write


LAYOUTS: Mapping[str, Callable[[Path, str, Pictures], None]] = {
    "folders": folders,
    "lst": listing,
    "rec": records,
    "manifest": manifest,
    "pipe of rec": piped(wrapped=False),
    "pipe of manifest": piped(wrapped=True),
}


def job_folder(root: Path, layout: str, train: Pictures, validation: Pictures | None) -> Path:
    """What SageMaker would lay out below /opt/ml for a job, without hyperparameters."""
    for name in ("input/config", "input/data", "model", "output/data"):
        (root / name).mkdir(parents=True, exist_ok=True)
    LAYOUTS[layout](root, "train", train)
    if validation is not None:
        LAYOUTS[layout](root, "validation", validation)
    return root
