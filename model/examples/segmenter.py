"""A U-Net that tells background, paper and ink apart in pictures of scanned digits.

    python model/examples/segmenter.py --out build/segmenter

It trains with Keras 2 (`tf_keras`) on the pictures of `scenes.py`, saves the model as a SavedModel
in a folder named by the time, as `model.save(…, save_format="tf")` does, and packs that with
`plumbline pack`. Training takes a minute or two on two cores, and is not repeated. The golden
pictures' answers come from `predict` below.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from PIL import Image
from tf_keras import layers

import kept
from plumbline.machine.program_name import VERSION
from scenes import SURFACES, Scene, scenes

SPEC = """\
task = "segmentation"
labels = ["background", "paper", "ink"]

[preprocess]
exif = false
size = [128, 128]
resize = "pillow-bicubic"      # what Pillow's resize() does if nothing is said
normalize = {divisor = 256}

[segmentation]
activation = "softmax"
"""

SIZE = (128, 128)

SOURCES = ("scenes.py", "segmenter.py")

HELD_OUT = 200
"""How many scenes the result is measured on."""

LEAST = 0.8
"""The mean intersection over union that is expected."""

GOLDEN = 5
"""How many pictures the archive is proven with."""


def model_input(picture: Image.Image) -> np.ndarray:
    """The notebook's preprocessing: `[128, 128, 3]` float32 from 0 to below 1."""
    return np.asarray(picture.convert("RGB").resize(SIZE), np.float32) / 256


def arrays(found: Iterable[Scene]) -> tuple[np.ndarray, np.ndarray]:
    """Inputs `[n, 128, 128, 3]`, and the class of each of their pixels `[n, 128, 128]`."""
    pairs = [
        (
            model_input(scene.picture),
            np.asarray(Image.fromarray(scene.mask).resize(SIZE, Image.Resampling.NEAREST)),
        )
        for scene in found
    ]
    inputs, masks = zip(*pairs, strict=True)
    return np.stack(inputs), np.stack(masks)


def shrink(pixels: Any, filters: int) -> Any:
    """Half as high and wide."""
    pixels = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(pixels)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(pixels))


def enlarge(pixels: Any, filters: int) -> Any:
    """Twice as high and wide."""
    pixels = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", use_bias=False)(pixels)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(pixels))


def build_model() -> Any:
    """`[batch, 128, 128, 3]` → logits `[batch, 128, 128, 3]`."""
    pixels = pictures = tf_keras.Input((*SIZE, 3))
    skipped = []
    for filters in (24, 48, 64, 96):
        pixels = shrink(pixels, filters)
        skipped.append(pixels)
    for filters, skip in zip((64, 48, 32), skipped[-2::-1], strict=True):
        pixels = layers.Concatenate()([enlarge(pixels, filters), skip])
    logits = layers.Conv2DTranspose(len(SURFACES), 3, strides=2, padding="same")(pixels)
    return tf_keras.Model(pictures, logits)


def train(found: Iterable[Scene], epochs: int) -> Any:
    """A model that has learnt from these."""
    print("Composing scenes …", flush=True)
    inputs, masks = arrays(found)
    model = build_model()
    steps = epochs * -(-len(inputs) // 16)
    rate = tf_keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(
        tf_keras.optimizers.Adam(rate),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(inputs, masks, batch_size=16, epochs=epochs, verbose=2)
    return model


def mean_iou(model: Any, found: Iterable[Scene]) -> float:
    """The mean intersection over union on scenes that are held out."""
    inputs, masks = arrays(found)
    metric = tf_keras.metrics.MeanIoU(len(SURFACES), sparse_y_pred=False)
    metric.update_state(masks, model.predict(inputs, verbose=0))
    return float(metric.result())


def save(model: Any, folder: Path) -> None:
    """A SavedModel in a folder named by the time, the only one there."""
    shutil.rmtree(folder, ignore_errors=True)
    model.save(folder / str(int(time.time())), save_format="tf")


@cache
def load_model(folder: Path) -> Any:
    """The SavedModel that was saved there."""
    (saved,) = folder.iterdir()
    return tf_keras.models.load_model(saved, compile=False)


def predict(path: str) -> np.ndarray:
    """The notebook's answer for a picture file: the probabilities `[128, 128, 3]`."""
    model = load_model(Path(path).resolve().parents[1] / "export")
    inputs = model_input(Image.open(path))[np.newaxis]
    return np.asarray(tf.nn.softmax(model(inputs, training=False)[0]))


def write_files(out: Path) -> None:
    """The spec, and the first of the held-out scenes."""
    (out / "plumbline.toml").write_text(SPEC)
    (out / "pictures").mkdir(exist_ok=True)
    for number, scene in enumerate(scenes(GOLDEN, held_out=True)):
        scene.picture.save(out / "pictures" / f"{number}.jpg", quality=95)


def pack(out: Path) -> None:
    """`plumbline pack`, as one would type it."""
    command = f"""pack {out}/export --spec {out}/plumbline.toml --golden {out}/pictures
        --reference {__file__}:predict --out {out}/model.tar.gz"""
    subprocess.run([sys.executable, "-m", "plumbline", *command.split()], check=True)


def main() -> None:
    """Train unless that has been done, measure, pack."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--out", type=Path, default=Path("build/segmenter"), help="where to write")
    parser.add_argument("--scenes", type=int, default=1500, help="how many to learn from")
    parser.add_argument("--epochs", type=int, default=6, help="how often to see each of them")
    chosen = parser.parse_args()
    out: Path = chosen.out
    out.mkdir(parents=True, exist_ok=True)
    tf_keras.utils.set_random_seed(0)
    made_from = kept.fingerprint(SOURCES, chosen.scenes, chosen.epochs)
    learnt = scenes(chosen.scenes, held_out=False)
    kept.once(out, made_from, lambda: save(train(learnt, chosen.epochs), out / "export"))
    reached = mean_iou(load_model(out.resolve() / "export"), scenes(HELD_OUT, held_out=True))
    print(f"{reached:.3f} mean IoU on {HELD_OUT} held-out scenes.")
    if reached < LEAST:
        raise SystemExit(f"That is too little: {LEAST} was expected. Delete {out} to train again.")
    write_files(out)
    pack(out)


if __name__ == "__main__":
    main()
