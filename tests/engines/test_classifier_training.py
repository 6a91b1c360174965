"""Jobs that train a classifier: what they report is what their archive answers."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trained_models import After, kernels, note, weights

from labelled_layouts import Pictures, digits, job_folder
from plumbline.archive.contents import open_archive
from plumbline.errors import GoldenMismatch, PlumblineError
from plumbline.loading.loader import load, make_pipeline
from plumbline.loading.terms import Terms
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.training import pictures as pictures_of
from plumbline.training.classifiers import training_run
from plumbline.training.decoded_pictures import How
from plumbline.training.epoch_order import epoch_order
from plumbline.training.job import read_job
from plumbline.training.networks import network_table
from plumbline.training.networks.network_table import Network
from plumbline.training.pretrained_weights import saved_arrays
from plumbline.training.stopping import Stop
from plumbline.wire.requests import Request

pytestmark = pytest.mark.tensorflow

CLASSES = 4
TRAIN, VALIDATION = digits(96, CLASSES), digits(40, CLASSES, begin=96)

SMALL = {
    "network": "tiny",
    "size": "24,20",
    "epochs": "2",
    "batch_size": "16",
    "learning_rate": "0.02",
    "deterministic": "1",
}


def tiny(shape: tuple[int, int, int]) -> tuple[Any, Any]:
    """A network that is traced in no time."""
    import keras

    layers = keras.layers
    inputs = keras.Input(shape)
    found = layers.Conv2D(8, 3, 2, activation="relu")(inputs)
    found = layers.BatchNormalization()(found)
    found = layers.Conv2D(16, 3, 2, activation="relu")(found)
    return inputs, layers.Flatten()(found)


@pytest.fixture(autouse=True)
def networks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The networks that there are, and the tiny one; jobs may set what is deterministic."""
    from tensorflow.python.framework import config

    known = {**network_table.NETWORKS, "tiny": Network(tiny, "torch")}
    monkeypatch.setattr(network_table, "NETWORKS", known)
    yield
    config.disable_op_determinism()


def train(
    root: Path,
    layout: str = "folders",
    stop: Stop | None = None,
    pictures: tuple[Pictures, Pictures] = (TRAIN, VALIDATION),
    **given: str,
) -> Path:
    """A job below that folder; its model folder."""
    if not (root / "input/data").exists():
        job_folder(root, layout, *pictures)
    config = root / "input/config"
    (config / "hyperparameters.json").write_text(json.dumps({**SMALL, **given}))
    training_run.train(read_job(root, {}), stop or Stop())
    return root / "model"


def answered(model: Path, pictures: Pictures) -> float:
    """The share of pictures whose first class, as the server answers, is the right one."""
    archive = open_archive(model)
    terms = Terms(cores=1)
    pipeline = make_pipeline(archive, load(archive, archive.model, terms), terms)
    right = 0
    for data, label in pictures:
        request = Request(data, "application/x-image", "application/json", {"format": "builtin"})
        answer = json.loads(pipeline(request, lambda: 60.0, Stopwatch()).body)
        right += int(np.argmax(answer["prediction"])) == label
    return right / len(pictures)


def test_what_a_job_reports_is_what_its_archive_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = train(tmp_path, "rec", num_classes=str(CLASSES), epochs="4", top_k="2")
    found, said = note(model), capsys.readouterr().out
    accuracy = found["metrics"]["validation:accuracy"]
    assert accuracy > 0.8
    assert answered(model, VALIDATION) == accuracy
    assert f"The best epoch is {found['best_epoch']}: Validation-accuracy={accuracy:.6g}" in said
    assert len(re.findall(r"Validation-accuracy=([0-9.]+) .*val_accuracy=\1", said)) == 4
    assert found["data"]["train"]["pictures"] == len(TRAIN)
    assert found["given"] == sorted({*SMALL, "num_classes", "top_k"})
    archive = open_archive(model)
    assert archive.labels == tuple(map(str, range(CLASSES)))
    assert archive.accelerated is not None
    assert len(archive.goldens) == 10
    shown = {golden.picture for golden in archive.goldens}
    assert {label for data, label in VALIDATION if data in shown} == set(range(CLASSES))


