"""`find-preprocess` finds what real pipelines did, from four photographs and their outputs."""

from __future__ import annotations

import importlib
import os
import re
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from photographs import photograph
from PIL import Image, ImageOps
from rich.console import Console

from plumbline.archive.discovery import ModelFile
from plumbline.archive.npz_outputs import save
from plumbline.engines.keras_export import export
from plumbline.errors import PackingError
from plumbline.packing import search_report
from plumbline.packing.find_preprocess import Answer, Question, find
from plumbline.packing.progress_bar import Reporter
from warm_processes import WarmProcesses

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).parents[2]

QUIET = Reporter(Console(quiet=True))

Reference = Callable[[Path], np.ndarray]
"""The preprocessing of a notebook, by its own libraries: file → `[height, width, channels]`."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photographs of scikit-learn's, and two parts of them, of different sizes and shapes."""
    folder = tmp_path_factory.mktemp("photos")
    china, flower = (np.asarray(photograph(f"{name}.jpg")) for name in ("china", "flower"))
    Image.fromarray(china[100:356, 100:484]).save(folder / "china.jpg", quality=92)
    Image.fromarray(flower[60:300, 150:400]).save(folder / "flower.jpg", quality=85)
    Image.fromarray(china[120:320, 60:230]).save(folder / "pavilion.jpg", quality=95)
    Image.fromarray(flower[100:290, 180:460]).save(folder / "petals.png")
    return folder


def pillow(size: tuple[int, int], mode: str = "RGB", resample: int | None = None) -> Reference:
    """`Image.open(path).convert(mode).resize(…)`."""

    def read(path: Path) -> np.ndarray:
        picture = Image.open(path).convert(mode).resize(size[::-1], resample)
        return np.asarray(picture, np.float32).reshape(*size, -1)

    return read


def dataset(size: tuple[int, int], **options: Any) -> Reference:
    """What `keras.utils.image_dataset_from_directory(…, image_size=size)` yields for a file."""

    def read(path: Path) -> np.ndarray:
        import shutil
        import tempfile

        import keras

        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(path, folder)
            found = keras.utils.image_dataset_from_directory(
                folder, labels=None, image_size=size, batch_size=1, verbose=False, **options
            )
            return np.asarray(np.asarray(next(iter(found)))[0])

    return read


def opencv(size: tuple[int, int]) -> Reference:
    """`cv2.resize(cv2.imread(path), …)`: blue first."""

    def read(path: Path) -> np.ndarray:
        import cv2

        return np.asarray(cv2.resize(cv2.imread(str(path)), size[::-1]), np.float32)

    return read


def letterboxed(size: tuple[int, int]) -> Reference:
    """`tf.image.resize_with_pad`."""

    def read(path: Path) -> np.ndarray:
        import tensorflow as tf

        decoded = tf.io.decode_image(path.read_bytes(), channels=3, expand_animations=False)
        return np.asarray(tf.image.resize_with_pad(decoded, *size))

    return read


def fitted(size: tuple[int, int]) -> Reference:
    """`ImageOps.fit(image, size, Image.Resampling.LANCZOS)`, Teachable Machine's own snippet."""

    def read(path: Path) -> np.ndarray:
        picture = Image.open(path).convert("RGB")
        return np.asarray(ImageOps.fit(picture, size[::-1], Image.Resampling.LANCZOS), np.float32)

    return read


def shorter_side(side: int) -> Callable[[tuple[int, int]], Reference]:
    """What torchvision's `Resize(side)` and `CenterCrop(size)` do, by Pillow as they do it."""

    def reader(size: tuple[int, int]) -> Reference:
        def read(path: Path) -> np.ndarray:
            picture = Image.open(path).convert("RGB")
            shorter = min(picture.size)
            sides = [
                side if each == shorter else int(side * each / shorter) for each in picture.size
            ]
            resized = picture.resize((sides[0], sides[1]), Image.Resampling.BILINEAR)
            left, top = round((sides[0] - size[1]) / 2), round((sides[1] - size[0]) / 2)
            return np.asarray(resized.crop((left, top, left + size[1], top + size[0])), np.float32)

        return read

    return reader


