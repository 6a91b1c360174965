"""The same pictures with boxes in every layout that detection jobs read."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from plumbline.training.readers.picture_records import pack
from plumbline.training.readers.recordio import frame

NAMES = ("square", "disk")

COLORS = ((220, 40, 40), (40, 60, 230))


class Photo(NamedTuple):
    """A picture file `[height, width]`, and its boxes: class, left, top, width and height."""

    data: bytes
    size: tuple[int, int]
    boxes: tuple[tuple[int, int, int, int, int], ...]

    @property
    def corners(self) -> np.ndarray:
        """Rows `[n, 5]`: class, left, top, right, bottom."""
        rows = np.array(self.boxes, float).reshape(-1, 5)
        rows[:, 3:] += rows[:, 1:3]
        return rows


Photos = Sequence[Photo]


def photos(count: int, seed: int = 0) -> Photos:
    """Pictures of noise with one to three shapes in bright colors, which do not overlap."""
    return [photo(np.random.default_rng([seed, number]), number) for number in range(count)]


def photo(rng: np.random.Generator, number: int) -> Photo:
    """One of them, JPEG and PNG in turn."""
    width, height = rng.integers(64, 90, 2).tolist()
    pixels = rng.integers(60, 190, (height, width, 3)).astype(np.uint8)
    boxes: list[tuple[int, int, int, int, int]] = []
    for corner in rng.permutation([(2, 2), (34, 2), (2, 34), (34, 34)])[: rng.integers(1, 4)]:
        kind, (box_width, box_height) = int(rng.integers(2)), rng.integers(14, 28, 2).tolist()
        left, top = corner.tolist()
        boxes.append((kind, left, top, box_width, box_height))
        shape = np.ones((box_height, box_width), bool)
        if kind:
            down, across = np.ogrid[-1 : 1 : box_height * 1j, -1 : 1 : box_width * 1j]
            shape = down**2 + across**2 <= 1
        pixels[top : top + box_height, left : left + box_width][shape] = COLORS[kind]
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    image.save(file, "PNG") if number % 2 else image.save(file, "JPEG", quality=95)
    return Photo(file.getvalue(), (width, height), tuple(boxes))


def ending(data: bytes) -> str:
    """How its file ends."""
    return "png" if data.startswith(b"\x89PNG") else "jpg"


def name_of(number: int, each: Photo) -> str:
    """What its file is called."""
    return f"{number:05}.{ending(each.data)}"


def write(folder: Path, found: Photos) -> None:
    """The pictures as files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(found):
        (folder / name_of(number, each)).write_bytes(each.data)


def label(each: Photo) -> dict[str, Any]:
    """The boxes as Ground Truth has them."""
    keys = ("class_id", "left", "top", "width", "height")
    width, height = each.size
    return {
        "image_size": [{"width": width, "height": height, "depth": 3}],
        "annotations": [dict(zip(keys, box, strict=True)) for box in each.boxes],
    }


def json_files(root: Path, name: str, found: Photos) -> None:
    """A JSON file a picture, as the MXNet algorithm has them."""
    write(root / f"input/data/{name}", found)
    folder = root / f"input/data/{name}_annotation"
    folder.mkdir(parents=True)
    categories = [{"class_id": number, "name": each} for number, each in enumerate(NAMES)]
    for number, each in enumerate(found):
        file = f"some/where/{name_of(number, each)}"
        document = {"file": file, **label(each), "categories": categories}
        (folder / f"{number:05}.json").write_text(json.dumps(document))


