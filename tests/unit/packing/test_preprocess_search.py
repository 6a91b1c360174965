"""The search: its stages, its verdicts and its end in time, with a model that is three sums."""

from __future__ import annotations

import itertools
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from plumbline.engines.time_left import TimeLeft, lasting
from plumbline.packing import preprocess_options, search_report
from plumbline.packing.find_preprocess import Answer
from plumbline.packing.preprocess_search import Search
from plumbline.packing.preprocess_trials import Inputs, Trials
from plumbline.packing.progress_bar import Reporter
from plumbline.pipeline.preprocess import preprocess
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import Preprocess, read_document
from plumbline.vision.arrays import Tensors
from plumbline.vision.images import Limits, decode

SIZE = (10, 12)


@dataclass(frozen=True)
class Sums:
    """Fixed sums of all values of a picture; `batch` is a number where the model takes no other."""

    batch: int | None = None
    seconds: float = 0.0
    name: str = "sums"

    @property
    def signature(self) -> Signature:
        return Signature(
            (TensorSpec("image", (self.batch, *SIZE, 3), "float32"),),
            (TensorSpec("scores", (self.batch, 4), "float32"),),
        )

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        time.sleep(self.seconds)
        images = inputs["image"]
        assert self.batch in (None, len(images))
        flat = images.reshape(len(images), -1).astype(np.float64)
        weights = np.random.default_rng(3).normal(size=(flat.shape[1], 4)) / 20
        return {"scores": (flat @ weights).astype(np.float32)}


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Three JPEG files with broad shapes and fine noise."""
    for number, size in enumerate(((60, 44), (37, 52), (80, 30))):
        noise = np.random.default_rng(number)
        broad = Image.fromarray(noise.integers(0, 256, (5, 6, 3), np.uint8)).resize(size)
        fine = noise.integers(-30, 30, (size[1], size[0], 3))
        pixels = np.clip(np.asarray(broad) + fine, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.jpg", quality=90)
    return sorted(tmp_path.iterdir())


def truth(photos: list[Path], declared: Preprocess, engine: Sums) -> list[Tensors]:
    """What this declaration gives."""
    found = []
    for photo in photos:
        pixels = decode(
            photo.read_bytes(),
            decoder=declared.decoder,
            color=declared.color,
            exif=declared.exif,
            limits=Limits(),
        )
        tensor = preprocess(pixels, declared, SIZE, "float32")
        found.append(
            replace(engine, batch=None, seconds=0).run({"image": tensor[None]}, lasting(1))
        )
    return [{"output": outputs["scores"][0]} for outputs in found]


def search(
    photos: list[Path],
    expected: list[Tensors],
    engine: Sums | None = None,
    seconds: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    space = preprocess_options.options(3, turned=False, size=(64, 64))
    trials = Trials(engine or Sums(), Inputs(photos, SIZE, "float32"), expected)
    reporter = Reporter(Console(quiet=True))
    return Answer(Search(trials, space, 1e-5, seconds, reporter, clock).run(), space, SIZE)


def printed(answer: Answer) -> str:
    file = StringIO()
    search_report.show(Console(file=file, width=120), answer)
    return file.getvalue()


DECLARATIONS = (
    Preprocess(),
    Preprocess(normalize="unit", resize="pillow-nearest"),
    Preprocess(normalize="tf", color="bgr", resize="opencv-area", fit="letterbox"),
    Preprocess(normalize="torch", resize="tensorflow-bicubic", decoder="tensorflow", fit="crop"),
    Preprocess(normalize="caffe", resize="tensorflow-area", decoder="tensorflow", fit="pad"),
)


@pytest.mark.parametrize("declared", DECLARATIONS, ids=str)
def test_what_was_declared_is_found_and_printed(photos: list[Path], declared: Preprocess) -> None:
    answer = search(photos, truth(photos, declared, Sums()))
    assert answer.found.fits
    text = printed(answer)
    found = read_document(tomllib.loads(text[text.index("[preprocess]") :])).preprocess
    assert found == replace(declared, size=SIZE)


def test_every_option_can_be_pasted() -> None:
    """What is printed is read back as what was tried."""
    space = preprocess_options.options(3, turned=True, size=(64, 64))
    for key, choices in space.items():
        for choice in choices:
            declared = replace(Preprocess(), **{key: choice.value})
            table = preprocess_options.table(declared, space)
            assert read_document({"preprocess": table}).preprocess == declared


def test_gray_models_are_not_given_what_needs_three_channels() -> None:
    space = preprocess_options.options(1, turned=False, size=(64, 64))
    assert [option.value for option in space["color"]] == ["gray", "tensorflow-gray", "opencv-gray"]
    names = [option.value for option in space["normalize"]]
    assert "unit" in names
    assert "torch" not in names


def test_a_model_with_a_fixed_batch_is_searched_like_any_other(photos: list[Path]) -> None:
    declared = Preprocess(normalize="unit", resize="pillow-lanczos")
    answer = search(photos, truth(photos, declared, Sums()), Sums(batch=5))
    assert answer.found.best.declaration.preprocess == declared


def test_the_nearest_is_shown_where_nothing_fits(photos: list[Path]) -> None:
    wanted = truth(photos, Preprocess(normalize="unit"), Sums())
    shifted = [{"output": one["output"] + np.float32(0.01)} for one in wanted]
    ticks = itertools.count(0, 0.5)
    answer = search(photos, shifted, seconds=60.0, clock=lambda: next(ticks))
    assert not answer.found.fits
    assert answer.found.best.largest == pytest.approx(0.01, rel=0.1)
    assert "None fits: " in printed(answer)
    assert "The time was up before everything was tried" in printed(answer)


def test_it_ends_in_time(photos: list[Path]) -> None:
    expected: list[Tensors] = [{"output": np.zeros(4)} for _ in photos]
    start = time.monotonic()
    answer = search(photos, expected, Sums(seconds=0.05), seconds=1.0)
    assert time.monotonic() - start < 4
    assert not answer.found.complete
