"""The libraries themselves, under the names that plumbline.toml gives to what they do.

TensorFlow, Keras and OpenCV are imported when first used: tests without them are skipped.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

Array = NDArray[Any]
Bytes = NDArray[np.uint8]
Size = tuple[int, int]
Resizer = Callable[[Bytes, Size], Array]
Colored = Callable[[Bytes], Array]


def versions() -> str:
    """What is installed here, in words."""
    import cv2
    import keras
    import PIL
    import tensorflow as tf

    modules = {"TensorFlow": tf, "Keras": keras, "Pillow": PIL, "OpenCV": cv2, "NumPy": np}
    return ", ".join(f"{name} {module.__version__}" for name, module in modules.items())


# -- resize -----------------------------------------------------------------------------------


def tensorflow_resize(method: str, antialias: bool, pixels: Bytes, size: Size) -> Array:
    """`tf.image.resize`."""
    import tensorflow as tf

    return np.asarray(tf.image.resize(pixels, size, method, antialias=antialias))


def pillow_resize(name: str, pixels: Bytes, *sizes: Size) -> Array:
    """`Image.resize`, to one size after another."""
    picture = Image.fromarray(pixels if pixels.shape[2] > 1 else pixels[..., 0])
    for height, width in sizes:
        picture = picture.resize((width, height), Image.Resampling[name.upper()])
    return np.asarray(picture).reshape(*sizes[-1], pixels.shape[2])


def opencv_resize(name: str, pixels: Bytes, size: Size) -> Array:
    """`cv2.resize`."""
    import cv2

    flag = getattr(cv2, f"INTER_{name.upper()}")
    resized = cv2.resize(pixels, (size[1], size[0]), interpolation=flag)
    return np.asarray(resized).reshape(*size, pixels.shape[2])


def skimage_resize(pixels: Bytes, size: Size) -> Array:
    """`skimage.transform.resize`, in 0 to 255."""
    from skimage.transform import resize

    return np.asarray(resize(pixels, size, preserve_range=True), np.float32)


TENSORFLOW = ("nearest", "bilinear", "bicubic", "area")
PILLOW = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
OPENCV = ("nearest", "linear", "cubic", "area")

RESIZERS: Mapping[str, Resizer] = MappingProxyType(
    {f"tensorflow-{name}": partial(tensorflow_resize, name, False) for name in TENSORFLOW}
    | {"tensorflow-bilinear-antialias": partial(tensorflow_resize, "bilinear", True)}
    | {f"pillow-{name}": partial(pillow_resize, name) for name in PILLOW}
    | {f"opencv-{name}": partial(opencv_resize, name) for name in OPENCV}
    | {"skimage-linear": skimage_resize}
)


# -- decode -----------------------------------------------------------------------------------


def pillow_decode(data: bytes, channels: int = 3) -> Array:
    """`Image.open(…).convert(…)`."""
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert(mode))
    return pixels.reshape(*pixels.shape[:2], channels)


def tensorflow_decode(data: bytes, channels: int = 3) -> Array:
    """`tf.io.decode_image`; raises `InvalidArgumentError` for what it refuses."""
    import tensorflow as tf

    return np.asarray(tf.io.decode_image(data, channels, expand_animations=False))


def opencv_decode(data: bytes) -> Array:
    """`cv2.imread`: BGR, turned upright."""
    import cv2

    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))


# -- gray -------------------------------------------------------------------------------------


def tensorflow_gray(pixels: Bytes) -> Array:
    """`tf.image.rgb_to_grayscale`."""
    import tensorflow as tf

    return np.asarray(tf.image.rgb_to_grayscale(pixels))


def opencv_gray(pixels: Bytes) -> Array:
    """`cv2.cvtColor`."""
    import cv2

    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))[..., None]


GRAYS: Mapping[str, Colored] = MappingProxyType(
    {"tensorflow-gray": tensorflow_gray, "opencv-gray": opencv_gray}
)


# -- fit --------------------------------------------------------------------------------------


def resizing_layer(pixels: Array, size: Size, **options: Any) -> Array:
    """`keras.layers.Resizing`, of floats: of bytes it rounds what it answers."""
    import keras

    return np.asarray(keras.layers.Resizing(*size, **options)(pixels.astype(np.float32)))


def resize_with_pad(pixels: Bytes, size: Size) -> Array:
    """`tf.image.resize_with_pad`; raises `InvalidArgumentError` where a side rounds to nothing."""
    import tensorflow as tf

    return np.asarray(tf.image.resize_with_pad(pixels, *size))


def yolo(pixels: Bytes, size: Size) -> Array:
    """Ultralytics' `LetterBox`, line for line, of which only OpenCV's calls do anything."""
    import cv2

    ratio = min(size[0] / pixels.shape[0], size[1] / pixels.shape[1])
    width, height = (max(1, round(side * ratio)) for side in pixels.shape[1::-1])
    dw, dh = (size[1] - width) / 2, (size[0] - height) / 2
    if pixels.shape[1::-1] != (width, height):
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    top, bottom = round(dh - 0.1), round(dh + 0.1)
    left, right = round(dw - 0.1), round(dw + 0.1)
    ground = (114, 114, 114)
    framed = cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_CONSTANT, value=ground)
    return np.asarray(framed)


def image_ops_fit(pixels: Bytes, size: Size) -> Array:
    """`PIL.ImageOps.fit`."""
    return np.asarray(ImageOps.fit(Image.fromarray(pixels), size[::-1], Image.Resampling.LANCZOS))


def image_ops_pad(pixels: Bytes, size: Size) -> Array:
    """`PIL.ImageOps.pad`."""
    return np.asarray(ImageOps.pad(Image.fromarray(pixels), size[::-1], Image.Resampling.BICUBIC))


def resize_with_crop_or_pad(pixels: Bytes, size: Size) -> Array:
    """`tf.image.resize_with_crop_or_pad`."""
    import tensorflow as tf

    return np.asarray(tf.image.resize_with_crop_or_pad(pixels, *size))


def shorter_side(pixels: Bytes, size: Size) -> Array:
    """The calls of Pillow that torchvision's `Resize(256)` and `CenterCrop` make of a picture."""
    picture = Image.fromarray(pixels)
    short = min(picture.size)
    sides = [int(256 * side / short) for side in picture.size]
    picture = picture.resize(sides, Image.Resampling.BILINEAR)
    height, width = size
    left, top = round((picture.width - width) / 2.0), round((picture.height - height) / 2.0)
    return np.asarray(picture.crop((left, top, left + width, top + height)))


