"""A picture as the declared libraries themselves read it: the reference where there is no other.

Nothing here shares code with what serves requests; it needs TensorFlow, and OpenCV for its filters.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from plumbline.errors import PackingError
from plumbline.spec.model_spec import Preprocess
from plumbline.vision.arrays import Pixels, Tensor
from plumbline.vision.crops import CentralCrop
from plumbline.vision.images import DEEP

ORIENTATION = 0x0112

Size = tuple[int, int]


def preprocess(picture: Path, declared: Preprocess, size: Size | None) -> Tensor:
    """The model's input for one picture: `[height, width, channels]`.

    `size` is (height, width); None leaves the picture as large as it is.
    """
    if declared.pillow is not None:
        raise PackingError(
            f"[preprocess] pillow = {declared.pillow} is another Pillow than the one installed "
            "here; give the golden outputs yourself, with --reference FILE:FUNCTION."
        )
    pixels = DECODERS[declared.decoder](picture, declared)
    library, _, name = declared.resize.partition("-")
    if size is None:
        resized: Any = padded(pixels, declared.multiple_of or 1)
    elif declared.fit == "stretch":
        resized = RESIZERS[library](pixels, size, name)
    elif declared.fit == "crop-or-pad":
        resized = crop_or_pad(pixels, size)
    elif library == "pillow" and declared.fit in PILLOW_FITS:
        resized = by_image_ops(PILLOW_FITS[declared.fit], pixels, size, name)
    elif isinstance(declared.fit, CentralCrop):
        resized = RESIZERS[library](central_crop(pixels, declared.fit.share), size, name)
    elif library == "tensorflow" and declared.fit in TENSORFLOW_FITS:
        resized = TENSORFLOW_FITS[declared.fit](pixels, size, name)
    else:
        raise PackingError(
            f'No library resizes as [preprocess] fit = "{declared.fit}" with resize = '
            f'"{declared.resize}" in one call; give the golden outputs yourself, with '
            "--reference FILE:FUNCTION."
        )
    return normalize(np.asarray(resized, np.float32), declared.normalize)


def padded(pixels: Pixels, step: int) -> Pixels:
    """`np.pad` with black, right and below."""
    height, width, _ = pixels.shape
    return np.pad(pixels, ((0, -height % step), (0, -width % step), (0, 0)))


def with_pillow(picture: Path, declared: Preprocess) -> Pixels:
    """`Image.open(picture).convert(…)`."""
    with Image.open(picture) as image:
        turned = ImageOps.exif_transpose(image) if declared.exif else image
        if declared.color == DEEP:
            return np.asarray(turned)[:, :, np.newaxis]
        mode = {"gray": "L", "rgba": "RGBA"}.get(declared.color, "RGB")
        return in_color(turned.convert(mode), declared.color)


def with_tensorflow(picture: Path, declared: Preprocess) -> Pixels:
    """`tf.io.decode_image`, which knows nothing of EXIF: turned afterwards."""
    import tensorflow as tf

    data = picture.read_bytes()
    channels = {"gray": 1, DEEP: 1, "rgba": 4}.get(declared.color, 3)
    kind = tf.uint16 if declared.color == DEEP else tf.uint8
    decoded = tf.io.decode_image(data, channels, kind, expand_animations=False).numpy()
    image = Image.fromarray(decoded[:, :, 0] if channels == 1 else decoded)
    if declared.exif:
        with Image.open(io.BytesIO(data)) as header:
            image.getexif()[ORIENTATION] = header.getexif().get(ORIENTATION, 1)
        image = ImageOps.exif_transpose(image)
    return in_color(image, declared.color)


def in_color(image: Image.Image, color: str) -> Pixels:
    """The picture's pixels `[height, width, channels]` in the declared colours."""
    pixels = np.asarray(image)
    return COLORS[color](pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels)


def tensorflow_gray(pixels: Pixels) -> Pixels:
    """`tf.image.rgb_to_grayscale`."""
    import tensorflow as tf

    return np.asarray(tf.image.rgb_to_grayscale(pixels))


def opencv_gray(pixels: Pixels) -> Pixels:
    """`cv2.cvtColor`."""
    cv2 = opencv('color = "opencv-gray"')
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))[:, :, np.newaxis]


def opencv(declared: str) -> Any:
    """OpenCV. Raises `PackingError` where it is not installed."""
    try:
        import cv2
    except ImportError as exc:
        raise PackingError(
            f"[preprocess] {declared} is checked against OpenCV itself, which is not installed: "
            "pip install opencv-python-headless, or give --reference FILE:FUNCTION."
        ) from exc
    return cv2


