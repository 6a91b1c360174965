"""The demo: a small CNN that reads scanned digits, trained and packed in under a minute.

    python model/examples/digits.py --out build/demo

It writes `model.tar.gz`, which `plumbline serve` serves, and `pictures/`, held-out digits to send
to it. The data are the 1,797 digits that come with scikit-learn.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.progress import Progress, TaskID
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from plumbline.engines.keras_export import export
from plumbline.machine.program_name import VERSION
from plumbline.machine.quiet import muted
from plumbline.packing.assembly import Contents, GoldenPicture, pack
from plumbline.settings import environment

environment.quiet_frameworks()
with muted():
    import keras

SPEC = """\
task = "classification"
labels = "labels.txt"

[model]
path = "saved_model"

[preprocess]
exif = false
color = "rgb"
size = [32, 32]
resize = "pillow-bilinear"
normalize = "unit"

[classification]
top_k = 3
"""

LABELS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

EPOCHS = 25

SCAN = (96, 96)
"""Width and height of the pictures: what a user's scanner would give, not what the model takes."""


def scan(digit: np.ndarray) -> Image.Image:
    """One of scikit-learn's digits (8×8, 0..16) as a picture: dark ink on light paper."""
    ink = np.uint8(np.round(255 - digit * (255 / 16)))
    return Image.fromarray(ink).resize(SCAN, Image.Resampling.BICUBIC)


def model_input(picture: Image.Image) -> np.ndarray:
    """The notebook's preprocessing: `[32, 32, 3]` float32 in 0..1."""
    small = picture.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32) / 255


def build_model() -> Any:
    """A CNN for 32×32×3."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(10, activation="softmax"),
        ]
    )


class ShowEpochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Moves a progress bar on after every epoch."""

    def __init__(self, task: TaskID, progress: Progress) -> None:
        super().__init__()
        self.task = task
        self.progress = progress

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Show the accuracy on what is learnt from."""
        said = f"Training, epoch {epoch + 1}: {(logs or {}).get('accuracy', 0):.1%} right"
        self.progress.update(self.task, advance=1, description=said)


def train(pictures: list[Image.Image], labels: np.ndarray) -> tuple[Any, np.ndarray]:
    """A trained model, and the numbers of the pictures that it has not seen."""
    learn, held_out = train_test_split(
        np.arange(len(labels)), test_size=360, stratify=labels, random_state=0
    )
    inputs = np.stack([model_input(picture) for picture in pictures])
    model = build_model()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    with Progress() as progress:
        shown = ShowEpochs(progress.add_task("Training", total=EPOCHS), progress)
        model.fit(
            inputs[learn], labels[learn], batch_size=32, epochs=EPOCHS, verbose=0, callbacks=[shown]
        )
    _, accuracy = model.evaluate(inputs[held_out], labels[held_out], verbose=0)
    print(f"{accuracy:.1%} of {len(held_out)} held-out digits are read correctly.")
    if accuracy < 0.97:
        raise SystemExit("That is too few: 97 % were expected. The training went wrong.")
    return model, held_out


def save_pictures(
    folder: Path, pictures: list[Image.Image], labels: np.ndarray, held_out: np.ndarray
) -> list[Path]:
    """One held-out picture of each digit, as PNG files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = []
    for number, label in enumerate(LABELS):
        first = held_out[labels[held_out] == number][0]
        files.append(folder / f"{label}.png")
        pictures[first].save(files[-1])
    return files


def main() -> None:
    """Train, save the pictures, pack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--out", type=Path, default=Path("build/demo"), help="where to write")
    out: Path = parser.parse_args().out
    keras.utils.set_random_seed(0)
    digits = load_digits()
    pictures = [scan(digit) for digit in digits.images]
    print(f"Training on scikit-learn's {len(pictures):,} scanned digits …")
    model, held_out = train(pictures, digits.target)
    files = save_pictures(out / "pictures", pictures, digits.target, held_out)
    inputs = np.stack([model_input(Image.open(file)) for file in files])
    goldens = zip(files, model.predict(inputs, verbose=0), strict=True)
    model.save(out / "digits.keras")
    shutil.rmtree(out / "saved_model", ignore_errors=True)
    export(model, out / "saved_model")
    contents = Contents(
        model=out / "saved_model",
        spec=SPEC,
        files={"labels.txt": "\n".join(LABELS) + "\n"},
        goldens=tuple(GoldenPicture(file, expected) for file, expected in goldens),
    )
    pack(contents, out / "model.tar.gz")
    print(f"Packed {out / 'model.tar.gz'} with {len(files)} golden pictures.")


if __name__ == "__main__":
    main()