def central(size: tuple[int, int]) -> Reference:
    """`tf.image.central_crop(…, 0.875)` and `tf.image.resize`, as TF-slim evaluates."""

    def read(path: Path) -> np.ndarray:
        import tensorflow as tf

        decoded = tf.io.decode_image(path.read_bytes(), channels=3, expand_animations=False)
        return np.asarray(tf.image.resize(tf.image.central_crop(decoded, 0.875), size))

    return read


def plain_tensorflow(size: tuple[int, int]) -> Reference:
    """`tf.io.decode_image` and `tf.image.resize`."""

    def read(path: Path) -> np.ndarray:
        import tensorflow as tf

        decoded = tf.io.decode_image(path.read_bytes(), channels=3, expand_animations=False)
        return np.asarray(tf.image.resize(decoded, size))

    return read


def standardized(pixels: np.ndarray) -> np.ndarray:
    """`tf.image.per_image_standardization`."""
    import tensorflow as tf

    return np.asarray(tf.image.per_image_standardization(pixels))


def scikit(size: tuple[int, int]) -> Reference:
    """`skimage.transform.resize(skimage.io.imread(path), size)`, in 0 to 255."""

    def read(path: Path) -> np.ndarray:
        from skimage.transform import resize

        return np.asarray(
            resize(np.asarray(Image.open(path).convert("RGB")), size) * 255, np.float32
        )

    return read


def classifier(shape: tuple[int, int, int], classes: int = 10) -> Any:
    """A small CNN with softmax, as many a notebook has."""
    import keras

    layers = keras.layers
    model = keras.Sequential([keras.Input(shape)])
    for filters in (16, 32, 32):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(classes, activation="softmax"))
    return model


def unet(shape: tuple[int, int, int]) -> Any:
    """A small network from picture to logits of the same size."""
    import keras

    layers = keras.layers
    picture = keras.Input(shape)
    down = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(picture)
    low = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(down)
    up = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(low)
    joined = layers.Concatenate()([up, down])
    return keras.Model(picture, layers.Conv2DTranspose(3, 3, strides=2, padding="same")(joined))


def stacks(found: Any) -> Any:
    """ResNet-50's four, a block each, with a quarter of its filters."""
    from keras.src.applications.resnet import stack_residual_blocks_v1

    for number, filters in enumerate((16, 32, 64, 128)):
        found = stack_residual_blocks_v1(found, filters, 1, min(2, number + 1), name=f"{number}")
    return found


NARROW: Mapping[str, Mapping[str, Any]] = {
    "mobilenet_v2": {"alpha": 0.35},
    "resnet": {"stack_fn": stacks, "preact": False, "use_bias": True},
    "efficientnet": {"width_coefficient": 0.3, "depth_coefficient": 1.0, "default_size": 64},
}


def application(family: str, name: str, gain: float = 1.0) -> Callable[[tuple[int, int, int]], Any]:
    """A network of `keras.applications` with random weights; what it repeats, it has once.

    Most let hardly any signal through with these: `gain` is what each normalisation adds.
    """

    def build(shape: tuple[int, int, int]) -> Any:
        import keras

        module = importlib.import_module(f"keras.src.applications.{family}")
        once = mock.patch.object(module, "range", lambda *ends: range(*ends)[:1], create=True)
        with once:
            model = getattr(module, name)(
                input_shape=shape, weights=None, classes=10, **NARROW.get(family, {})
            )
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.gamma.assign(layer.gamma * gain)
        return model

    return build


