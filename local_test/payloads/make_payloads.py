"""Writes the pictures in this folder, from the data that come with scikit-learn.

    python local_test/payloads/make_payloads.py

The photographs come with scikit-learn under the licence CC BY 2.0: china.jpg is by the Flickr
user danielbuechele, flower.jpg by vultilion.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

HERE = Path(__file__).parent


def digit(number: int) -> Image.Image:
    """One of the scanned digits, as a picture of 96×96 pixels: dark ink on light paper."""
    ink = np.uint8(np.round(255 - load_digits().images[number] * (255 / 16)))
    return Image.fromarray(ink).resize((96, 96), Image.Resampling.BICUBIC)


def turned(picture: Image.Image) -> tuple[Image.Image, Image.Exif]:
    """The picture as a camera held sideways stores it: turned, and a note in EXIF of how."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture.transpose(Image.Transpose.ROTATE_90), exif


def main() -> None:
    """Write them all."""
    digit(3).save(HERE / "digit-three.png")
    digit(1790).save(HERE / "digit-eight.jpg", quality=95)
    for name in ("flower", "china"):
        photo = Image.fromarray(load_sample_image(f"{name}.jpg"))
        photo.thumbnail((320, 320))
        photo.save(HERE / f"{name}.jpg", quality=85)
    sideways, exif = turned(Image.open(HERE / "flower.jpg"))
    sideways.save(HERE / "flower-sideways.jpg", quality=85, exif=exif)
    instances = (np.asarray(digit(3).convert("RGB").resize((32, 32)), np.float32) / 255).round(4)
    body = str([instances.tolist()]).replace(" ", "")
    (HERE / "digit-three.json").write_text(f'{{"instances":{body}}}\n')


if __name__ == "__main__":
    main()
