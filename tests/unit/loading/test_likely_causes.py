"""Each usual mistake, made on purpose, is named in the sentence that the load ends with."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
import simplejpeg
from PIL import Image

from plumbline.archive.contents import Archive, GoldenPicture
from plumbline.archive.discovery import ModelFile
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import GoldenMismatch
from plumbline.loading.golden_check import check_goldens
from plumbline.loading.likely_causes import explain
from plumbline.pipeline.preprocess import preprocess
from plumbline.pipeline.stages import Pipeline
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import Classification, ModelSpec, Preprocess
from plumbline.tasks.task_table import make_task
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.images import Limits

SIZE = (12, 10)
Reference = Callable[[Image.Image], Tensor]


@dataclass(frozen=True)
class LinearEngine:
    """Scores are fixed sums of all values: any change of the input shows in them."""

    channels: int = 3
    seconds: float = 0.0
    name: str = "linear"

    @property
    def signature(self) -> Signature:
        return Signature(
            (TensorSpec("image", (None, *SIZE, self.channels), "float32"),),
            (TensorSpec("scores", (None, 4), "float32"),),
        )

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        time.sleep(self.seconds)
        return {"scores": self.scores(inputs["image"])}

    def scores(self, images: Tensor) -> Tensor:
        flat = images.reshape(len(images), -1)
        weights = np.random.default_rng(3).normal(size=(flat.shape[1], 4)) / 20
        return (flat @ weights).astype(np.float32)


def photo(seed: int) -> Image.Image:
    """A picture with broad shapes and fine noise, neither square nor of the model's size."""
    noise = np.random.default_rng(seed)
    broad = Image.fromarray(noise.integers(0, 256, (5, 6, 3), np.uint8)).resize((60, 44))
    fine = noise.integers(-30, 30, (44, 60, 3))
    return Image.fromarray(np.clip(np.asarray(broad) + fine, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def small(image: Image.Image, resample: int = Image.Resampling.BILINEAR) -> Tensor:
    """What the notebook does first: `[height, width, 3]`."""
    return np.asarray(image.convert("RGB").resize(SIZE[::-1], resample), np.float32)


def softmax(scores: Tensor) -> Tensor:
    raised = np.exp(scores - scores.max())
    return np.asarray(raised / raised.sum())


def pipeline(spec: ModelSpec, engine: LinearEngine | None = None) -> Pipeline:
    engine = engine or LinearEngine()
    task = make_task(spec, None)
    task.fit(engine.signature)
    return Pipeline(spec, engine, task, Limits(), 8)


def goldens(reference: Reference, count: int = 3) -> tuple[GoldenPicture, ...]:
    photos = {f"{seed}.png": photo(seed) for seed in range(count)}
    return tuple(
        GoldenPicture(name, encoded(image), {"output": reference(image)})
        for name, image in photos.items()
    )


def scores(preprocess: Reference) -> Reference:
    """The notebook's model behind its preprocessing."""
    return lambda image: LinearEngine().scores(preprocess(image)[None])[0]


def mismatch(spec: ModelSpec, reference: Reference) -> str:
    """What loading says about the archive."""
    model = ModelFile("saved_model", Path("saved_model"))
    archive = Archive(Path(), spec, (model,), None, goldens(reference))
    with pytest.raises(GoldenMismatch) as raised:
        check_goldens(pipeline(spec), archive)
    return str(raised.value)


def declared(activation: str = "none", **keys: Any) -> ModelSpec:
    return ModelSpec(
        preprocess=Preprocess(**{"normalize": "unit", **keys}),
        classification=Classification(activation=activation),
    )


UNIT: Reference = scores(lambda image: small(image) / 255)

MISTAKES: dict[str, tuple[ModelSpec, Reference, str]] = {
    "not divided by 255": (
        declared(normalize="none"),
        UNIT,
        'normalize = "unit" (the pictures are not divided by 255)',
    ),
    "divided twice, the model does it itself": (
        declared(),
        scores(small),
        'normalize = "none" (the pictures are divided by 255, and the model does that itself)',
    ),
    "training divided twice": (
        declared(),
        scores(lambda image: small(image) / 255 / 255),
        "With the pictures divided by 255 once more they",
    ),
    "training multiplied": (
        declared(normalize="none"),
        scores(lambda image: small(image) * 255),
        "With the pictures multiplied by 255 they",
    ),
    "another normalisation": (
        declared(),
        scores(lambda image: small(image) / 127.5 - 1),
        'normalize = "tf"',
    ),
    "rgb for bgr": (
        declared(),
        scores(lambda image: small(image)[:, :, ::-1] / 255),
        'color = "bgr" (red and blue are swapped)',
    ),
    "bgr for rgb": (declared(color="bgr"), UNIT, 'color = "rgb" (red and blue are swapped)'),
    "divided by 256": (
        declared(),
        scores(lambda image: small(image) / 256),
        "normalize = {divisor = 256}",
    ),
    "another filter": (
        declared(),
        scores(lambda image: small(image, Image.Resampling.LANCZOS) / 255),
        'resize = "pillow-lanczos"',
    ),
    "softmax missing": (
        declared(),
        lambda image: softmax(UNIT(image)),
        '[classification] activation = "softmax" (softmax is missing)',
    ),
    "softmax twice": (
        declared("softmax"),
        UNIT,
        '[classification] activation = "none" (softmax is applied twice)',
    ),
    "sigmoid missing": (
        declared(),
        lambda image: 1 / (1 + np.exp(-UNIT(image))),
        '[classification] activation = "sigmoid" (sigmoid is missing)',
    ),
    "sigmoid for softmax": (
        declared("softmax"),
        lambda image: 1 / (1 + np.exp(-UNIT(image))),
        '[classification] activation = "sigmoid"',
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_mistake_is_named(mistake: str) -> None:
    spec, reference, cause = MISTAKES[mistake]
    said = mismatch(spec, reference)
    assert cause in said
    assert said.endswith("they come out right.")
    assert said.startswith("3 of 3 golden pictures come out wrong. The worst is ")


def cropped(image: Image.Image) -> Tensor:
    """The middle of a picture of 60×44, of the shape 10×12, made small."""
    return small(image.crop((12, 0, 48, 44)))  # 44 · 10 / 12 = 36.7


def letterboxed(image: Image.Image) -> Tensor:
    """The whole of a picture of 60×44 in the middle of black: 10 × 7 of 10 × 12."""
    ground = np.zeros((*SIZE, 3), np.float32)
    ground[2:9] = np.asarray(image.resize((10, 7), Image.Resampling.BILINEAR), np.float32)
    return ground


FITTED: dict[str, Reference] = {"crop": cropped, "letterbox": letterboxed}


@pytest.mark.parametrize("fit", FITTED)
def test_another_fit_is_a_suspect(fit: str) -> None:
    said = mismatch(declared(), scores(lambda image: FITTED[fit](image) / 255))
    assert said.endswith(f'With [preprocess] fit = "{fit}" they come out right.')


def test_another_decoder_is_a_suspect() -> None:
    """TensorFlow decodes JPEG files with the fast cosine transform."""
    file = io.BytesIO()
    photo(0).save(file, "JPEG", quality=90)
    fast = Image.fromarray(simplejpeg.decode_jpeg(file.getvalue(), fastdct=True))
    golden = GoldenPicture("a.jpg", file.getvalue(), {"output": UNIT(fast)})
    said = explain(pipeline(declared()), [golden], golden)
    assert said == 'With [preprocess] decoder = "tensorflow" they come out right.'


def test_another_pillow_is_a_suspect() -> None:
    """Pillow 13 shrinks tall pictures in another order than 12 did."""
    other = 25 - int(PIL.__version__.split(".")[0])
    tall = np.asarray(photo(0).transpose(Image.Transpose.ROTATE_90).resize((40, 200)))
    tensor = preprocess(tall, replace(declared().preprocess, pillow=other), SIZE, "float32")
    expected = {"output": LinearEngine().scores(tensor[None])[0]}
    golden = GoldenPicture("a.png", encoded(Image.fromarray(tall)), expected)
    said = explain(pipeline(declared()), [golden], golden)
    assert said == f"With [preprocess] pillow = {other} they come out right."


@pytest.mark.parametrize("upright", [True, False])
def test_exif_is_a_suspect(upright: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned = photo(0).transpose(Image.Transpose.ROTATE_180) if upright else photo(0)
    golden = GoldenPicture("a.png", encoded(photo(0), exif=exif), {"output": UNIT(turned)})
    said = explain(pipeline(declared(exif=not upright)), [golden], golden)
    assert f"[preprocess] exif = {str(upright).lower()} (training t" in said


def test_height_and_width_mixed_up_are_a_suspect() -> None:
    spec = declared(size=(10, 12))
    any_size = pipeline(spec, AnySize())
    golden = GoldenPicture("a.png", encoded(photo(0)), {"output": UNIT(photo(0))})
    said = explain(any_size, [golden], golden)
    assert said == "With [preprocess] size = [12, 10] they come out right."


@dataclass(frozen=True)
class AnySize(LinearEngine):
    """The same for pictures of any size."""

    @property
    def signature(self) -> Signature:
        return Signature(
            (TensorSpec("image", (None, None, None, 3), "float32"),),
            (TensorSpec("scores", (None, 4), "float32"),),
        )


def test_what_no_suspect_explains_gets_the_nearest() -> None:
    said = mismatch(declared(), lambda image: UNIT(image) + np.float32(0.5))
    assert "None of the usual causes alone explains it; the nearest is [" in said
    assert "(difference " in said


def test_a_cause_that_explains_some_pictures_says_how_many() -> None:
    spec = declared(normalize="none")
    right, wrong = goldens(UNIT), goldens(scores(lambda image: small(image) / 200), 1)
    said = explain(pipeline(spec), [*right, *wrong], right[0])
    assert 'normalize = "unit"' in said
    assert said.endswith("3 of 4 come out right.")


def test_another_form_of_output_has_no_nearest() -> None:
    said = mismatch(declared(), lambda image: np.zeros(7))
    assert said.endswith(
        "None of the usual causes alone explains it. plumbline find-preprocess MODEL --images DIR "
        "--expected FILE:FUNCTION tries all declarations; what none gives, a handler of your own "
        "does (docs/handlers.md)."
    )


def test_the_search_ends_in_time_and_says_so() -> None:
    golden = goldens(lambda image: np.zeros(4))[0]
    slow = pipeline(declared(), LinearEngine(seconds=0.05))
    start = time.monotonic()
    said = explain(slow, [golden], golden, seconds=0.2)
    assert time.monotonic() - start < 2
    assert said.endswith("The search for the cause was cut short after 0.2 s.")


def test_what_is_right_is_no_suspect() -> None:
    """The message would be wrong if the declared pipeline were among those tried."""
    spec = declared()
    archive = Archive(Path(), spec, (ModelFile("saved_model", Path("m")),), None, goldens(UNIT))
    check_goldens(pipeline(replace(spec)), archive)