def central_crop(pixels: Bytes, size: Size) -> Array:
    """`tf.image.central_crop` and `tf.image.resize`."""
    import tensorflow as tf

    return np.asarray(tf.image.resize(tf.image.central_crop(pixels, 0.875), size))


FITS: Mapping[str, tuple[str, Resizer]] = MappingProxyType(
    {
        "stretch": ("tensorflow-bilinear", resizing_layer),
        "crop": ("tensorflow-bilinear", partial(resizing_layer, crop_to_aspect_ratio=True)),
        "pad": ("tensorflow-bilinear", partial(resizing_layer, pad_to_aspect_ratio=True)),
        "letterbox": ("tensorflow-bilinear", resize_with_pad),
        "yolo": ("opencv-linear", yolo),
        "pillow-fit": ("pillow-lanczos", image_ops_fit),
        "pillow-pad": ("pillow-bicubic", image_ops_pad),
        "crop-or-pad": ("pillow-nearest", resize_with_crop_or_pad),
        "{shorter_side = 256}": ("pillow-bilinear", shorter_side),
        "{central_crop = 0.875}": ("tensorflow-bilinear", central_crop),
    }
)
"""For each fit the filter it is compared by, and the library's function."""


# -- normalize --------------------------------------------------------------------------------


def preprocess_input(mode: str, pixels: Array) -> Array:
    """`keras.applications.imagenet_utils.preprocess_input`, which every application calls."""
    from keras.src.applications import imagenet_utils

    return np.asarray(imagenet_utils.preprocess_input(pixels.astype(np.float32), mode=mode))


def by_hand(pixels: Array) -> Array:
    """What a notebook writes; rounded to float32 when Keras takes it."""
    return (pixels / 255).astype(np.float32)


@cache
def rescaling_layer(scale: float, offset: float) -> Any:
    """`keras.layers.Rescaling`."""
    import keras

    return keras.layers.Rescaling(scale, offset)


def standardized(pixels: Array) -> Array:
    """`tf.image.per_image_standardization`."""
    import tensorflow as tf

    return np.asarray(tf.image.per_image_standardization(pixels))


NORMALIZERS: Mapping[str, Colored] = MappingProxyType(
    {"unit": by_hand, "standardize": standardized}
    | {mode: partial(preprocess_input, mode) for mode in ("tf", "torch", "caffe")}
)
