"""Picture + spec → tensor."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from plumbline.pipeline.preprocess import preprocess
from plumbline.spec.model_spec import Preprocess
from plumbline.vision.fit import FITS, place
from plumbline.vision.normalize import NORMALIZATIONS, Normalization
from plumbline.vision.resize import FILTERS, pillow_filters

PIXELS = np.random.default_rng(3).integers(0, 256, (13, 11, 3), np.uint8)


def test_the_tensor_is_what_a_notebook_would_compute() -> None:
    spec = Preprocess(resize="pillow-bicubic", normalize="unit")
    tensor = preprocess(PIXELS, spec, (8, 6), "float32")
    image = Image.fromarray(PIXELS).resize((6, 8), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(tensor, np.asarray(image).astype(np.float32) / 255)


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int32", "float64"])
def test_the_tensor_has_the_dtype_that_the_model_takes(dtype: str) -> None:
    tensor = preprocess(PIXELS, Preprocess(), (13, 11), dtype)
    assert tensor.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(tensor, PIXELS)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("name", ["tensorflow-bilinear", "opencv-linear"])
def test_the_fit_is_the_declared_one(fit: str, name: str) -> None:
    tensor = preprocess(PIXELS, Preprocess(fit=fit, resize=name), (8, 9), "float32")
    np.testing.assert_array_equal(tensor, place(PIXELS, (8, 9), FITS[fit], FILTERS[name])[0])


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_the_normalization_is_the_declared_one(name: str) -> None:
    tensor = preprocess(PIXELS, Preprocess(normalize=name), (13, 11), "float32")
    np.testing.assert_array_equal(tensor, NORMALIZATIONS[name](PIXELS))


def test_numbers_of_ones_own_normalize_too() -> None:
    own = Normalization(divisor=256)
    tensor = preprocess(PIXELS, Preprocess(normalize=own), (13, 11), "float32")
    np.testing.assert_array_equal(tensor, PIXELS.astype(np.float32) / 256)


def test_the_order_of_rows_and_columns_is_the_declared_pillows() -> None:
    tall = np.random.default_rng(0).integers(0, 256, (1280, 720, 3), np.uint8)
    old, new = (
        preprocess(tall, Preprocess(resize="pillow-bicubic", pillow=major), (224, 224), "uint8")
        for major in (12, 13)
    )
    assert (old != new).any()
    np.testing.assert_array_equal(old, pillow_filters(12)["pillow-bicubic"](tall, (224, 224)))


def test_whole_numbers_are_rounded_and_kept_in_range() -> None:
    own = Normalization(scale=2.5)
    pixels = np.array([[[1, 3, 200]]], np.uint8)
    tensor = preprocess(pixels, Preprocess(normalize=own), (1, 1), "uint8")
    assert tensor.tolist() == [[[2, 8, 255]]]