def document(root: Path, name: str, found: Photos) -> None:
    """annotations.json, as the TensorFlow algorithm has it: its classes begin at 1."""
    folder = root / f"input/data/{'training' if name == 'train' else name}"
    write(folder / "images", found)
    images, annotations = [], []
    for number, each in enumerate(found):
        width, height = each.size
        file = name_of(number, each)
        images.append({"file_name": file, "width": width, "height": height, "id": number})
        for kind, left, top, box_width, box_height in each.boxes:
            bbox = [left, top, left + box_width, top + box_height]
            annotations.append({"image_id": number, "bbox": bbox, "category_id": kind + 1})
    categories = [{"id": number, "name": each} for number, each in enumerate(NAMES, 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(content))


def packed(each: Photo) -> tuple[float, ...]:
    """The label that `im2rec.py --pack-label` makes, padded as with `label_width`."""
    corners = each.corners
    corners[:, 1:] /= np.tile(each.size, 2)
    return (2.0, 5.0, *corners.ravel().tolist(), *[-1.0] * 10)


def recordio(found: Photos) -> bytes:
    """What `im2rec.py` writes."""
    return b"".join(
        frame(pack(each.data, packed(each), number)) for number, each in enumerate(found)
    )


def records(root: Path, name: str, found: Photos) -> None:
    """A `.rec` file."""
    folder = root / f"input/data/{name}"
    folder.mkdir(parents=True)
    (folder / f"{name}.rec").write_bytes(recordio(found))


def manifest(root: Path, name: str, found: Photos) -> None:
    """An augmented manifest as a channel, and its pictures as another."""
    write(root / f"input/data/{name}_pictures", found)
    metadata = {"class-map": {str(number): each for number, each in enumerate(NAMES)}}
    rows = [
        json.dumps(
            {
                "source-ref": f"s3://bucket/some/where/{name_of(number, each)}",
                "shapes": label(each),
                "shapes-metadata": metadata,
            }
        )
        for number, each in enumerate(found)
    ]
    folder = root / f"input/data/{name}"
    folder.mkdir(parents=True)
    (folder / "output.manifest").write_text("\n".join(rows) + "\n")


def piped(wrapped: bool) -> Callable[[Path, str, Photos], None]:
    """A FIFO, written by a thread: a `.rec`, or the attributes of a manifest, wrapped."""

    def lay(root: Path, name: str, found: Photos) -> None:
        data = recordio(found)
        if wrapped:
            data = b"".join(
                frame(each.data) + frame(json.dumps(label(each)).encode()) for each in found
            )
        fifo = root / f"input/data/{name}_0"
        fifo.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(fifo)
        threading.Thread(target=fifo.write_bytes, args=(data,), daemon=True).start()
        wrapper = "RecordIO" if wrapped else "None"
        entry = {"TrainingInputMode": "Pipe", "RecordWrapperType": wrapper}
        config = root / "input/config/inputdataconfig.json"
        there = json.loads(config.read_text()) if config.exists() else {}
        config.write_text(json.dumps({**there, name: entry}))

    return lay


LAYOUTS: Mapping[str, Callable[[Path, str, Photos], None]] = {
    "json files": json_files,
    "document": document,
    "rec": records,
    "manifest": manifest,
    "pipe of rec": piped(wrapped=False),
    "pipe of manifest": piped(wrapped=True),
}

NAMED = ("json files", "document", "manifest")
"""Those that say what classes are called."""


def job_folder(root: Path, layout: str, train: Photos, validation: Photos | None) -> Path:
    """What SageMaker would lay out below /opt/ml for a job, without hyperparameters."""
    for name in ("input/config", "input/data", "model", "output/data"):
        (root / name).mkdir(parents=True, exist_ok=True)
    LAYOUTS[layout](root, "train", train)
    if validation is not None:
        LAYOUTS[layout](root, "validation", validation)
    return root


def turned(each: Photo, orientation: int) -> Photo:
    """The same picture stored otherwise, so that EXIF's orientation makes it upright again."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image, file, exif = Image.open(io.BytesIO(each.data)), io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    image = image.transpose(undo[orientation]) if orientation in undo else image
    image.save(file, "PNG", exif=exif)
    return each._replace(data=file.getvalue())


def tiny(shape: tuple[int, int, int]) -> tuple[Any, Any]:
    """A network that is traced in no time, with a cell for 8 pixels."""
    import keras

    layers = keras.layers
    inputs = found = keras.Input(shape)
    for filters, stride in ((8, 4), (24, 2)):
        found = layers.Conv2D(filters, 5, stride, padding="same", use_bias=False)(found)
        found = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(found))
    return inputs, layers.GlobalAveragePooling2D()(found)