def mode(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """`keras.applications.….preprocess_input`."""

    def prepare(pixels: np.ndarray) -> np.ndarray:
        from keras.applications import imagenet_utils

        return np.asarray(imagenet_utils.preprocess_input(pixels.copy(), mode=name))

    return prepare


@dataclass(frozen=True)
class Pipeline:
    """A notebook: its model, how it reads a file and normalises, and what declares that."""

    build: Callable[[tuple[int, int, int]], Any]
    read: Callable[[tuple[int, int]], Reference]
    prepare: Callable[[np.ndarray], np.ndarray]
    declaration: Mapping[str, Any]
    size: tuple[int, int] = (64, 64)
    channels: int = 3


TF_LINEAR = {"decoder": "tensorflow", "resize": "tensorflow-bilinear"}
LETTERBOX = {"fit": "letterbox", **TF_LINEAR}

PIPELINES = {
    "classifier": Pipeline(
        classifier,
        pillow,
        lambda pixels: pixels / 255,
        {"resize": "pillow-bicubic", "normalize": "unit"},
        (32, 32),
    ),
    "segmenter": Pipeline(
        unet,
        pillow,
        lambda pixels: pixels / 256,
        {"resize": "pillow-bicubic", "normalize": {"divisor": 256}},
        (48, 64),
    ),
    "MobileNetV2": Pipeline(
        application("mobilenet_v2", "MobileNetV2", gain=2.4),
        dataset,
        mode("tf"),
        {"normalize": "tf", **TF_LINEAR},
    ),
    "ResNet50": Pipeline(
        application("resnet", "ResNet"),
        dataset,
        mode("caffe"),
        {"normalize": "caffe", **TF_LINEAR},
        (32, 32),
    ),
    "EfficientNetB0": Pipeline(
        application("efficientnet", "EfficientNet", gain=1.3),
        dataset,
        lambda pixels: pixels,
        {"normalize": "none", **TF_LINEAR},
    ),
    "OpenCV": Pipeline(
        classifier,
        opencv,
        lambda pixels: pixels / 255,
        {"color": "bgr", "resize": "opencv-linear", "normalize": "unit"},
    ),
    "letterboxed": Pipeline(
        classifier, letterboxed, lambda pixels: pixels / 255, {"normalize": "unit", **LETTERBOX}
    ),
    "cropped": Pipeline(
        classifier,
        lambda size: dataset(size, crop_to_aspect_ratio=True),
        mode("torch"),
        {"fit": "crop", "normalize": "torch", **TF_LINEAR},
        (48, 64),
    ),
    "Teachable Machine": Pipeline(
        classifier,
        fitted,
        mode("tf"),
        {"fit": "pillow-fit", "resize": "pillow-lanczos", "normalize": "tf"},
    ),
    "torchvision": Pipeline(
        classifier,
        shorter_side(73),
        mode("torch"),
        {"fit": {"shorter_side": 73}, "resize": "pillow-bilinear", "normalize": "torch"},
    ),
    "TF-slim": Pipeline(
        classifier,
        central,
        mode("tf"),
        {"fit": {"central_crop": 0.875}, "normalize": "tf", **TF_LINEAR},
    ),
    "standardized": Pipeline(
        classifier, plain_tensorflow, standardized, {"normalize": "standardize", **TF_LINEAR}
    ),
    "scikit-image": Pipeline(
        classifier,
        scikit,
        lambda pixels: pixels / 255,
        {"resize": "skimage-linear", "normalize": "unit"},
    ),
    "grayscale": Pipeline(
        classifier,
        lambda size: pillow(size, "L", Image.Resampling.LANCZOS),
        lambda pixels: pixels / 255,
        {"color": "gray", "resize": "pillow-lanczos", "normalize": "unit"},
        (32, 32),
        1,
    ),
}


def ask(
    pipeline: Pipeline,
    photos: Path,
    tmp_path: Path,
    change: Callable[[np.ndarray], np.ndarray] = lambda outputs: outputs,
    **options: Any,
) -> Answer:
    """Export the model, answer as the notebook does, and search."""
    import keras

    keras.utils.set_random_seed(4)
    model = pipeline.build((*pipeline.size, pipeline.channels))
    read = pipeline.read(pipeline.size)
    batch = np.stack([pipeline.prepare(read(path)) for path in sorted(photos.iterdir())])
    save(tmp_path / "outputs.npz", {"outputs": change(np.asarray(model(batch)))})
    export(model, tmp_path / "model")
    source = ModelFile("saved_model", tmp_path / "model")
    return find(Question(source, photos, str(tmp_path / "outputs.npz"), **options), QUIET)


def said(answer: Answer) -> str:
    """What the command prints."""
    file = StringIO()
    search_report.show(Console(file=file, width=120), answer)
    return file.getvalue()


@pytest.mark.parametrize("name", PIPELINES)
def test_the_true_declaration_is_found(name: str, photos: Path, tmp_path: Path) -> None:
    pipeline = PIPELINES[name]
    start = time.process_time()
    answer = ask(pipeline, photos, tmp_path, seconds=600.0)
    assert time.process_time() - start < 60
    text = said(answer)
    assert answer.found.fits, text
    printed = tomllib.loads(text[text.index("[preprocess]") :])["preprocess"]
    assert printed["size"] == list(pipeline.size)
    assert printed | dict(pipeline.declaration) == printed, text


def test_sixteen_bits_of_gray_are_found(photos: Path, tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    for number, file in enumerate(sorted(photos.iterdir())):
        gray = np.asarray(Image.open(file).convert("L")).astype(np.uint16)
        fine = np.random.default_rng(number).integers(0, 256, gray.shape)
        Image.fromarray((gray * 256 + fine).astype(np.uint16)).save(deep / f"{file.stem}.png")

    def read(size: tuple[int, int]) -> Reference:
        def resized(path: Path) -> np.ndarray:
            picture = Image.open(path).resize(size[::-1], Image.Resampling.BICUBIC)
            return np.asarray(picture, np.float32)[..., None]

        return resized

    pipeline = Pipeline(classifier, read, lambda pixels: pixels / 65535, {}, (32, 32), 1)
    answer = ask(pipeline, deep, tmp_path)
    assert answer.found.fits, said(answer)
    printed = tomllib.loads(said(answer)[said(answer).index("[preprocess]") :])["preprocess"]
    wanted = {"color": "gray16", "resize": "pillow-bicubic", "normalize": {"divisor": 65535}}
    assert printed | wanted == printed


def test_other_inputs_get_constants_and_without_them_it_says_how(
    photos: Path, tmp_path: Path
) -> None:
    import keras

    keras.utils.set_random_seed(4)
    image, age = keras.Input((32, 48, 3), name="image"), keras.Input((2,), name="age")
    seen = keras.layers.Flatten()(keras.layers.Conv2D(4, 5, strides=2)(image))
    both = keras.layers.Concatenate()([seen, keras.layers.Dense(8)(age)])
    model = keras.Model([image, age], keras.layers.Dense(5)(both))
    read = pillow((32, 48), resample=Image.Resampling.BILINEAR)
    batch = np.stack([read(path) / 255 for path in sorted(photos.iterdir())])
    outputs = model([batch, np.tile(np.float32([0.5, 9]), (len(batch), 1))])
    save(tmp_path / "outputs.npz", {"outputs": np.asarray(outputs)})
    export(model, tmp_path / "model")
    source = ModelFile("saved_model", tmp_path / "model")
    question = Question(source, photos, str(tmp_path / "outputs.npz"))
    with pytest.raises(PackingError, match="--constant NAME=0"):
        find(question, QUIET)
    answer = find(replace(question, constants={"age": [0.5, 9]}), QUIET)
    assert answer.found.fits, said(answer)
    text = said(answer)
    printed = tomllib.loads(text[text.index("[model]") :])
    assert printed["model"] == {"constants": {"age": [0.5, 9]}}
    assert printed["preprocess"]["normalize"] == "unit"


def test_declarations_that_these_pictures_can_not_tell_apart_are_named(
    photos: Path, tmp_path: Path
) -> None:
    """PNG files are decoded alike by every library."""
    (tmp_path / "png").mkdir()
    for file in photos.iterdir():
        Image.open(file).save(tmp_path / "png" / f"{file.stem}.png")
    text = said(ask(PIPELINES["classifier"], tmp_path / "png", tmp_path))
    assert "2 reproduce the outputs alike" in text
    assert '  decoder = "pillow" or "tensorflow" (more pictures would tell: JPEG files)' in text
    assert tomllib.loads(text[text.index("[preprocess]") :])["preprocess"]["decoder"] == "pillow"


def test_an_activation_that_is_missing_is_found(photos: Path, tmp_path: Path) -> None:
    def softmax(scores: np.ndarray) -> np.ndarray:
        raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=-1, keepdims=True))

    answer = ask(PIPELINES["segmenter"], photos, tmp_path, softmax)
    assert answer.found.fits
    assert answer.found.best.declaration.activation == "softmax"
    printed = tomllib.loads(said(answer)[said(answer).index("[preprocess]") :])
    assert printed["classification"] == {"activation": "softmax"}
    assert printed["preprocess"]["normalize"] == {"divisor": 256}


