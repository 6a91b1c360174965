"""A CIFAR-10 classifier as it used to be exported: `model.json` and `weights.h5`.

    python model/examples/cifar10.py --out build/cifar10

It trains with Keras 2 (`tf_keras`), saves the architecture and the weights in two files, as Keras 3
can't read them any more, and packs that pair with `plumbline pack`. The golden pictures' answers
come from `predict` below: the notebook's own code.

CIFAR-10 is taken where Keras can download it. Where it can't, or with `--data digits`, the network
learns scikit-learn's scanned digits in pictures of the same size.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tf_keras
from PIL import Image

from plumbline.machine.program_name import VERSION

SPEC = """\
task = "classification"
labels = "labels.txt"

[preprocess]
exif = false
size = [32, 32]
resize = "pillow-bicubic"
normalize = "unit"
"""

CIFAR10_LABELS = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


class Data(NamedTuple):
    """Pictures `[n, 32, 32, 3]` uint8 and their classes `[n]`, to learn from and held out."""

    learn: np.ndarray
    learn_classes: np.ndarray
    held_out: np.ndarray
    held_out_classes: np.ndarray
    labels: tuple[str, ...]


def cifar10() -> Data:
    """CIFAR-10, downloaded by Keras."""
    (learn, learn_classes), (held_out, held_out_classes) = tf_keras.datasets.cifar10.load_data()
    return Data(learn, learn_classes[:, 0], held_out, held_out_classes[:, 0], CIFAR10_LABELS)


def digits() -> Data:
    """Scikit-learn's scanned digits at 32×32."""
    from sklearn.datasets import load_digits

    found = load_digits()
    ink = np.round(255 - found.images * (255 / 16)).astype(np.uint8)
    pictures = [Image.fromarray(digit).resize((32, 32)).convert("RGB") for digit in ink]
    pixels, split = np.stack([np.asarray(picture) for picture in pictures]), 1437
    classes, labels = found.target, tuple(str(number) for number in range(10))
    return Data(pixels[:split], classes[:split], pixels[split:], classes[split:], labels)


def whatever_there_is() -> Data:
    """CIFAR-10 if it can be had, else digits."""
    try:
        return cifar10()
    except Exception as exc:  # whatever a download may raise
        print(f"CIFAR-10 can't be downloaded here ({type(exc).__name__}); digits it is.")
        return digits()


DATA: dict[str, Callable[[], Data]] = {
    "auto": whatever_there_is,
    "cifar10": cifar10,
    "digits": digits,
}


def build_model() -> Any:
    """Convolutions of 50, 64, 128, 256 and 256 filters, and three dense layers."""
    layers = tf_keras.layers
    model = tf_keras.Sequential([tf_keras.Input((32, 32, 3))])
    model.add(layers.Conv2D(50, 3, padding="same", activation="relu"))
    for filters in (64, 128, 256, 256):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
        model.add(layers.Dropout(0.2))
    model.add(layers.Flatten())
    for units in (500, 250):
        model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    return model


def train(data: Data, epochs: int) -> Any:
    """A trained model; its pictures are divided by 255."""
    model = build_model()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(data.learn / 255, data.learn_classes, batch_size=64, epochs=epochs)
    _, accuracy = model.evaluate(data.held_out / 255, data.held_out_classes, verbose=0)
    print(f"{accuracy:.1%} of {len(data.held_out):,} held-out pictures are classified correctly.")
    return model


@cache
def load_model(folder: Path) -> Any:
    """The exported pair, read as its author reads it."""
    model = tf_keras.models.model_from_json((folder / "model.json").read_text())
    model.load_weights(folder / "weights.h5")
    return model


def predict(path: str) -> np.ndarray:
    """The notebook's answer for a picture file: the probabilities `[10]`."""
    picture = Image.open(path).convert("RGB").resize((32, 32))
    model = load_model(Path(path).resolve().parents[1])
    answers = model(np.asarray(picture, np.float32)[np.newaxis] / 255)
    return np.asarray(answers[0])


def export(model: Any, data: Data, out: Path) -> None:
    """The files that training leaves behind: the pair, labels, pictures, the spec."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    (out / "model.json").write_text(model.to_json())
    model.save_weights(out / "weights.h5")
    (out / "labels.txt").write_text("\n".join(data.labels) + "\n")
    (out / "plumbline.toml").write_text(SPEC)
    for number, label in enumerate(data.labels):
        first = data.held_out[data.held_out_classes == number][0]
        Image.fromarray(first).save(out / "pictures" / f"{label}.jpg", quality=95)


def pack(out: Path) -> None:
    """`plumbline pack`, as one would type it."""
    command = f"""pack {out}/model.json {out}/weights.h5 --spec {out}/plumbline.toml
        --labels {out}/labels.txt --golden {out}/pictures --reference {__file__}:predict
        --out {out}/model.tar.gz"""
    subprocess.run([sys.executable, "-m", "plumbline", *command.split()], check=True)


def main() -> None:
    """Train, export, pack."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--out", type=Path, default=Path("build/cifar10"), help="where to write")
    parser.add_argument("--data", choices=DATA, default="auto", help="what to learn")
    parser.add_argument("--epochs", type=int, default=5, help="how often to see every picture")
    chosen = parser.parse_args()
    tf_keras.utils.set_random_seed(0)
    data = DATA[chosen.data]()
    export(train(data, chosen.epochs), data, chosen.out)
    pack(chosen.out)


if __name__ == "__main__":
    main()
