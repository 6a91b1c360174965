"""Whole input pipelines as people write them, each beside the plumbline.toml that declares it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

import libraries

Array = NDArray[Any]


class Pipeline(NamedTuple):
    """A declaration, and the code that it stands for: a picture's file → the model's input."""

    toml: str
    code: Callable[[Path], Array]


def by_load_img(path: Path, **options: Any) -> Array:
    """`keras.utils.load_img` and a division, which takes no notice of EXIF."""
    import keras

    return np.asarray(keras.utils.img_to_array(keras.utils.load_img(path, **options)))


def by_pillow(path: Path) -> Array:
    """Pillow alone, bicubic, by 256."""
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    resized = picture.resize((150, 130), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.float32) / 256


def by_dataset(path: Path, **options: Any) -> Array:
    """`keras.utils.image_dataset_from_directory` of the folder that the picture lies in."""
    import keras

    dataset = keras.utils.image_dataset_from_directory(
        path.parent, labels=None, image_size=(130, 150), verbose=False, shuffle=False, **options
    )
    batch: Array = np.asarray(next(iter(dataset)))
    return np.asarray(batch[0])


def application(mode: str, path: Path, **options: Any) -> Array:
    """A training folder, and an application's `preprocess_input`."""
    return libraries.preprocess_input(mode, by_dataset(path, **options))


def by_image_ops_fit(path: Path) -> Array:
    """The snippet of Teachable Machine's export page."""
    picture = Image.open(path).convert("RGB")
    fitted = ImageOps.fit(picture, (150, 130), Image.Resampling.LANCZOS)
    return np.asarray(fitted, np.float32) / 127.5 - 1


