"""Jobs that train a detector: what they report is what their archive answers."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from trained_models import After, kernels, note, weights

from boxed_layouts import NAMES, Photos, job_folder, photos, tiny
from plumbline.archive.contents import open_archive
from plumbline.errors import PlumblineError
from plumbline.loading.loader import load, make_pipeline
from plumbline.loading.terms import Terms
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.training import hyperparameters
from plumbline.training.job import read_job
from plumbline.training.networks import network_table, single_shot
from plumbline.training.networks.network_table import Network
from plumbline.training.networks.single_shot import Design, Map
from plumbline.training.object_detectors import detection_run, prior_targets
from plumbline.training.object_detectors.detection_table import TABLE
from plumbline.training.object_detectors.moved_boxes import Augmentation
from plumbline.training.stopping import Stop
from plumbline.wire.requests import Request

pytestmark = pytest.mark.tensorflow

TRAIN, VALIDATION = photos(48), photos(16, seed=1)

SMALL = {
    "network": "tiny",
    "size": "64",
    "priors": "4",
    "epochs": "2",
    "batch_size": "8",
    "optimizer": "adam",
    "learning_rate": "0.01",
    "augmentation_type": "crop",
    "deterministic": "1",
}


@pytest.fixture(autouse=True)
def networks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The networks that there are, and the tiny one; jobs may set what is deterministic."""
    from tensorflow.python.framework import config

    known = {**network_table.NETWORKS, "tiny": Network(tiny, "tf")}
    monkeypatch.setattr(network_table, "NETWORKS", known)
    yield
    config.disable_op_determinism()


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the job that is packed, which other tests go on from."""
    return tmp_path_factory.mktemp("job")


def train(root: Path, layout: str = "json files", stop: Stop | None = None, **given: str) -> Path:
    """A job below that folder; its model folder."""
    if not (root / "input/data").exists():
        job_folder(root, layout, TRAIN, VALIDATION)
    config = root / "input/config"
    (config / "hyperparameters.json").write_text(json.dumps({**SMALL, **given}))
    detection_run.train(read_job(root, {}), stop or Stop())
    return root / "model"


def answers(model: Path, pictures: Photos) -> list[list[float]]:
    """What the server finds: rows of picture, left, top, width, height, score and class."""
    archive = open_archive(model)
    terms = Terms(cores=1)
    pipeline = make_pipeline(archive, load(archive, archive.model, terms), terms)
    rows = []
    for number, each in enumerate(pictures):
        request = Request(
            each.data, "application/x-image", "application/json", {"score_threshold": 0.01}
        )
        answer = json.loads(pipeline(request, lambda: 60.0, Stopwatch()).body)
        for found in answer["predictions"][0]["detections"]:
            left, top, right, bottom = found["box"]
            rows.append(
                [number, left, top, right - left, bottom - top, found["score"], found["class_id"]]
            )
            assert found["label"] == NAMES[found["class_id"]]
    return rows


def measured(rows: list[list[float]], pictures: Photos) -> tuple[float, float]:
    """COCO's mAP at all overlaps, and at 0.5, as pycocotools has them."""
    boxes = [(number, box) for number, each in enumerate(pictures) for box in each.boxes]
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": number} for number in range(len(pictures))],
        "categories": [{"id": number} for number in range(len(NAMES))],
        "annotations": [
            {
                "id": index,
                "image_id": number,
                "category_id": box[0],
                "bbox": list(box[1:]),
                "area": box[3] * box[4],
                "iscrowd": 0,
            }
            for index, (number, box) in enumerate(boxes, 1)
        ],
    }
    with contextlib.redirect_stdout(None):
        truth.createIndex()
        found = COCOeval(truth, truth.loadRes(np.array(rows)), "bbox")
        found.evaluate()
        found.accumulate()
        found.summarize()
    return float(found.stats[0]), float(found.stats[1])


