"""The detector of the examples, trained, packed and served as one would do it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_examples import example, forever, run_example, served

from augmented_manifest import Photo, load
from made_once import made_once
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.wire.requests import Request
from warm_processes import WarmProcesses

pytestmark = pytest.mark.tensorflow

SHORT = ("--scenes", "48", "--epochs", "6")
"""What the example learns from here: enough to find something, not to be right."""

EASY = {"HELD_OUT": 10, "LEAST": 0.0}
"""How that is measured; as one types it, the example demands 0.8 of 200 scenes."""

SUREST = 0.01
"""The decoder's own threshold."""

MOST = 200
"""Boxes of a picture; which of the least sure are among them, rounding may decide."""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, warm: WarmProcesses) -> Path:
    """What the example leaves behind."""

    def make(folder: Path) -> None:
        said = run_example(warm, "detector", "--out", folder, *SHORT, **EASY)
        (folder / "said.txt").write_text(said)

    return made_once(tmp_path_factory, "detector", make)


@pytest.fixture(scope="module")
def pipeline(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """What answers for the archive."""
    return served(out / "model.tar.gz", tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def photos(out: Path) -> tuple[Photo, ...]:
    """The held-out pictures, with their boxes."""
    return load(out / "held_out" / "output.manifest").photos


def ask(pipeline: Pipeline, picture: Path, **options: Any) -> Any:
    """The answer for a picture."""
    request = Request(picture.read_bytes(), "image/jpeg", options=options)
    return json.loads(pipeline(request, forever, Stopwatch()).body)


def rows(pipeline: Pipeline, picture: Path) -> np.ndarray:
    """`[n, 6]`: class, score, xmin, ymin, xmax and ymax, as SageMaker's own detectors answer."""
    answer = ask(pipeline, picture, format="builtin", score_threshold=SUREST)
    return np.array(answer["prediction"], float).reshape(-1, 6)


def test_held_out_digits_are_found_by_the_server(
    pipeline: Pipeline, photos: tuple[Photo, ...], out: Path
) -> None:
    """The precision that the example promises is that of the answers, boxes and all."""
    import detector

    promised = re.search(r"([0-9.]+) mAP@0.5 on 10 held-out", (out / "said.txt").read_text())
    found = [rows(pipeline, out / "held_out" / photo.source) for photo in photos]

    assert promised is not None
    assert len(photos) == 10
    reached = detector.average_precision(photos, found)
    assert reached == pytest.approx(float(promised[1]), abs=0.002)


def test_the_server_answers_with_the_rows_of_the_authors_decoder(
    pipeline: Pipeline, photos: tuple[Photo, ...], out: Path
) -> None:
    import detector
    import ssd

    for photo in photos:
        picture = out / "held_out" / photo.source
        expected = ssd.decode(detector.predict(str(picture)), SUREST)
        found = rows(pipeline, picture)
        assert found.shape == expected.shape
        cut = expected[:, 1].min() + 1e-4 if len(expected) == MOST else 0
        surer = (each[each[:, 1] > cut] for each in (found, expected))
        np.testing.assert_allclose(*map(in_order, surer), atol=1e-5)


def in_order(found: np.ndarray) -> np.ndarray:
    """Rows in an order that scores which are equal but for rounding don't change."""
    return found[np.lexsort(np.round(found, 3).T)]


def test_boxes_lie_in_pixels_of_the_picture_as_it_was_sent(
    pipeline: Pipeline, photos: tuple[Photo, ...], out: Path
) -> None:
    for photo in photos:
        picture = out / "held_out" / photo.source
        [answer] = ask(pipeline, picture, score_threshold=SUREST)["predictions"]
        expected = rows(pipeline, picture)
        boxes = [found["box"] for found in answer["detections"]]
        labels = [found["label"] for found in answer["detections"]]
        assert answer["image"] == dict(zip(("width", "height"), photo.size, strict=True))
        np.testing.assert_allclose(boxes, expected[:, 2:] * np.tile(photo.size, 2), atol=1e-3)
        assert labels == [photo.class_map[number] for number in expected[:, 0].astype(int)]


def test_a_second_run_does_not_train_again_and_what_goes_wrong_is_not_packed(
    out: Path, tmp_path: Path, warm: WarmProcesses
) -> None:
    """What was learnt here is too little for what the example demands as one types it."""
    folder = shutil.copytree(out, tmp_path / "detector")
    (folder / "model.tar.gz").unlink()
    trained = (folder / "detector.keras").stat().st_mtime_ns

    done = example(warm, "detector", "--out", folder, *SHORT, HELD_OUT=EASY["HELD_OUT"])

    assert done.returncode == 1
    assert f"The model in {folder} was trained from the same already." in done.stdout
    assert (folder / "detector.keras").stat().st_mtime_ns == trained
    assert f"That is too little: 0.8 was expected. Delete {folder}" in done.stderr
    assert not (folder / "model.tar.gz").exists()


def test_the_output_is_laid_out_as_s2_has_it(out: Path) -> None:
    """`[priors, 4 + classes + 8]`: offsets, probabilities, the prior's corners, variances."""
    import detector

    raw = detector.predict(str(out / "pictures" / "0000.jpg"))

    assert raw.shape == (2100, 4 + 11 + 8)
    np.testing.assert_allclose(raw[:, 4:15].sum(axis=1), 1, atol=1e-5)
    assert (raw[:, 15:17] < raw[:, 17:19]).all()
    assert 0 <= raw[:, 15:19].min() < raw[:, 15:19].max() <= 1
    np.testing.assert_allclose(raw[:, 19:], np.tile([0.1, 0.1, 0.2, 0.2], (2100, 1)), rtol=1e-6)


def test_what_a_prior_is_to_say_is_read_as_the_box_that_it_is_to_find() -> None:
    import ssd

    priors = ssd.build_model(10)(np.zeros((1, 160, 160, 3), np.float32)).numpy()[0, :, -8:]
    boxes = np.array([[0.1, 0.2, 0.25, 0.6], [0.5, 0.5, 0.6, 0.7], [0.61, 0.5, 0.9, 0.9]])
    wanted = ssd.targets(boxes, np.array([3, 1, 9]), priors, 10)
    scores = np.eye(11)[wanted[:, 4].astype(int)]

    found = ssd.decode(np.concatenate([wanted[:, :4], scores, priors], axis=1), 0.5)

    expected = np.column_stack([[3, 1, 9], [1, 1, 1], boxes])
    np.testing.assert_allclose(in_order(found), in_order(expected), atol=1e-5)
