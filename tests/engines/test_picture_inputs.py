"""Pictures in inputs of other forms than [batch, height, width, 3], and beside other inputs."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kerases import shaken
from PIL import Image
from rich.console import Console

from made_once import made_once
from plumbline.archive.discovery import ModelFile
from plumbline.archive.tarball import unpack
from plumbline.errors import (
    InputRefused,
    InvalidInstances,
    PackingError,
    PlumblineError,
    RequestError,
    SpecError,
)
from plumbline.loading.inspection import inspect
from plumbline.loading.inspection_report import document
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms
from plumbline.packing.find_preprocess import Question, find
from plumbline.packing.pack import Order, pack
from plumbline.packing.progress_bar import Reporter
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.wire.requests import Request

pytestmark = pytest.mark.tensorflow

QUIET = Reporter(Console(quiet=True))


@dataclass(frozen=True)
class Case:
    """A model's input, what is declared for it, and how a notebook makes a row for it."""

    shape: tuple[int, ...]
    spec: str
    read: Callable[[Path], np.ndarray]


def resized(path: Path, mode: str, size: tuple[int, int]) -> np.ndarray:
    """`Image.open(path).convert(mode).resize(…) / 255`."""
    picture = Image.open(path).convert(mode).resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(picture, np.float32) / 255


CASES = {
    "channels_first": Case(
        (3, 24, 20), "", lambda path: resized(path, "RGB", (24, 20)).transpose(2, 0, 1)
    ),
    "no_channels": Case((28, 20), 'color = "gray"\n', lambda path: resized(path, "L", (28, 20))),
    "flat": Case(
        (560,),
        'color = "gray"\nsize = [28, 20]\n',
        lambda path: resized(path, "L", (28, 20)).reshape(-1),
    ),
    "flat_rgb": Case(
        (420,),
        'layout = "flat"\nsize = [14, 10]\n',
        lambda path: resized(path, "RGB", (14, 10)).reshape(-1),
    ),
    "rgba": Case((20, 16, 4), 'color = "rgba"\n', lambda path: resized(path, "RGBA", (20, 16))),
}


def model_of(shape: tuple[int, ...]) -> Any:
    """A classifier whose answer depends on every number of its input."""
    import keras

    taken = keras.Input(shape, name="picture")
    scores = keras.layers.Dense(4, activation="softmax")(keras.layers.Flatten()(taken))
    return shaken(keras.Model(taken, scores))


def two_inputs() -> Any:
    """A classifier of a picture and four numbers."""
    import keras

    picture = keras.Input((16, 16, 3), name="picture")
    meta = keras.Input((4,), name="meta")
    found = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(picture))
    both = keras.layers.Concatenate()([found, meta])
    scores = keras.layers.Dense(3, activation="softmax")(both)
    return shaken(keras.Model({"picture": picture, "meta": meta}, scores))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with colours, edges and alpha."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(3):
        blocks = rng.integers(0, 256, (6, 5, 4), np.uint8)
        pixels = np.kron(blocks, np.ones((9, 11, 1), np.uint8))
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .keras file for each case, and one of two inputs."""

    def make(folder: Path) -> None:
        for name, case in CASES.items():
            model_of(case.shape).save(folder / f"{name}.keras")
        two_inputs().save(folder / "two.keras")

    return made_once(tmp_path_factory, "picture-inputs", make)


def packed(model: Path, spec: str, photos: Path | None, out: Path) -> Path:
    """The unpacked archive of the model, proven by the libraries' own answers."""
    (out / "spec.toml").write_text(spec)
    order = Order(ModelFile("keras", model), out / "spec.toml", photos)
    report = pack(order, out / "m.tar.gz", False, QUIET)
    assert not report.wrong
    folder = out / "unpacked"
    folder.mkdir()
    unpack(out / "m.tar.gz", folder)
    return folder


def served(folder: Path, engine: str) -> Pipeline:
    """What answers for it."""
    terms = Terms(cores=2, engine=engine)
    return load_models(folder, terms, lambda _: None).default.pipeline


def answered(pipeline: Pipeline, body: object, **named: Any) -> Any:
    """The predictions for a body of JSON, or for a picture's bytes."""
    picture = isinstance(body, bytes)
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(sent, "image/png" if picture else "application/json", **named)
    return json.loads(pipeline(request, lambda: 60.0, Stopwatch()).body)["predictions"]


def b64(path: Path) -> dict[str, str]:
    """The picture as JSON has it."""
    return {"b64": base64.b64encode(path.read_bytes()).decode()}


