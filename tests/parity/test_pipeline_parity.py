"""From a picture's file to the model's input: what plumbline.toml declares equals the code."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoded import encode, four_inks, photograph, turned
from pipelines import PIPELINES
from plumbline.pipeline.preprocess import normalized, preprocess
from plumbline.spec.model_spec import parse
from plumbline.vision.images import Limits, decode

pytestmark = [pytest.mark.tensorflow, pytest.mark.opencv]


@cache
def files() -> dict[str, bytes]:
    landscape, portrait = photograph((213, 320)), photograph((331, 180))
    layered = portrait.copy()
    layered.putalpha(90)
    return {
        "landscape.jpg": encode(landscape, "JPEG", quality=90),
        "portrait.jpg": encode(portrait, "JPEG", quality=75, subsampling="4:4:4"),
        "turned.jpg": encode(landscape, "JPEG", exif=turned(6)),
        "mirrored.png": encode(portrait, "PNG", exif=turned(2)),
        "gray.jpg": encode(landscape.convert("L"), "JPEG"),
        "small.png": encode(photograph((32, 40)), "PNG"),
        "alpha.png": encode(layered, "PNG"),
    }


def ours(data: bytes, toml: str) -> np.ndarray:
    spec = parse(toml).preprocess
    assert spec.size is not None
    pixels = decode(data, decoder=spec.decoder, color=spec.color, exif=spec.exif, limits=Limits())
    return preprocess(pixels, spec, spec.size, "float32")


def span(toml: str) -> float:
    """From what black becomes to what white becomes, in the channel where that is least."""
    ends = np.array([0, 255], np.uint8)[:, None].repeat(3, axis=1)
    black, white = normalized(ends, parse(toml).preprocess).astype(np.float32)
    return float((white - black).min())


@pytest.mark.parametrize("file", files())
@pytest.mark.parametrize("name", PIPELINES)
def test_the_declaration_equals_the_code(name: str, file: str, tmp_path: Path) -> None:
    path = tmp_path / file
    path.write_bytes(files()[file])
    theirs = PIPELINES[name].code(path)
    tensor = ours(path.read_bytes(), PIPELINES[name].toml)
    assert (tensor.dtype, tensor.shape) == (np.float32, theirs.shape)
    assert np.abs(tensor - theirs).max() <= 1e-5 * span(PIPELINES[name].toml)


@pytest.mark.parametrize("name", ["load_img, lanczos", "image_dataset_from_directory"])
def test_four_inks(name: str, tmp_path: Path) -> None:
    path = tmp_path / "inks.jpg"
    path.write_bytes(encode(Image.fromarray(four_inks((213, 320)), "CMYK"), "JPEG"))
    tensor = ours(path.read_bytes(), PIPELINES[name].toml)
    assert np.abs(tensor - PIPELINES[name].code(path)).max() <= 0.00255