def test_pictures_that_lie_on_their_side_tell_whether_exif_counts(
    photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "turned").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    for file in photos.glob("*.jpg"):
        Image.open(file).save(tmp_path / "turned" / file.name, exif=exif)
    answer = ask(PIPELINES["classifier"], tmp_path / "turned", tmp_path)
    assert answer.found.fits
    assert answer.found.best.declaration.preprocess.exif is False


def test_it_says_so_if_nothing_fits_and_what_is_nearest(photos: Path, tmp_path: Path) -> None:
    odd = replace(PIPELINES["classifier"], prepare=lambda pixels: pixels / 255 + 0.01)
    answer = ask(odd, photos, tmp_path, seconds=4.0)
    assert not answer.found.fits
    text = said(answer)
    assert "None fits: " in text
    assert re.search(r"the nearest is off by [\d.e-]+, where [\d.e-]+ counts as reproduced", text)
    assert 'normalize = "unit"' in text
    assert "The time was up" in text or answer.found.complete


def test_a_model_that_hardly_listens_tells_nothing(photos: Path, tmp_path: Path) -> None:
    deaf = replace(PIPELINES["classifier"], build=lambda shape: muffled(classifier(shape)))
    answer = ask(deaf, photos, tmp_path, seconds=20)
    assert not answer.found.fits
    assert "Nothing can be found: " in said(answer)