@pytest.mark.parametrize("name", CASES)
def test_pictures_are_answered_as_keras_does_by_either_engine(
    name: str, models: Path, photos: Path, tmp_path: Path
) -> None:
    import keras

    case = CASES[name]
    folder = packed(
        models / f"{name}.keras", f'[preprocess]\n{case.spec}normalize = "unit"\n', photos, tmp_path
    )
    model = keras.saving.load_model(models / f"{name}.keras")
    for engine in ("tensorflow", "openvino"):
        pipeline = served(folder, engine)
        assert pipeline.engine.name == engine
        for photo in sorted(photos.iterdir()):
            row = case.read(photo)
            expected = np.asarray(model(row[np.newaxis]))
            found = next(iter(pipeline.values(photo.read_bytes(), lambda: 60.0).values()))
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
            classes = answered(pipeline, photo.read_bytes())[0]["classes"]
            assert classes[0]["class_id"] == expected.argmax()
            tensors = answered(pipeline, {"instances": [row.tolist()]})
            np.testing.assert_allclose(tensors, expected, rtol=0, atol=1e-5)
    assert document(inspect(folder))["preprocess"]["layout"] == name.partition("_rgb")[0].replace(
        "rgba", "channels_last"
    )


@pytest.mark.parametrize("name", ["channels_first", "no_channels", "flat", "rgba"])
def test_find_preprocess_finds_them(name: str, models: Path, photos: Path, tmp_path: Path) -> None:
    import keras

    case = CASES[name]
    model = keras.saving.load_model(models / f"{name}.keras")
    rows = {one.name: np.asarray(model(case.read(one)[np.newaxis]))[0] for one in photos.iterdir()}
    np.savez(tmp_path / "expected.npz", **rows)
    size = (28, 20) if name == "flat" else None
    question = Question(
        ModelFile("keras", models / f"{name}.keras"),
        photos,
        str(tmp_path / "expected.npz"),
        size,
        seconds=60.0,
    )
    answer = find(question, QUIET)
    best = answer.found.best.declaration.preprocess
    assert answer.found.fits
    assert (best.normalize, best.resize) == ("unit", "pillow-bilinear")


TWO = '[model]\nconstants = {meta = [0.5, -1, 2, 0]}\n[preprocess]\nnormalize = "unit"\n'


def test_a_model_of_several_inputs_takes_pictures_beside_constants_and_beside_tensors(
    models: Path, photos: Path, tmp_path: Path
) -> None:
    import keras

    folder = packed(models / "two.keras", TWO, photos, tmp_path)
    model = keras.saving.load_model(models / "two.keras")
    for engine in ("tensorflow", "openvino"):
        pipeline = served(folder, engine)
        assert pipeline.engine.name == engine
        for photo in sorted(photos.iterdir()):
            row = resized(photo, "RGB", (16, 16))[np.newaxis]
            declared, other = (
                np.asarray(model({"picture": row, "meta": np.array([meta], np.float32)}))
                for meta in ([0.5, -1, 2, 0], [3, 2, 1, 0])
            )
            found = next(iter(pipeline.values(photo.read_bytes(), lambda: 60.0).values()))
            np.testing.assert_allclose(found, declared, rtol=0, atol=1e-5)
            mixed = {"instances": [{"picture": b64(photo), "meta": [3, 2, 1, 0]}]}
            np.testing.assert_allclose(answered(pipeline, mixed), other, rtol=0, atol=1e-5)
            tensors = {"instances": [{"picture": row[0].tolist(), "meta": [3, 2, 1, 0]}] * 2}
            np.testing.assert_allclose(answered(pipeline, tensors)[1], other[0], rtol=0, atol=1e-5)


def test_a_picture_beside_tensors_needs_no_constants(
    models: Path, photos: Path, tmp_path: Path
) -> None:
    import keras

    pipeline = served(packed(models / "two.keras", 'task = "raw"\n', None, tmp_path), "tensorflow")
    photo = next(photos.iterdir())
    rows = [{"picture": b64(photo), "meta": [n, 2, 1, 0]} for n in range(3)]
    model = keras.saving.load_model(models / "two.keras")
    row = resized(photo, "RGB", (16, 16)) * 255
    expected = model(
        {
            "picture": np.stack([row] * 3).round(),
            "meta": np.array([one["meta"] for one in rows], np.float32),
        }
    )
    np.testing.assert_allclose(
        answered(pipeline, {"instances": rows}), np.asarray(expected), rtol=1e-5, atol=1e-5
    )
    with pytest.raises(InvalidInstances, match=r"constants = \{\"meta\" = 0\}"):
        answered(pipeline, photo.read_bytes())
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, "PNG")
    broken = base64.b64encode(stream.getvalue()[:40]).decode()
    for bad in ({"b64": broken}, {"b64": "?"}, {"url": "https://example.com/a.jpg"}, {"b64": 3}):
        with pytest.raises(RequestError):
            answered(pipeline, {"instances": [{"picture": bad, "meta": [0, 0, 0, 0]}]})
    with pytest.raises(RequestError):
        answered(pipeline, {"instances": [{"picture": [[0]], "meta": b64(photo)}]})


