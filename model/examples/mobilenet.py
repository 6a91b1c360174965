"""MobileNetV2 from `keras.applications`, packed as it comes.

    python model/examples/mobilenet.py --out build/mobilenet

ImageNet's weights are taken where Keras can download them, else random ones: everything but the
labels is the same. The golden pictures' answers come from `predict` below.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from plumbline.machine.program_name import VERSION

SPEC = """\
task = "classification"

[preprocess]
exif = false
size = [224, 224]
resize = "pillow-nearest"    # what keras.utils.load_img does with a target_size
normalize = "tf"
"""


def build_model(weights: str) -> Any:
    """MobileNetV2 with ImageNet's weights if they can be had, else with random ones."""
    if weights == "random":
        return keras.applications.MobileNetV2(weights=None)
    try:
        return keras.applications.MobileNetV2()
    except Exception as exc:  # whatever a download may raise
        print(f"ImageNet's weights can't be downloaded here ({type(exc).__name__}): random ones.")
        return keras.applications.MobileNetV2(weights=None)


@cache
def load_model(folder: Path) -> Any:
    """The saved model."""
    return keras.saving.load_model(folder / "mobilenet.keras", compile=False)


def predict(path: str) -> np.ndarray:
    """The answer for a picture file, as Keras's documentation does it: `[1000]`."""
    picture = keras.utils.load_img(path, target_size=(224, 224))
    batch = keras.utils.img_to_array(picture)[np.newaxis]
    prepared = keras.applications.mobilenet_v2.preprocess_input(batch)
    model = load_model(Path(path).resolve().parents[1])
    return np.asarray(model(prepared, training=False)[0])


def save_pictures(folder: Path) -> None:
    """Scikit-learn's two photographs, whole and in quarters."""
    from sklearn.datasets import load_sample_image

    folder.mkdir(parents=True, exist_ok=True)
    for name in ("china", "flower"):
        photo = Image.fromarray(load_sample_image(f"{name}.jpg"))
        width, height = photo.size
        photo.save(folder / f"{name}.jpg", quality=90)
        photo.crop((0, 0, width // 2, height // 2)).save(folder / f"{name}-part.png")


def pack(out: Path) -> None:
    """`plumbline pack`, as one would type it."""
    command = f"""pack {out}/mobilenet.keras --spec {out}/plumbline.toml
        --golden {out}/pictures --reference {__file__}:predict --out {out}/model.tar.gz"""
    subprocess.run([sys.executable, "-m", "plumbline", *command.split()], check=True)


def main() -> None:
    """Save the model, the pictures and the spec, and pack them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--out", type=Path, default=Path("build/mobilenet"), help="where to write")
    parser.add_argument(
        "--weights", choices=("auto", "random"), default="auto", help="which weights"
    )
    chosen = parser.parse_args()
    out: Path = chosen.out
    keras.utils.set_random_seed(0)
    out.mkdir(parents=True, exist_ok=True)
    build_model(chosen.weights).save(out / "mobilenet.keras")
    (out / "plumbline.toml").write_text(SPEC)
    save_pictures(out / "pictures")
    pack(out)


if __name__ == "__main__":
    main()
