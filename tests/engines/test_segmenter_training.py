"""Jobs that train a segmenter: what they report is what their archive answers."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trained_models import After, note, weights

from masked_layouts import CLASSES, IGNORED, Masked, job_folder, masked
from plumbline.archive.contents import open_archive
from plumbline.errors import GoldenMismatch
from plumbline.loading.loader import load, make_pipeline
from plumbline.loading.terms import Terms
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.training.decoded_pictures import How
from plumbline.training.job import read_job
from plumbline.training.networks import network_table, u_net
from plumbline.training.networks.network_table import Network
from plumbline.training.networks.u_net import Segmenter
from plumbline.training.pretrained_weights import saved_arrays
from plumbline.training.seeded_layers import of_type, seeded
from plumbline.training.segmenters import segmentation_run
from plumbline.training.segmenters.mask_batches import moved
from plumbline.training.segmenters.quality_lines import METRICS
from plumbline.training.stopping import Stop
from plumbline.wire.requests import Request
from plumbline.wire.responses import NPY

pytestmark = pytest.mark.tensorflow

TRAIN, VALIDATION = masked(40), masked(14, begin=40)

SMALL = {
    "num_classes": str(CLASSES),
    "size": "32,48",
    "epochs": "2",
    "batch_size": "8",
    "optimizer": "adam",
    "learning_rate": "0.02",
    "augmentation_type": "none",
    "deterministic": "1",
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A network that is traced in no time; jobs may set what is deterministic."""
    from tensorflow.python.framework import config

    monkeypatch.setattr(u_net, "FILTERS", (8, 12))
    yield
    config.disable_op_determinism()


def train(
    root: Path,
    layout: str = "channels",
    pictures: tuple[Sequence[Masked], Sequence[Masked]] = (TRAIN, VALIDATION),
    stop: Stop | None = None,
    **given: str,
) -> Path:
    """A job below that folder; its model folder."""
    if not (root / "input/data").exists():
        job_folder(root, layout, *pictures)
    config = root / "input/config"
    (config / "hyperparameters.json").write_text(json.dumps({**SMALL, **given}))
    segmentation_run.train(read_job(root, {}), stop or Stop())
    return root / "model"


def answered(model: Path, pictures: Sequence[Masked]) -> Iterator[np.ndarray]:
    """The masks that the server answers, of the pictures as they were sent."""
    archive = open_archive(model)
    terms = Terms(cores=1)
    pipeline = make_pipeline(archive, load(archive, archive.model, terms), terms)
    for each in pictures:
        request = Request(each.data, "application/x-image", NPY, {})
        body = pipeline(request, lambda: 60.0, Stopwatch()).body
        yield np.load(io.BytesIO(body))


def by_keras(found: Iterator[np.ndarray], pictures: Sequence[Masked]) -> dict[str, float]:
    """Keras's own metrics of answers."""
    import keras

    iou, accuracy = keras.metrics.MeanIoU(CLASSES), keras.metrics.Accuracy()
    for mask, each in zip(found, pictures, strict=True):
        assert mask.shape == each.mask.shape
        counted = each.mask != IGNORED
        iou.update_state(each.mask[counted], mask[counted])
        accuracy.update_state(each.mask[counted], mask[counted])
    return {
        "validation:mIOU": float(iou.result()),
        "validation:pixel_accuracy": float(accuracy.result()),
    }


def test_what_a_job_reports_is_what_its_archive_answers_by_keras_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = train(tmp_path, epochs="5", class_names="ground,stroke,middle")
    found, said = note(model), capsys.readouterr().out
    metrics = found["metrics"]
    assert metrics["validation:mIOU"] > 0.6
    expected = by_keras(answered(model, VALIDATION), VALIDATION)
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    for expression in METRICS.values():
        assert len(re.findall(expression, said)) == 5
    assert f"mean IoU {metrics['validation:mIOU']:.6g}" in said
    archive = open_archive(model)
    assert archive.labels == ("ground", "stroke", "middle")
    assert archive.spec.task == "segmentation"
    assert archive.accelerated is not None
    assert len(archive.goldens) == 10
    report = tmp_path / "output/data"
    assert len((report / "history.csv").read_text().splitlines()) == 6
    assert "stroke" in (report / "report.html").read_text()
    assert (report / "report.png").stat().st_size > 10_000


@pytest.mark.usefixtures("unpacked")
def test_a_job_that_was_stopped_goes_on_and_ends_with_the_bytes_of_one_that_was_not(
    tmp_path: Path,
) -> None:
    few, chosen = (TRAIN[:24], VALIDATION[:6]), {"epochs": "2", "augmentation_type": "crop"}
    whole = train(tmp_path / "whole", pictures=few, **chosen)
    root = job_folder(tmp_path / "job", "channels", *few)
    (root / "input/config/checkpointconfig.json").write_text("{}")
    into_the_second_epoch = After(len(few[0]) + len(few[1]) + 3 + 1)
    train(root, pictures=few, stop=into_the_second_epoch, **chosen)
    assert note(root / "model")["metrics"] != note(whole)["metrics"]
    train(root, pictures=few, **chosen)
    assert weights(root / "model") == weights(whole)
    assert note(root / "model")["metrics"] == note(whole)["metrics"]
    assert note(root / "model")["data"] == note(whole)["data"]
    histories = [(one / "output/data/history.csv").read_text() for one in (root, whole.parent)]
    assert histories[0] == histories[1]