@pytest.mark.parametrize(
    ("name", "spec", "sentence"),
    [
        ("no_channels", "labels = ['a', 'b', 'c', 'd']\n", '[preprocess] color = "gray"'),
        ("rgba", '[preprocess]\nnormalize = "unit"\n', '[preprocess] color = "rgba"'),
        ("flat", '[preprocess]\ncolor = "gray"\n', 'task = "raw"'),
        ("rgba", '[preprocess]\ncolor = "rgba"\nlayout = "flat"\n', "preprocess.layout = 'flat'"),
        ("two", '[preprocess]\nnormalize = "unit"\n', '[model] constants = {"meta" = 0}'),
        ("two", "[model]\nconstants = {mete = 0}\n", "model.constants has 'mete'"),
        ("two", "[model]\nconstants = {meta = [1, 2]}\n", "model.constants.meta = [1, 2]"),
        ("two", "[model]\nconstants = {meta = 'a'}\n", "model.constants.meta = 'a'"),
        ("two", "[model]\nconstants = {meta = 0, picture = 0}\n", "leave out the one"),
    ],
)
def test_what_can_not_be_ends_in_a_sentence_that_says_what_to_write(
    name: str, spec: str, sentence: str, models: Path, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises((PackingError, SpecError)) as caught:
        packed(models / f"{name}.keras", spec, photos, tmp_path)
    assert isinstance(caught.value, PlumblineError)
    assert sentence in caught.value.message


def unet() -> Any:
    """A U-Net of any size whose sides must be multiples of four."""
    import keras

    layers = keras.layers
    picture = keras.Input((None, None, 3), name="picture")
    found = layers.Conv2D(4, 3, padding="same", activation="relu")(picture)
    low = layers.MaxPooling2D(4)(found)
    joined = layers.Concatenate()([layers.UpSampling2D(4)(low), found])
    return shaken(keras.Model(picture, layers.Conv2D(3, 1, activation="softmax")(joined)))


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
def test_pictures_of_any_size_are_padded_and_their_masks_cut_back(
    engine: str, tmp_path: Path
) -> None:
    model, photos = unet(), tmp_path / "photos"
    model.save(tmp_path / "unet.keras")
    photos.mkdir()
    rng = np.random.default_rng(0)
    for number, size in enumerate([(21, 34), (24, 16), (5, 3)]):
        pixels = rng.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
    spec = 'task = "segmentation"\n[preprocess]\nmultiple_of = 4\n'
    pipeline = served(packed(tmp_path / "unet.keras", spec, photos, tmp_path), engine)
    assert pipeline.engine.name == engine
    for photo in photos.iterdir():
        pixels = np.asarray(Image.open(photo), np.float32)
        height, width, _ = pixels.shape
        padded = np.pad(pixels, ((0, -height % 4), (0, -width % 4), (0, 0)))
        expected = np.asarray(model(padded[np.newaxis]))[0].argmax(-1)[:height, :width]
        request = Request(photo.read_bytes(), "image/png", accept="application/x-npy")
        answer = pipeline(request, lambda: 60.0, Stopwatch()).body
        np.testing.assert_array_equal(np.load(io.BytesIO(answer)), expected)


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
def test_a_size_that_the_model_refuses_is_the_callers_with_what_to_declare(
    engine: str, tmp_path: Path
) -> None:
    unet().save(tmp_path / "unet.keras")
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (24, 16), "teal").save(photos / "0.png")
    Image.new("RGB", (16, 24), "navy").save(photos / "1.png")
    spec = 'task = "segmentation"\n[preprocess]\nkeep_size = true\n'
    pipeline = served(packed(tmp_path / "unet.keras", spec, photos, tmp_path), engine)
    assert pipeline.engine.name == engine
    Image.new("RGB", (21, 34)).save(tmp_path / "odd.png")
    with pytest.raises(InputRefused, match=r"21×34 pixels.*\[preprocess\] multiple_of = 32"):
        answered(pipeline, (tmp_path / "odd.png").read_bytes())
    (tmp_path / "odd.png").rename(photos / "2.png")
    (tmp_path / "again").mkdir()
    with pytest.raises(PackingError, match=r"2.png, 21×34 pixels.*multiple_of = 32"):
        packed(tmp_path / "unet.keras", spec, photos, tmp_path / "again")