def by_torchvision(path: Path) -> Array:
    """`Resize(140)`, `CenterCrop((130, 150))`, `ToTensor`, `Normalize`, line for line."""
    picture = Image.open(path).convert("RGB")
    width, height = picture.size
    short, long = sorted((width, height))
    new = int(140 * long / short)
    picture = picture.resize(
        (140, new) if width <= height else (new, 140), Image.Resampling.BILINEAR
    )
    width, height = picture.size
    if width < 150 or height < 130:
        beside, above = max(0, (150 - width) // 2), max(0, (130 - height) // 2)
        ground = Image.new("RGB", (max(150, width), max(130, height)))
        ground.paste(picture, (beside, above))
        picture, (width, height) = ground, ground.size
    left, top = round((width - 150) / 2.0), round((height - 130) / 2.0)
    cut = picture.crop((left, top, left + 150, top + 130))
    mean, std = (
        np.array(row, np.float32) for row in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    return np.asarray((np.asarray(cut, np.float32) / np.float32(255) - mean) / std)


def by_slim(path: Path) -> Array:
    """TF-slim's evaluation: the middle 7/8, resized, -1 to 1."""
    import tensorflow as tf

    decoded = libraries.tensorflow_decode(path.read_bytes())
    picture = tf.image.central_crop(tf.image.convert_image_dtype(decoded, tf.float32), 0.875)
    return np.asarray((tf.image.resize(picture, (130, 150)) - 0.5) * 2)


def by_standardization(path: Path) -> Array:
    """Each picture by its own mean and deviation, as TensorFlow's CIFAR-10 tutorial has it."""
    import tensorflow as tf

    decoded = libraries.tensorflow_decode(path.read_bytes())
    return np.asarray(tf.image.per_image_standardization(tf.image.resize(decoded, (130, 150))))


def by_skimage(path: Path) -> Array:
    """`skimage.transform.resize`, which gives 0 to 1."""
    from skimage.transform import resize

    pixels = np.asarray(Image.open(path).convert("RGB"))
    return np.asarray(resize(pixels, (130, 150)), np.float32)


def by_tensorflow(path: Path) -> Array:
    """`tf.io` and `tf.image`, antialiased."""
    import tensorflow as tf

    decoded = libraries.tensorflow_decode(path.read_bytes())
    return np.asarray(tf.image.resize(decoded, (130, 150), antialias=True) / 127.5 - 1)


def by_resize_with_pad(path: Path) -> Array:
    """A letterbox of TensorFlow's, in gray."""
    import tensorflow as tf

    gray = libraries.tensorflow_gray(libraries.tensorflow_decode(path.read_bytes()))
    return np.asarray(tf.image.resize_with_pad(gray, 130, 150) / 255)


def by_layers(path: Path) -> Array:
    """Keras's layers ahead of the model."""
    pixels = libraries.tensorflow_decode(path.read_bytes())
    resized = libraries.resizing_layer(pixels, (130, 150), pad_to_aspect_ratio=True)
    return np.asarray(libraries.rescaling_layer(1 / 127.5, -1.0)(resized))


def by_opencv(path: Path) -> Array:
    """`cv2.imread`, BGR as it comes."""
    pixels = libraries.opencv_decode(path.read_bytes())
    return libraries.opencv_resize("area", pixels, (130, 150)).astype(np.float32) / 255


def by_opencv_gray(path: Path) -> Array:
    """`cv2.imread`, then gray."""
    import cv2

    pixels = libraries.opencv_decode(path.read_bytes())
    gray = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)[..., None]
    return libraries.opencv_resize("linear", gray, (130, 150)).astype(np.float32)


def by_yolo(path: Path) -> Array:
    """Ultralytics' way."""
    pixels = libraries.opencv_decode(path.read_bytes())[..., ::-1]
    framed = libraries.yolo(np.ascontiguousarray(pixels), (130, 150))
    return framed.astype(np.float32) / 255


def declared(**keys: str) -> str:
    """The text of a plumbline.toml; every pipeline here has the one size."""
    lines = [f"{key} = {value}" for key, value in {"size": "[130, 150]", **keys}.items()]
    return "\n".join(["[preprocess]", *lines])


def trained(**keys: str) -> str:
    """The same for TensorFlow's input pipelines, which take no notice of EXIF."""
    filters = {"exif": "false", "decoder": "'tensorflow'", "resize": "'tensorflow-bilinear'"}
    return declared(**{**filters, **keys})


PIPELINES: Mapping[str, Pipeline] = MappingProxyType(
    {
        "load_img": Pipeline(
            declared(exif="false", resize="'pillow-nearest'", normalize="'unit'"),
            lambda path: by_load_img(path, target_size=(130, 150)) / 255,
        ),
        "load_img, lanczos": Pipeline(
            declared(exif="false", resize="'pillow-lanczos'"),
            partial(by_load_img, target_size=(130, 150), interpolation="lanczos"),
        ),
        "load_img, grayscale": Pipeline(
            declared(exif="false", color="'gray'", resize="'pillow-bilinear'"),
            partial(
                by_load_img,
                target_size=(130, 150),
                interpolation="bilinear",
                color_mode="grayscale",
            ),
        ),
        "ImageOps.fit": Pipeline(
            declared(exif="false", fit="'pillow-fit'", resize="'pillow-lanczos'", normalize="'tf'"),
            by_image_ops_fit,
        ),
        "torchvision": Pipeline(
            declared(exif="false", fit="{shorter_side = 140}", normalize="'torch'"),
            by_torchvision,
        ),
        "TF-slim": Pipeline(
            declared(
                decoder="'tensorflow'",
                exif="false",
                fit="{central_crop = 0.875}",
                resize="'tensorflow-bilinear'",
                normalize="'tf'",
            ),
            by_slim,
        ),
        "standardized": Pipeline(
            declared(
                decoder="'tensorflow'",
                exif="false",
                resize="'tensorflow-bilinear'",
                normalize="'standardize'",
            ),
            by_standardization,
        ),
        "scikit-image": Pipeline(
            declared(exif="false", resize="'skimage-linear'", normalize="'unit'"), by_skimage
        ),
        "Pillow, / 256": Pipeline(
            declared(resize="'pillow-bicubic'", normalize="{divisor = 256}"), by_pillow
        ),
        "image_dataset_from_directory": Pipeline(trained(), by_dataset),
        "image_dataset_from_directory, MobileNetV2": Pipeline(
            trained(normalize="'tf'"), partial(application, "tf")
        ),
        "image_dataset_from_directory, crop, ResNet50": Pipeline(
            trained(fit="'crop'", normalize="'caffe'"),
            partial(application, "caffe", crop_to_aspect_ratio=True),
        ),
        "image_dataset_from_directory, pad, DenseNet": Pipeline(
            trained(fit="'letterbox'", normalize="'torch'", resize="'tensorflow-bicubic'"),
            partial(application, "torch", pad_to_aspect_ratio=True, interpolation="bicubic"),
        ),
        "image_dataset_from_directory, grayscale, area": Pipeline(
            trained(color="'gray'", resize="'tensorflow-area'"),
            partial(by_dataset, color_mode="grayscale", interpolation="area"),
        ),
        "tf.io and tf.image, antialias": Pipeline(
            trained(resize="'tensorflow-bilinear-antialias'", normalize="'tf'"), by_tensorflow
        ),
        "rgb_to_grayscale, resize_with_pad": Pipeline(
            trained(color="'tensorflow-gray'", fit="'letterbox'", normalize="'unit'"),
            by_resize_with_pad,
        ),
        "Resizing, Rescaling": Pipeline(
            trained(fit="'pad'", normalize=f"{{scale = {1 / 127.5!r}, mean = 1}}"), by_layers
        ),
        "OpenCV, BGR": Pipeline(
            declared(color="'bgr'", resize="'opencv-area'", normalize="'unit'"), by_opencv
        ),
        "OpenCV, gray": Pipeline(
            declared(color="'opencv-gray'", resize="'opencv-linear'"), by_opencv_gray
        ),
        "Ultralytics": Pipeline(
            declared(fit="'yolo'", resize="'opencv-linear'", normalize="'unit'"), by_yolo
        ),
    }
)
