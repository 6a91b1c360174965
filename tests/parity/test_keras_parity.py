"""Fits and normalizations against Keras, TensorFlow and Ultralytics' arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from PIL import Image

import libraries
from corpus import photographs
from plumbline.pipeline.preprocess import preprocess
from plumbline.spec.model_spec import Preprocess
from plumbline.vision.crops import NAMED
from plumbline.vision.fit import FITS, place
from plumbline.vision.normalize import NORMALIZATIONS, rescaling
from plumbline.vision.resize import FILTERS, resize
from strategies import sizes

pytestmark = [pytest.mark.tensorflow, pytest.mark.opencv]

Size = tuple[int, int]
CHINA = photographs()["china"]
BYTES = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
FLOATS = np.random.default_rng(0).uniform(0, 255, (64, 64, 3)).astype(np.float32)
WITHIN = 0.00255

either = pytest.mark.parametrize("pixels", [BYTES, FLOATS], ids=["bytes", "floats"])


@either
@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
def test_preprocess_input(mode: str, pixels: np.ndarray) -> None:
    import tensorflow as tf

    ours = NORMALIZATIONS[mode](pixels)
    np.testing.assert_array_equal(ours, libraries.preprocess_input(mode, pixels))
    tensor = tf.constant(pixels.astype(np.float32))
    np.testing.assert_array_equal(ours, libraries.preprocess_input(mode, np.asarray(tensor)))


@pytest.mark.parametrize(
    ("application", "mode"),
    [
        ("mobilenet_v2", "tf"),
        ("xception", "tf"),
        ("resnet", "caffe"),
        ("vgg16", "caffe"),
        ("densenet", "torch"),
        ("efficientnet", "none"),
    ],
)
def test_the_applications_take_these_modes(application: str, mode: str) -> None:
    import keras

    theirs = getattr(keras.applications, application).preprocess_input(FLOATS.copy())
    np.testing.assert_array_equal(NORMALIZATIONS[mode](FLOATS), theirs)


@either
@pytest.mark.parametrize(("scale", "offset"), [(1 / 255, 0.0), (1 / 127.5, -1.0), (1 / 256, 0.5)])
def test_rescaling(scale: float, offset: float, pixels: np.ndarray) -> None:
    theirs = libraries.rescaling_layer(scale, offset)(pixels)
    np.testing.assert_array_equal(rescaling(scale, offset)(pixels), np.asarray(theirs))


@pytest.mark.parametrize("divide", [lambda x: x / 255.0, lambda x: x / 127.5])
def test_graphs_divide_almost_alike(divide: Callable[[Any], Any]) -> None:
    """Inside `tf.function`, Grappler may turn a division by a constant into a product."""
    import tensorflow as tf

    eager, graph = divide(tf.constant(FLOATS)), tf.function(divide)(tf.constant(FLOATS))
    assert np.abs(np.asarray(eager) - np.asarray(graph)).max() <= 2**-23


@pytest.mark.parametrize("fit", [*FITS, "pillow-pad", "crop-or-pad"])
@given(source=sizes, target=sizes)
def test_fits(fit: str, source: Size, target: Size) -> None:
    import tensorflow as tf

    pixels = np.random.default_rng(0).integers(0, 256, (*source, 3), dtype=np.uint8)
    name, library = libraries.FITS[fit]
    ours, _ = place(pixels, target, NAMED[fit], FILTERS[name])
    try:
        theirs = library(pixels, target)
    except tf.errors.InvalidArgumentError:
        theirs = None
    if theirs is None or (fit == "pillow-pad" and not theirs.any()):
        inner = NAMED[fit](source, target).inner
        assert 1 in (inner.height, inner.width), "sides round to nothing: an error, or black"
        return
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= (WITHIN if name.startswith("tensorflow") else 0)


def test_smart_resize_is_crop() -> None:
    import keras

    theirs = keras.preprocessing.image.smart_resize(CHINA.astype(np.float32), (97, 131))
    ours, _ = place(CHINA, (97, 131), FITS["crop"], FILTERS["tensorflow-bilinear"])
    assert np.abs(ours - np.asarray(theirs)).max() <= WITHIN


def test_keeping_the_aspect_ratio_in_load_img_is_not_crop(tmp_path: Path) -> None:
    import keras

    Image.fromarray(CHINA).save(tmp_path / "china.png")
    theirs = keras.utils.load_img(
        tmp_path / "china.png",
        target_size=(150, 151),
        interpolation="bicubic",
        keep_aspect_ratio=True,
    )
    ours, _ = place(CHINA, (150, 151), FITS["crop"], FILTERS["pillow-bicubic"])
    assert (ours != np.asarray(theirs)).any()


def test_a_resizing_layer_rounds_bytes() -> None:
    """Given uint8 it answers uint8, rounded, as a model that takes uint8 is fed."""
    import keras

    theirs = np.asarray(keras.layers.Resizing(97, 131)(CHINA))
    assert theirs.dtype == np.uint8
    spec = Preprocess(resize="tensorflow-bilinear")
    np.testing.assert_array_equal(preprocess(CHINA, spec, (97, 131), "uint8"), theirs)


@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"])
def test_load_img(tmp_path: Path, method: str) -> None:
    import keras

    Image.fromarray(CHINA).save(tmp_path / "china.png")
    theirs = keras.utils.load_img(
        tmp_path / "china.png", target_size=(150, 170), interpolation=method
    )
    np.testing.assert_array_equal(resize(CHINA, (150, 170), f"pillow-{method}"), theirs)


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "area", "nearest"])
@pytest.mark.parametrize(
    ("fit", "options"),
    [
        ("stretch", {}),
        ("crop", {"crop_to_aspect_ratio": True}),
        ("letterbox", {"pad_to_aspect_ratio": True}),
    ],
)
def test_image_dataset_from_directory(
    tmp_path: Path, method: str, fit: str, options: dict[str, bool]
) -> None:
    """A training folder: `pad_to_aspect_ratio` there is not what it is in the Resizing layer."""
    import keras

    Image.fromarray(CHINA).save(tmp_path / "china.png")
    dataset = keras.utils.image_dataset_from_directory(
        tmp_path, labels=None, image_size=(180, 200), interpolation=method, verbose=False, **options
    )
    theirs = np.asarray(next(iter(dataset)))[0]
    spec = Preprocess(fit=fit, resize=f"tensorflow-{method}")
    ours = preprocess(CHINA, spec, (180, 200), "float32")
    assert np.abs(ours - theirs).max() <= WITHIN
