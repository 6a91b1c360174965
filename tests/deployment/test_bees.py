"""The bees of S3: from labels to boxes drawn on a picture, and back to an empty account."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aws_account import IMAGE, REGION, ROLE, Account, Deploy, inventory
from PIL import Image, ImageDraw
from workshop import Workshop

import ground_truth
from boxed_layouts import NAMES, Photos, label, name_of, photos, tiny
from forking import forking
from plumbline.machine import child_process
from plumbline.packing import form_measurements
from plumbline.parity.agreement import SAME_BOX, matched
from plumbline.training.networks import network_table
from plumbline.training.networks.network_table import Network
from warm_processes import TIMED

pytestmark = pytest.mark.tensorflow

LABELLED, NEW = photos(60), photos(6, seed=2)

LEAST, MOST = 0.2, 3
"""How sure a box has to be that is drawn, and how many are."""


@pytest.fixture(autouse=True)
def quickly(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A network that is traced in no time, packed by processes that know TensorFlow already."""
    monkeypatch.setattr(form_measurements, "TIMED", TIMED)
    known = {**network_table.NETWORKS, "tinymobilenet": Network(tiny, "tf")}
    monkeypatch.setattr(network_table, "NETWORKS", known)
    with forking(tmp_path_factory, "tensorflow", child_process):
        yield


@pytest.fixture
def workshop(school: Any, tmp_path: Path) -> Workshop:
    """A SageMaker that trains and answers."""
    return Workshop(states=("Training",), folder=tmp_path / "workshop")


def labelled(s3: Any, folder: Path) -> tuple[Path, Path]:
    """The pictures in S3, and the manifest of their labels, split into four fifths and one."""
    place = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket="bees", CreateBucketConfiguration=place)
    rows = []
    for number, each in enumerate(LABELLED):
        name = f"photos/{name_of(number, each)}"
        s3.put_object(Bucket="bees", Key=name, Body=each.data)
        classes = {str(number): each for number, each in enumerate(NAMES)}
        metadata = {"class-map": classes, "type": "groundtruth/object-detection"}
        row = {"source-ref": f"s3://bees/{name}", "bees-500": label(each)}
        rows.append(json.dumps({**row, "bees-500-metadata": metadata}))
    (folder / "output.manifest").write_text("\n".join(rows))
    ground_truth.main(["split", str(folder / "output.manifest"), "--out", str(folder)])
    return folder / "train.manifest", folder / "validation.manifest"


def drawn(picture: bytes, rows: list[list[float]]) -> Image.Image:
    """The surest boxes of an answer on its picture, as the author of the bees drew them."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for _, _, *corners in rows:
        ImageDraw.Draw(image).rectangle(list(np.multiply(corners, image.size * 2)), outline="lime")
    return image


def asked(runtime: Any, pictures: Photos) -> Iterator[list[list[float]]]:
    """What the endpoint finds in each picture, of that what is drawn."""
    for each in pictures:
        answer = runtime.invoke_endpoint(
            EndpointName="bees",
            ContentType="application/x-image",
            CustomAttributes="format=builtin",
            Body=each.data,
        )
        rows = json.loads(answer["Body"].read())["prediction"]
        yield [row for row in rows if row[1] > LEAST][:MOST]


def right(picture: Any, rows: list[list[float]]) -> bool:
    """Whether the surest box is one that is there."""
    if not rows:
        return False
    kind, _, *corners = rows[0]
    true = picture.corners[picture.corners[:, 0] == kind, 1:]
    found = np.multiply([corners], picture.size * 2)
    return bool(matched(true.astype(np.float32), found.astype(np.float32), (SAME_BOX,)).any())


@pytest.mark.usefixtures("sound")
def test_from_labels_to_boxes_on_a_picture_and_back_to_nothing(
    deploy: Deploy, account: Account, workshop: Workshop, tmp_path: Path
) -> None:
    train, validation = labelled(account("s3"), tmp_path)
    before = inventory(account)
    job = ("--data", train, "--validation", validation, "--image", IMAGE, "--role", ROLE)
    settings = ("--set", "size=64", "--set", "batch_size=8", "--set", "augmentation_type=none")
    searched = (
        *("--range", "learning_rate=0.001..0.02:log", "--choose", "optimizer=sgd,adam"),
        *("--jobs", 2, "--parallel", 2, "--objective", "validation:mAP", "--set", "epochs=2"),
    )
    with workshop.weather().prevailing() as weather:
        workshop.seen = weather
        weather.stubs["InvokeEndpoint"] = workshop.answer
        given = ("--set", "epochs=8", "--set", "learning_rate=0.01")
        trained = deploy("train", "bees", *job, *settings, *given, "--follow")
        found = deploy("search", "bees", *job, *settings, *searched, "--follow")
        assert trained.exit_code == found.exit_code == 0, trained.stderr + found.stderr
        best = max(workshop.tried, key=lambda name: workshop.learnt[name]["validation:mAP"])
        [single] = workshop.jobs.keys() - workshop.tried.keys()
        first, second = (
            workshop.jobs[name].model_artifacts["S3ModelArtifacts"] for name in (single, best)
        )
        variants = (f"first={first}:80", f"searched={second}:20")
        up = deploy(
            *("up", "bees", "--variant", variants[0], "--variant", variants[1]),
            *("--image", IMAGE, "--role", ROLE),
        )
        assert up.exit_code == 0, up.stderr
        answers = list(asked(account("sagemaker-runtime"), NEW))
        shown = [drawn(each.data, rows) for each, rows in zip(NEW, answers, strict=True)]
        removed = deploy("down", "bees", "--yes", "--data")

    assert len(workshop.tried) == 2
    assert f"best validation:mAP {workshop.learnt[best]['validation:mAP']:g}" in found.stderr
    assert up.stderr.count("10 golden pictures came out right") >= 1
    assert sum(right(each, rows) for each, rows in zip(NEW, answers, strict=True)) >= 4
    for picture, rows, image in zip(NEW, answers, shown, strict=True):
        green = (np.asarray(image) == (0, 255, 0)).all(axis=-1)
        assert bool(green.any()) == bool(rows), picture.size
    assert removed.exit_code == 0, removed.stderr
    assert inventory(account) == before