def test_what_a_job_reports_is_what_its_archive_answers(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = train(job, "manifest", num_classes="2", epochs="8", augmentation_type="none")
    found, said = note(model), capsys.readouterr().out
    metrics = found["metrics"]
    assert metrics["validation:mAP"] > 0.3
    expected = measured(answers(model, VALIDATION), VALIDATION)
    assert (metrics["validation:mAP_50_95"], metrics["validation:mAP"]) == pytest.approx(
        expected, abs=1e-6
    )
    each = re.findall(r"#quality_metric: host=algo-1, epoch=\d+, validation mAP <score>=", said)
    assert len(each) == 8
    assert (
        f"The best epoch is {found['best_epoch']}: mAP@0.5={metrics['validation:mAP']:.6g}" in said
    )
    assert found["given"] == sorted(
        {*SMALL, "num_classes", "augmentation_type"} - {"network"} | {"base_network"}
    )
    archive = open_archive(model)
    assert archive.labels == NAMES
    assert archive.accelerated is not None
    assert len(archive.goldens) == 10
    history = (job / "output/data/history.csv").read_text().splitlines()
    assert len(history) == 9
    page = (job / "output/data/report.html").read_text()
    assert f"{metrics['validation:mAP']:.2%}" in page
    assert all(name in page for name in NAMES)
    assert (job / "output/data/report.png").stat().st_size > 10_000


@pytest.mark.usefixtures("unpacked")
def test_a_job_that_was_stopped_goes_on_and_ends_with_the_bytes_of_one_that_read_a_pipe(
    tmp_path: Path,
) -> None:
    whole = train(tmp_path / "whole", "pipe of manifest", epochs="1")
    root = job_folder(tmp_path / "job", "json files", TRAIN, VALIDATION)
    (root / "input/config/checkpointconfig.json").write_text("{}")
    train(root, stop=After(len(TRAIN) + len(VALIDATION) + 2), epochs="1")
    assert not list((root / "model").iterdir())
    train(root, epochs="1")
    assert weights(root / "model") == weights(whole)
    assert note(root / "model")["metrics"] == note(whole)["metrics"]
    assert note(root / "model")["data"] == note(whole)["data"]


@pytest.mark.usefixtures("unpacked")
def test_training_begins_with_the_weights_of_a_job_or_of_a_backbone(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    if not (job / "model/saved_model").exists():
        train(job, "manifest", epochs="1")
    still = {"learning_rate": "1e-9", "epochs": "1", "weight_decay": "0"}
    root = job_folder(tmp_path, "json files", TRAIN, VALIDATION)
    shutil.copytree(job / "model", root / "input/data/model")
    again = train(root, **still)
    assert "The weights are those of saved_model." in capsys.readouterr().out
    for one, other in zip(kernels(job / "model"), kernels(again), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)

    shutil.rmtree(root / "input/data/model")
    (root / "input/data/model").mkdir()
    backbone = keras.Model(*tiny((64, 64, 3)))
    backbone.save(root / "input/data/model/backbone.keras")
    other = train(root, train_only_on_top_layer="1", **{**still, "learning_rate": "0.1"})
    assert (
        "of backbone.keras, except for the last layers, which start from random weights"
        in capsys.readouterr().out
    )
    expected = [each for each in backbone.get_weights() if each.ndim > 1]
    for one, two in zip(expected, kernels(other), strict=False):
        np.testing.assert_array_equal(one, two)


def test_the_loss_is_that_of_keras_of_the_priors_that_are_to_learn() -> None:
    import keras

    noise = np.random.default_rng(0)
    classes, count = 3, 40
    wanted = np.zeros((2, count, 5), np.float32)
    wanted[..., 4] = classes
    wanted[0, :5, :4], wanted[0, :5, 4] = noise.normal(0, 1, (5, 4)), [0, 1, 2, 0, 1]
    raw = noise.normal(0, 2, (2, count, classes + 13)).astype(np.float32)
    raw[..., 4:-8] = noise.dirichlet(np.ones(classes + 1), (2, count))
    smooth = np.asarray(prior_targets.smooth_l1(wanted, raw))
    huber = keras.losses.Huber(delta=1.0, reduction=None)(wanted[0, :5, :4], raw[0, :5, :4])
    np.testing.assert_allclose(smooth, [np.sum(huber) * 4 / 5, 0], rtol=1e-5)
    entropies = np.asarray(
        keras.losses.sparse_categorical_crossentropy(wanted[..., 4], raw[..., 4:-8])
    )
    hardest = [np.sort(entropies[0, 5:])[-15:].sum(), np.sort(entropies[1])[-3:].sum()]
    expected = [(entropies[0, :5].sum() + hardest[0]) / 5, hardest[1]]
    np.testing.assert_allclose(prior_targets.cross_entropy(wanted, raw), expected, rtol=1e-4)


def test_a_backbone_has_a_map_for_each_stride_and_its_arrays_come_first() -> None:
    import keras

    sides = ((0.1, 0.2), (0.3, 0.3))
    maps = tuple(Map(stride, sides) for stride in (8, 16, 32, 64))
    network = single_shot.detector(Design("mobilenetv2", (96, 128, 3), 5, maps))
    cells = sum(12 * 16 // 4**level for level in range(3)) + 2 * 2
    assert network.output.shape == (None, 2 * cells, 5 + 13)
    own = len(network.weights) - single_shot.arrays_behind(network)
    published = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(96, 128, 3)
    )
    assert [each.shape for each in network.weights[:own]] == [
        each.shape for each in published.weights
    ]
    with pytest.raises(PlumblineError, match="resnet20 has no map with a cell for each 8 pixels"):
        single_shot.detector(Design("resnet20", (96, 128, 3), 5, maps))


def test_boxes_move_with_what_is_in_them() -> None:
    values = hyperparameters.read(
        TABLE,
        {"augmentation_type": "crop", "augmentation_random_flip": "horizontal_and_vertical"},
    )
    boxes = np.array([[0.25, 0.375, 0.5, 0.625]])
    pictures = np.zeros((32, 64, 96, 3), np.uint8)
    pictures[:, 24:40, 24:48] = 255
    moved, found = Augmentation(values, 3).moved(pictures, [boxes] * 32, 0, 0)
    assert moved.shape == pictures.shape
    assert len({tuple(corners[0].round(2)) for corners, _ in found}) > 20
    for picture, (corners, there) in zip(moved, found, strict=True):
        assert there.all()
        bright = picture[..., 0] > 200
        rows, columns = (np.flatnonzero(bright.any(axis)) for axis in (1, 0))
        place = [columns[0] / 96, rows[0] / 64, (columns[-1] + 1) / 96, (rows[-1] + 1) / 64]
        np.testing.assert_allclose(corners[0], place, atol=2.5 / 64)