def muffled(model: Any) -> Any:
    """The model with a last layer that gives the same for everything."""
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel * 0, bias])
    return model


def test_one_array_must_fit_the_model(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(PackingError, match=r"have the shape \[3\] for each picture, but the model"):
        ask(PIPELINES["classifier"], photos, tmp_path, lambda outputs: outputs[:, :3])


NOTEBOOK = """
import keras
import numpy as np
from PIL import Image, ImageOps
from photographs import photograph

model = keras.saving.load_model("model.keras")


def predict(path):
    picture = Image.open(path).convert("RGB").resize((32, 32), Image.Resampling.BOX)
    return model.predict(np.asarray(picture)[None] / 127.5 - 1, verbose=0)
"""


def test_the_command_prints_a_table_to_paste(
    photos: Path, tmp_path: Path, warm: WarmProcesses
) -> None:
    import keras

    keras.utils.set_random_seed(4)
    classifier((32, 32, 3)).save(tmp_path / "model.keras")
    (tmp_path / "notebook.py").write_text(NOTEBOOK)
    command = ["-m", "plumbline", "find-preprocess", "model.keras", "--images", photos]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}  # for its photographs
    done = warm.run(*command, "--expected", "notebook.py:predict", cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Searching: normalisation and colour (" in done.stdout
    assert "one reproduces the outputs, to" in done.stdout
    printed = tomllib.loads(done.stdout[done.stdout.index("[preprocess]") :])["preprocess"]
    assert (printed["resize"], printed["normalize"]) == ("pillow-box", "tf")
    assert done.stderr == ""
