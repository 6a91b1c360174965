"""An SSD that finds scanned digits in pictures, with a layer of its own: `PriorBoxes`.

    python model/examples/detector.py --out build/detector

It trains on the pictures of `scenes.py` and packs the network of `ssd.py` with `plumbline pack
--custom-objects`. Training takes two or three minutes on two cores, and is not repeated. How good
the detector is, pycocotools measures on held-out pictures, whose boxes lie in an augmented manifest
beside them. The golden pictures' answers come from `predict` below.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import kept
import ssd
from augmented_manifest import Photo, load
from ground_truth import write_scenes
from plumbline.machine.program_name import VERSION
from scenes import DIGITS, Scene, scenes

SPEC = """\
task = "detection"
labels = "labels.txt"

[preprocess]
exif = false
size = [160, 160]
resize = "pillow-bilinear"
normalize = "tf"

[detection]
format = "ssd"
background = 10                # behind the classes 0 to 9
score_threshold = 0.4
nms_iou = 0.45
"""

SOURCES = ("scenes.py", "ssd.py", "detector.py")

HELD_OUT = 200
"""How many scenes the result is measured on."""

LEAST = 0.8
"""The mean average precision at an overlap of 0.5 that is expected."""

GOLDEN = 5
"""How many pictures the archive is proven with."""

BATCH = 16


def model_input(picture: Image.Image) -> np.ndarray:
    """The notebook's preprocessing: `[160, 160, 3]` float32 from -1 to 1."""
    return np.asarray(small(picture), np.float32) / 127.5 - 1


def small(picture: Image.Image) -> Image.Image:
    """The picture in the network's size."""
    return picture.convert("RGB").resize((ssd.SIZE, ssd.SIZE), Image.Resampling.BILINEAR)


def learnt_from(found: Iterable[Scene], priors: np.ndarray) -> tf.data.Dataset:
    """Batches of inputs and of what each prior is to say."""
    pairs = [
        (
            np.asarray(small(scene.picture)),
            ssd.targets(
                scene.boxes / np.tile(scene.picture.size, 2), scene.digits, priors, len(DIGITS)
            ),
        )
        for scene in found
    ]
    pixels, wanted = map(np.stack, zip(*pairs, strict=True))
    shuffled = tf.data.Dataset.from_tensor_slices((pixels, wanted)).shuffle(len(pairs))
    return shuffled.batch(BATCH).map(
        lambda levels, rows: (tf.cast(levels, tf.float32) / 127.5 - 1, rows)
    )


def train(count: int, epochs: int) -> Any:
    """A trained model."""
    model = ssd.build_model(len(DIGITS))
    priors = np.asarray(model(np.zeros((1, ssd.SIZE, ssd.SIZE, 3), np.float32))[0, :, -8:])
    print(f"Composing {count:,} scenes …", flush=True)
    batches = learnt_from(scenes(count, held_out=False), priors)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * len(batches))
    # XLA would make the separable convolutions of this network several times slower on a CPU.
    model.compile(keras.optimizers.Adam(rate), ssd.loss, jit_compile=False)
    model.fit(batches, epochs=epochs, shuffle=False, verbose=2)
    return model


@cache
def load_model(folder: Path) -> Any:
    """The saved model."""
    known = {"PriorBoxes": ssd.PriorBoxes}
    return keras.saving.load_model(folder / "detector.keras", custom_objects=known, compile=False)


def predict(path: str) -> np.ndarray:
    """The notebook's answer for a picture file: the raw output `[2100, 23]`."""
    model = load_model(Path(path).resolve().parents[1])
    inputs = model_input(Image.open(path))[np.newaxis]
    return np.asarray(model(inputs, training=False)[0])


def average_precision(photos: Sequence[Photo], rows: Sequence[np.ndarray]) -> float:
    """COCO's mean average precision at an overlap of 0.5.

    `rows` `[n, 6]` are what was found in each photo: class, score, xmin, ymin, xmax, ymax.
    """
    truth, found = COCO(), []
    truth.dataset = coco_truth(photos)
    for number, (photo, each) in enumerate(zip(photos, rows, strict=True)):
        corners = each[:, 2:] * np.tile(photo.size, 2)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        found.append(np.column_stack([np.full(len(each), number), boxes, each[:, 1], each[:, 0]]))
    with contextlib.redirect_stdout(None):
        truth.createIndex()
        measured = COCOeval(truth, truth.loadRes(np.concatenate(found)), "bbox")
        measured.evaluate()
        measured.accumulate()
        measured.summarize()
    return float(measured.stats[1])


def coco_truth(photos: Sequence[Photo]) -> dict[str, Any]:
    """The photos' boxes as COCO has them."""
    boxes = [(number, box) for number, photo in enumerate(photos) for box in photo.annotations]
    return {
        "info": {},
        "images": [{"id": number} for number in range(len(photos))],
        "categories": [{"id": number} for number in range(len(DIGITS))],
        "annotations": [
            {
                "id": index,
                "image_id": number,
                "category_id": box.class_id,
                "bbox": [box.left, box.top, box.width, box.height],
                "area": box.width * box.height,
                "iscrowd": 0,
            }
            for index, (number, box) in enumerate(boxes, 1)
        ],
    }


def measure(out: Path) -> float:
    """How good the saved model is on held-out scenes, which are written as pictures first."""
    manifest = write_scenes(scenes(HELD_OUT, held_out=True), out / "held_out")
    photos = load(manifest).photos
    rows = [ssd.decode(predict(str(manifest.with_name(photo.source)))) for photo in photos]
    return average_precision(photos, rows)


def write_files(out: Path) -> None:
    """The spec, the labels, and the first of the held-out pictures."""
    (out / "plumbline.toml").write_text(SPEC)
    (out / "labels.txt").write_text("\n".join(DIGITS) + "\n")
    (out / "pictures").mkdir(exist_ok=True)
    for picture in sorted((out / "held_out").glob("*.jpg"))[:GOLDEN]:
        shutil.copy(picture, out / "pictures")


def pack(out: Path) -> None:
    """`plumbline pack`, as one would type it."""
    command = f"""pack {out}/detector.keras --custom-objects {ssd.__file__}
        --spec {out}/plumbline.toml --labels {out}/labels.txt --golden {out}/pictures
        --reference {__file__}:predict --out {out}/model.tar.gz"""
    subprocess.run([sys.executable, "-m", "plumbline", *command.split()], check=True)


def main() -> None:
    """Train unless that has been done, measure, pack."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--out", type=Path, default=Path("build/detector"), help="where to write")
    parser.add_argument("--scenes", type=int, default=1600, help="how many to learn from")
    parser.add_argument("--epochs", type=int, default=12, help="how often to see each of them")
    chosen = parser.parse_args()
    out: Path = chosen.out
    out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    made_from = kept.fingerprint(SOURCES, chosen.scenes, chosen.epochs)
    kept.once(
        out, made_from, lambda: train(chosen.scenes, chosen.epochs).save(out / "detector.keras")
    )
    reached = measure(out)
    print(f"{reached:.3f} mAP@0.5 on {HELD_OUT} held-out scenes.")
    if reached < LEAST:
        raise SystemExit(f"That is too little: {LEAST} was expected. Delete {out} to train again.")
    write_files(out)
    pack(out)


if __name__ == "__main__":
    main()