def enlarging() -> Any:
    """A network that makes a picture twice as large, whose sides must be multiples of four."""
    import keras

    layers = keras.layers
    taken = keras.Input((None, None, 3), name="picture")
    doubled = layers.UpSampling2D(2)(layers.Conv2D(8, 3, strides=4, padding="same")(taken))
    found = layers.Conv2D(3, 3, padding="same")(layers.UpSampling2D(4)(doubled))
    return shaken(keras.Model(taken, found))


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
def test_a_picture_out_of_a_picture_is_answered_as_png(engine: str, tmp_path: Path) -> None:
    """Twice as large as the one that was sent, without what it was padded by."""
    model = enlarging()
    model.save(tmp_path / "large.keras")
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for number, size in enumerate([(21, 34), (8, 12)]):
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(photos / f"{number}.png")
    spec = (
        'task = "image"\n[preprocess]\nnormalize = "unit"\nmultiple_of = 4\n'
        "[image]\nrange = [-1, 1]\n"
    )
    pipeline = served(packed(tmp_path / "large.keras", spec, photos, tmp_path), engine)
    assert pipeline.engine.name == engine
    for photo in photos.iterdir():
        pixels = np.asarray(Image.open(photo), np.float32) / 255
        height, width, _ = pixels.shape
        padded = np.pad(pixels, ((0, -height % 4), (0, -width % 4), (0, 0)))
        values = np.asarray(model(padded[np.newaxis]))[0][: 2 * height, : 2 * width]
        expected = Image.fromarray(np.clip((values + 1) * 127.5, 0, 255).round().astype(np.uint8))
        request = Request(photo.read_bytes(), "image/png", accept="image/png")
        answer = pipeline(request, lambda: 60.0, Stopwatch())
        assert answer.content_type == "image/png"
        shown = Image.open(io.BytesIO(answer.body))
        assert shown.size == (2 * width, 2 * height)
        gap = np.abs(np.asarray(shown, int) - np.asarray(expected, int))
        assert gap.max() <= 1
        assert (gap > 0).mean() < 0.01
        told = answered(pipeline, photo.read_bytes())[0]["image"]
        assert (told["width"], told["height"]) == shown.size
        assert base64.b64decode(told["png"]["b64"]) == answer.body


def test_a_picture_whose_range_nobody_says_is_refused_with_the_line_to_write(
    tmp_path: Path,
) -> None:
    unet().save(tmp_path / "unet.keras")
    with pytest.raises(SpecError, match=r"\[image\] range = \[0, 1\]"):
        packed(
            tmp_path / "unet.keras",
            'task = "image"\n[preprocess]\nmultiple_of = 4\n',
            None,
            tmp_path,
        )


@pytest.mark.parametrize("resize", ["pillow-bilinear", "tensorflow-bilinear"])
def test_sixteen_bits_of_gray_reach_the_model(resize: str, tmp_path: Path) -> None:
    model = model_of((24, 20, 1))
    model.save(tmp_path / "xray.keras")
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        Image.fromarray(rng.integers(0, 65536, (48, 50), np.uint16)).save(photos / f"{number}.png")
    spec = f'[preprocess]\ncolor = "gray16"\nresize = "{resize}"\nnormalize = {{divisor = 65535}}\n'
    pipeline = served(packed(tmp_path / "xray.keras", spec, photos, tmp_path), "openvino")
    if resize == "pillow-bilinear":
        for photo in photos.iterdir():
            small = Image.open(photo).resize((20, 24), Image.Resampling.BILINEAR)
            row = np.asarray(small, np.float32)[None, ..., None] / 65535
            found = next(iter(pipeline.values(photo.read_bytes(), lambda: 60.0).values()))
            np.testing.assert_allclose(found, np.asarray(model(row)), rtol=0, atol=1e-5)
    request = Request(next(photos.iterdir()).read_bytes(), "image/png", accept="image/png")
    assert Image.open(io.BytesIO(pipeline(request, lambda: 60.0, Stopwatch()).body)).mode == "RGB"
