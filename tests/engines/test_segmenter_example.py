"""The segmenter of the examples, trained, packed and served as one would do it."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_examples import forever, run_example, served

from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.wire.requests import Request
from plumbline.wire.responses import JSON, NPY, PNG
from scenes import SURFACES, Scene, scenes

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the example leaves behind."""
    folder = tmp_path_factory.mktemp("segmenter")
    said = run_example("segmenter.py", "--out", folder)
    reached = re.search(r"([0-9.]+) mean IoU on 200", said)
    assert reached is not None
    assert float(reached[1]) >= 0.8
    return folder


@pytest.fixture(scope="module")
def pipeline(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """What answers for the archive."""
    return served(out / "model.tar.gz", tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def held_out() -> list[Scene]:
    """Scenes that the model has not seen."""
    return list(scenes(40, held_out=True, seed=1))


def ask(pipeline: Pipeline, scene: Scene, accept: str, **options: str) -> bytes:
    """The answer for a scene's picture."""
    stream = io.BytesIO()
    scene.picture.save(stream, "PNG")
    request = Request(stream.getvalue(), PNG, accept, options)
    return pipeline(request, forever, Stopwatch()).body


def test_masks_of_held_out_scenes_cover_what_they_should_at_the_pictures_own_size(
    pipeline: Pipeline, held_out: list[Scene]
) -> None:
    import tf_keras

    metric = tf_keras.metrics.MeanIoU(len(SURFACES))
    for scene in held_out:
        mask = np.load(io.BytesIO(ask(pipeline, scene, NPY)))
        assert mask.shape == scene.picture.size[::-1]
        metric.update_state(scene.mask, mask)

    assert float(metric.result()) >= 0.8


def test_the_mask_is_the_same_in_every_form(pipeline: Pipeline, held_out: list[Scene]) -> None:
    from pycocotools import mask as coco

    scene = held_out[0]
    mask = np.load(io.BytesIO(ask(pipeline, scene, NPY)))
    [answer] = json.loads(ask(pipeline, scene, JSON))["predictions"]
    picture = Image.open(io.BytesIO(ask(pipeline, scene, PNG, mode="mask")))

    np.testing.assert_array_equal(np.asarray(picture), mask)
    assert [segment["label"] for segment in answer["segments"]] == list(SURFACES)
    for segment in answer["segments"]:
        np.testing.assert_array_equal(coco.decode(segment["rle"]), mask == segment["class_id"])


def test_tensors_are_answered_with_the_logits_of_the_notebook(
    pipeline: Pipeline, out: Path
) -> None:
    """As its author invoked it: `{"instances": X.tolist()}`."""
    import segmenter

    pictures = sorted((out / "pictures").iterdir())
    inputs = [segmenter.model_input(Image.open(picture)) for picture in pictures[:2]]
    body = json.dumps({"instances": np.stack(inputs).tolist()}).encode()

    answer = json.loads(pipeline(Request(body, JSON), forever, Stopwatch()).body)

    logits = segmenter.load_model(out / "export")(np.stack(inputs), training=False)
    np.testing.assert_allclose(answer["predictions"], logits, atol=1e-4)


def test_the_model_is_saved_under_the_time_and_a_second_run_does_not_train_again(
    out: Path,
) -> None:
    [saved] = (out / "export").iterdir()

    said = run_example("segmenter.py", "--out", out)

    assert f"The model in {out} was trained from the same already." in said
    assert list((out / "export").iterdir()) == [saved]
    assert saved.name.isdecimal()
    assert (saved / "saved_model.pb").is_file()