@pytest.mark.usefixtures("unpacked")
def test_what_a_crop_does_not_show_the_network_is_wrong(tmp_path: Path) -> None:
    given = {"fit": "crop", "color": "gray", "optimizer": "rmsprop", "learning_rate": "0.001"}
    model = train(tmp_path, layout="manifest", augmentation_type="crop_color", **given)
    metrics = note(model)["metrics"]
    found = list(answered(model, VALIDATION))
    right = counted = 0
    for mask, each in zip(found, VALIDATION, strict=True):
        there = each.mask != IGNORED
        right, counted = right + int((mask == each.mask)[there].sum()), counted + int(there.sum())
    assert metrics["validation:pixel_accuracy"] == right / counted


def test_another_filter_in_training_fails_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = How.laid

    def laid(how: How, data: bytes) -> Any:
        return right(replace(how, preprocess=replace(how.preprocess, resize="opencv-area")), data)

    monkeypatch.setattr(How, "laid", laid)
    with pytest.raises(GoldenMismatch):
        train(tmp_path, epochs="1")
    assert not list((tmp_path / "model").iterdir())


@pytest.mark.parametrize("kind", ["crop", "crop_color_transform"])
def test_augmentation_moves_masks_with_their_pictures(kind: str) -> None:
    """A picture whose values tell the class of each pixel still tells them where it was moved."""
    layers = [each for each in of_type(kind) if type(each).__name__ != "RandomColorJitter"]
    masks = np.zeros((6, 64, 64), np.uint8)
    masks[:, 8:40, 12:30], masks[:, 30:60, 34:58] = 1, 2
    pictures = np.repeat(masks[..., np.newaxis] * np.uint8(100), 3, axis=-1)
    augment = seeded(layers, 0)

    seen, turned = moved(augment, pictures, masks, (1, 2))

    assert (turned != masks).mean() > 0.05
    flat = seen.min(axis=-1) % 100 == 0  # not between two classes
    assert flat.mean() > 0.7
    np.testing.assert_array_equal(seen[flat][:, 0] // 100, turned[flat])
    again, _ = moved(augment, pictures, masks, (1, 2))
    np.testing.assert_array_equal(again, seen)
    other, _ = moved(augment, pictures, masks, (1, 3))
    assert not np.array_equal(other, seen)


@pytest.mark.parametrize("name", ["mobilenetv2"])
def test_encoders_are_those_of_keras_applications(name: str) -> None:
    network = u_net.segmenter(name, (64, 32, 3), 5)
    assert network.output_shape == (None, 64, 32, 5)
    inputs, features, skipped, _ = u_net.encoder(name, (64, 32, 3))
    assert [each.shape[1:3] for each in skipped] == [(32, 16), (16, 8), (8, 4), (4, 2)]
    assert features.shape[1:3] == (2, 1)
    behind = u_net.arrays_behind(network)
    import keras

    encoder = keras.Model(inputs, features)
    assert [each.shape for each in network.weights[:-behind]] == [
        each.shape for each in encoder.weights
    ]


def halving(shape: tuple[int, int, int]) -> tuple[Any, Any]:
    """An encoder that is traced in no time."""
    import keras

    found = inputs = keras.Input(shape)
    for filters in (4, 6, 8, 10, 12):
        found = keras.layers.Conv2D(filters, 3, 2, padding="same", activation="relu")(found)
    return inputs, keras.layers.GlobalAveragePooling2D()(found)


@pytest.mark.usefixtures("unpacked")
def test_training_begins_with_an_encoder_or_an_earlier_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    few = TRAIN[:8], VALIDATION[:4]
    known = {**network_table.NETWORKS, "halving": Network(halving, "torch")}
    monkeypatch.setattr(network_table, "NETWORKS", known)
    monkeypatch.setattr(
        u_net, "SEGMENTERS", {**u_net.SEGMENTERS, "halving": Segmenter(32, "torch")}
    )
    monkeypatch.setattr(u_net, "DECODER", (12, 10, 8, 6))
    encoder = keras.Model(*halving((64, 64, 3)))
    root = job_folder(tmp_path / "job", "channels", *few)
    (root / "input/data/model").mkdir()
    encoder.save(root / "input/data/model/weights.keras")
    still = {"epochs": "1", "learning_rate": "1e-9", "weight_decay": "0"}
    first = train(root, pictures=few, network="halving", size="32", **still)
    assert "except for the last layers, which start from random weights" in capsys.readouterr().out
    found = list(saved_arrays(first / "saved_model"))
    for one, other in zip(encoder.get_weights(), found[:10], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)

    again = job_folder(tmp_path / "again", "channels", *few)
    shutil.copytree(first, again / "input/data/model")
    train(again, pictures=few, network="halving", size="64", **still)
    assert "The weights are those of saved_model." in capsys.readouterr().out
    for one, other in zip(found, weights_of(again), strict=True):
        if one.ndim > 1:
            np.testing.assert_allclose(one, other, atol=1e-6)


def weights_of(root: Path) -> Iterator[np.ndarray]:
    """The arrays of a job's model."""
    yield from saved_arrays(root / "model/saved_model")
