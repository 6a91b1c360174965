"""The segmenter of the examples, trained, packed and served as one would do it."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_examples import forever, run_example, served

from made_once import made_once
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.wire.requests import Request
from plumbline.wire.responses import JSON, NPY, PNG
from scenes import SURFACES, Scene, scenes
from warm_processes import WarmProcesses

pytestmark = pytest.mark.tensorflow

SHORT = ("--scenes", "48", "--epochs", "8")
"""What the example learns from here: enough to tell paper from background."""

EASY = {"HELD_OUT": 10, "LEAST": 0.4}
"""How that is measured; as one types it, the example demands 0.8 of 200 scenes."""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, warm: WarmProcesses) -> Path:
    """What the example leaves behind."""

    def make(folder: Path) -> None:
        said = run_example(warm, "segmenter", "--out", folder, *SHORT, **EASY)
        (folder / "said.txt").write_text(said)

    return made_once(tmp_path_factory, "segmenter", make)


@pytest.fixture(scope="module")
def pipeline(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """What answers for the archive."""
    return served(out / "model.tar.gz", tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def held_out() -> list[Scene]:
    """Scenes that the model has not seen."""
    return list(scenes(EASY["HELD_OUT"], held_out=True))


def ask(pipeline: Pipeline, scene: Scene, accept: str, **options: str) -> bytes:
    """The answer for a scene's picture."""
    stream = io.BytesIO()
    scene.picture.save(stream, "PNG")
    request = Request(stream.getvalue(), PNG, accept, options)
    return pipeline(request, forever, Stopwatch()).body


def test_masks_of_held_out_scenes_cover_what_they_should_at_the_pictures_own_size(
    pipeline: Pipeline, held_out: list[Scene], out: Path
) -> None:
    """As well as the example says, which measures them in the network's size."""
    import tf_keras

    metric = tf_keras.metrics.MeanIoU(len(SURFACES))
    for scene in held_out:
        mask = np.load(io.BytesIO(ask(pipeline, scene, NPY)))
        assert mask.shape == scene.picture.size[::-1]
        metric.update_state(scene.mask, mask)

    promised = re.search(r"([0-9.]+) mean IoU on 10 held-out", (out / "said.txt").read_text())
    assert promised is not None
    assert float(metric.result()) == pytest.approx(float(promised[1]), abs=0.03)
    assert float(promised[1]) >= EASY["LEAST"]


def test_the_mask_is_the_same_in_every_form(pipeline: Pipeline, held_out: list[Scene]) -> None:
    from pycocotools import mask as coco

    scene = held_out[0]
    mask = np.load(io.BytesIO(ask(pipeline, scene, NPY)))
    [answer] = json.loads(ask(pipeline, scene, JSON))["predictions"]
    picture = Image.open(io.BytesIO(ask(pipeline, scene, PNG, mode="mask")))

    np.testing.assert_array_equal(np.asarray(picture), mask)
    there = np.unique(mask)
    assert len(there) > 1
    assert [segment["label"] for segment in answer["segments"]] == [SURFACES[one] for one in there]
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
    out: Path, tmp_path: Path, warm: WarmProcesses
) -> None:
    folder = shutil.copytree(out, tmp_path / "segmenter")
    [saved] = (folder / "export").iterdir()

    said = run_example(warm, "segmenter", "--out", folder, *SHORT, **EASY)

    assert f"The model in {folder} was trained from the same already." in said
    assert list((folder / "export").iterdir()) == [saved]
    assert saved.name.isdecimal()
    assert (saved / "saved_model.pb").is_file()