COLORS: Mapping[str, Callable[[Pixels], Pixels]] = {
    "rgb": lambda pixels: pixels,
    "rgba": lambda pixels: pixels,
    "bgr": lambda pixels: pixels[:, :, ::-1],
    "gray": lambda pixels: pixels,
    DEEP: lambda pixels: pixels,
    "tensorflow-gray": tensorflow_gray,
    "opencv-gray": opencv_gray,
}


DECODERS: Mapping[str, Callable[[Path, Preprocess], Pixels]] = {
    "pillow": with_pillow,
    "tensorflow": with_tensorflow,
}


def pillow_resize(pixels: Pixels, size: Size, name: str) -> Tensor:
    """`Image.resize`."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    resized = np.asarray(image.resize(size[::-1], Image.Resampling[name.upper()]))
    return resized.reshape(*size, pixels.shape[2])


def tensorflow_resize(pixels: Pixels, size: Size, name: str) -> Tensor:
    """`tf.image.resize`."""
    import tensorflow as tf

    method, _, antialias = name.partition("-")
    resized: Tensor = tf.image.resize(
        pixels, size, method=method, antialias=bool(antialias)
    ).numpy()
    return resized


def opencv_resize(pixels: Pixels, size: Size, name: str) -> Tensor:
    """`cv2.resize`."""
    cv2 = opencv(f'resize = "opencv-{name}"')
    method: Any = getattr(cv2, f"INTER_{name.upper()}")
    resized = cv2.resize(np.ascontiguousarray(pixels), size[::-1], interpolation=method)
    return np.asarray(resized).reshape(*size, pixels.shape[2])


def skimage_resize(pixels: Pixels, size: Size, name: str) -> Tensor:  # noqa: ARG001
    """`skimage.transform.resize`, in 0 to 255."""
    try:
        from skimage.transform import resize
    except ImportError as exc:
        raise PackingError(
            '[preprocess] resize = "skimage-linear" is checked against scikit-image itself, which '
            "is not installed: pip install scikit-image, or give --reference FILE:FUNCTION."
        ) from exc
    return np.asarray(resize(pixels, size, preserve_range=True), np.float32)


def by_image_ops(call: Callable[..., Any], pixels: Pixels, size: Size, name: str) -> Tensor:
    """`ImageOps.fit` or `ImageOps.pad`."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    fitted = call(image, size[::-1], Image.Resampling[name.upper()])
    return np.asarray(fitted).reshape(*size, pixels.shape[2])


PILLOW_FITS: Mapping[object, Callable[..., Any]] = {
    "pillow-fit": ImageOps.fit,
    "pillow-pad": ImageOps.pad,
}


def crop_or_pad(pixels: Pixels, size: Size) -> Tensor:
    """`tf.image.resize_with_crop_or_pad`."""
    import tensorflow as tf

    return np.asarray(tf.image.resize_with_crop_or_pad(pixels, *size))


def central_crop(pixels: Pixels, share: float) -> Pixels:
    """`tf.image.central_crop`."""
    import tensorflow as tf

    return np.asarray(tf.image.central_crop(pixels, share))


RESIZERS: Mapping[str, Callable[[Pixels, Size, str], Tensor]] = {
    "pillow": pillow_resize,
    "tensorflow": tensorflow_resize,
    "opencv": opencv_resize,
    "skimage": skimage_resize,
}


def tensorflow_crop(pixels: Pixels, size: Size, name: str) -> Tensor:
    """`keras.preprocessing.image.smart_resize`."""
    from keras.preprocessing.image import smart_resize

    return np.asarray(smart_resize(pixels.astype(np.float32), size, interpolation=name))


def tensorflow_letterbox(pixels: Pixels, size: Size, name: str) -> Tensor:
    """`tf.image.resize_with_pad`."""
    import tensorflow as tf

    method, _, antialias = name.partition("-")
    resized: Tensor = tf.image.resize_with_pad(
        pixels, *size, method=method, antialias=bool(antialias)
    ).numpy()
    return resized


TENSORFLOW_FITS: Mapping[object, Callable[[Pixels, Size, str], Tensor]] = {
    "crop": tensorflow_crop,
    "letterbox": tensorflow_letterbox,
}


def normalize(pixels: Tensor, declared: Any) -> Tensor:
    """What the notebook writes: `/ 255`, or `keras.applications.….preprocess_input`."""
    if declared == "none":
        return pixels
    if declared == "unit":
        return pixels / np.float32(255)
    if declared == "standardize":
        import tensorflow as tf

        return np.asarray(tf.image.per_image_standardization(pixels))
    if isinstance(declared, str):
        from keras.applications import imagenet_utils

        return np.asarray(imagenet_utils.preprocess_input(pixels.copy(), mode=declared))
    scaled = pixels / np.float32(declared.divisor) * np.float32(declared.scale)
    return (scaled - np.asarray(declared.mean, np.float32)) / np.asarray(declared.std, np.float32)