@pytest.mark.usefixtures("unpacked")
def test_a_job_learns_what_fit_of_keras_learns_from_the_same_batches(tmp_path: Path) -> None:
    import keras

    epochs, rate = 3, float(SMALL["learning_rate"])
    chosen = {"learning_rate_schedule": "cosine", "weight_decay": "0", "epochs": str(epochs)}
    model = train(tmp_path, **chosen)
    files = sorted((tmp_path / "input/data/train").glob("*/*"))
    names = sorted({file.parent.name for file in files})
    inputs = pictures_of(files, model / "plumbline.toml")
    classes = np.eye(CLASSES)[[names.index(file.parent.name) for file in files]]
    keras.utils.set_random_seed(0)
    network = network_table.classifier("tiny", inputs.shape[1:], CLASSES, 0)
    steps = -(-len(files) // 16)
    network.compile(
        keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(rate, epochs * steps), momentum=0.9
        ),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    learnt = []
    for epoch in range(epochs):
        order = epoch_order(len(files), 0, epoch)
        network.fit(inputs[order], classes[order], 16, 1, verbose=0, shuffle=False)
        learnt.append(network.get_weights())
    best = learnt[note(model)["best_epoch"]]
    for one, other in zip(saved_arrays(model / "saved_model"), best, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.usefixtures("unpacked")
def test_folders_and_pipes_give_the_same_weights(tmp_path: Path) -> None:
    given = {"augmentation_type": "crop_color_transform", "epochs": "1"}
    one, other = (
        train(tmp_path / layout, layout, **given) for layout in ("folders", "pipe of manifest")
    )
    assert weights(one) == weights(other)
    assert note(one)["data"] == note(other)["data"]


@pytest.mark.usefixtures("unpacked")
def test_a_job_that_was_stopped_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"augmentation": "1", "use_weighted_loss": "1", "optimizer": "adam"}
    whole = train(tmp_path / "whole", **given)
    decoding, steps = len(TRAIN) + len(VALIDATION), len(TRAIN) // 16
    root = job_folder(tmp_path / "job", "folders", TRAIN, VALIDATION)
    (root / "input/config/checkpointconfig.json").write_text("{}")

    train(root, stop=After(decoding + 2), **given)
    assert "There is no model yet" in capsys.readouterr().out.replace("there", "There")
    assert not list((root / "model").iterdir())

    train(root, stop=After(decoding + steps), **given)
    assert "the best epoch so far is written" in capsys.readouterr().out
    assert note(root / "model")["epochs"] == 1

    train(root, **given)
    assert weights(root / "model") == weights(whole)
    assert note(root / "model")["metrics"] == note(whole)["metrics"]

    with pytest.raises(PlumblineError, match="is of a job with other hyperparameters or other"):
        train(root, **given, seed="5")


def test_another_filter_in_training_fails_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resized(how: How, data: bytes) -> Any:
        other = replace(how, preprocess=replace(how.preprocess, resize="opencv-nearest"))
        return right(other, data)

    right = How.resized
    monkeypatch.setattr(How, "resized", resized)
    with pytest.raises(GoldenMismatch, match="opencv-nearest"):
        train(tmp_path, epochs="1")
    assert not list((tmp_path / "model").iterdir())


@pytest.mark.usefixtures("unpacked")
def test_training_begins_with_the_weights_of_an_earlier_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = train(tmp_path / "first", epochs="1")
    frozen = {"learning_rate": "1e-9", "epochs": "1", "weight_decay": "0"}

    again = job_folder(tmp_path / "again", "folders", TRAIN, VALIDATION)
    shutil.copytree(first, again / "input/data/model")
    train(again, use_pretrained_model="1", **frozen)
    assert "The weights are those of saved_model." in capsys.readouterr().out
    for one, other in zip(kernels(first), kernels(again / "model"), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)

    fewer = [[each for each in side if each[1] < 3] for side in (TRAIN, VALIDATION)]
    other = job_folder(tmp_path / "other", "folders", *fewer)
    shutil.copytree(first, other / "input/data/model")
    train(other, train_only_on_top_layer="1", **{**frozen, "learning_rate": "0.1"})
    assert "except for the last layer, which starts from random weights" in capsys.readouterr().out
    for one, two in zip(kernels(first)[:-1], kernels(other / "model")[:-1], strict=True):
        np.testing.assert_array_equal(one, two)

    with pytest.raises(PlumblineError, match=r"not a tiny's: array 0 is \(3, 3, 3, 8\) there"):
        train(again, image_shape="1,24,20")
    shutil.rmtree(again / "input/data/model")
    with pytest.raises(PlumblineError, match="use_pretrained_model=1, but the job has no channel"):
        train(again, use_pretrained_model="1")


@pytest.mark.parametrize(
    "given",
    [
        {"mixed_precision": "mixed_bfloat16"},
        {"image_shape": "1,32,28", "size": "", "resize": "36"},
        {"optimizer": "nag", "learning_rate_schedule": "cosine", "fit": "letterbox"},
    ],
)
def test_what_else_can_be_chosen_comes_out_right(given: dict[str, str], tmp_path: Path) -> None:
    chosen = {name: text for name, text in {**SMALL, **given}.items() if text}
    root = job_folder(tmp_path, "folders", TRAIN, VALIDATION)
    (root / "input/config/hyperparameters.json").write_text(json.dumps({**chosen, "epochs": "1"}))
    training_run.train(read_job(root, {}), Stop())
    metrics = note(root / "model")["metrics"]
    assert answered(root / "model", VALIDATION) == metrics["validation:accuracy"]


@pytest.mark.usefixtures("unpacked")
def test_pictures_may_be_of_several_classes(tmp_path: Path) -> None:
    from plumbline.training.readers.picture_records import pack
    from plumbline.training.readers.recordio import frame

    for name, pictures in (("train", TRAIN), ("validation", VALIDATION)):
        folder = tmp_path / "input/data" / name
        folder.mkdir(parents=True)
        hot = [(data, (float(label > 1), float(label % 2), 1.0)) for data, label in pictures]
        data = b"".join(frame(pack(*each, number)) for number, each in enumerate(hot))
        (folder / "data.rec").write_bytes(data)
    for name in ("input/config", "model"):
        (tmp_path / name).mkdir()
    model = train(tmp_path, multi_label="1", num_classes="3", use_weighted_loss="1")
    assert note(model)["metrics"]["validation:accuracy"] > 0.7
    spec = open_archive(model).spec.classification
    assert (spec.activation, spec.threshold) == ("sigmoid", 0.5)


@pytest.mark.usefixtures("unpacked")
@pytest.mark.parametrize(
    ("bad", "allowed"), [(1, "0.05"), (1, "0"), (len(TRAIN), "1")], ids=["few", "none", "all"]
)
def test_pictures_that_are_none_are_left_out_or_fail_the_job(
    bad: int, allowed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = job_folder(tmp_path, "folders", TRAIN, VALIDATION)
    for file in sorted((root / "input/data/train").rglob("*.*"))[:bad]:
        file.write_bytes(b"no picture")
    call: Callable[[], Path] = lambda: train(root, max_bad=allowed, epochs="1")  # noqa: E731
    if (bad, allowed) != (1, "0.05"):
        with pytest.raises(PlumblineError, match=f"{bad} of 96 pictures can't be used, and max_b"):
            call()
        assert not list((root / "model").iterdir())
        return
    assert note(call())["data"]["train"]["pictures"] == len(TRAIN) - bad
    assert "00000.jpg is left out of the training data: " in capsys.readouterr().out
