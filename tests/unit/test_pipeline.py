"""The list of stages, over the fake engine."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plumbline.engines.fake import FakeEngine
from plumbline.errors import (
    DeadlineExceeded,
    InvalidInstances,
    NotAcceptable,
    NotAnImage,
    SpecError,
)
from plumbline.images import Limits
from plumbline.pipeline import Pipeline, image_size
from plumbline.requests import Request
from plumbline.signature import TensorSpec
from plumbline.spec import Classification, ModelSpec, Preprocess
from plumbline.stopwatch import Stopwatch
from plumbline.tasks import make_task

STAGES = ["decode", "encode", "infer", "preprocess"]


def always() -> float:
    return 10.0


def never() -> float:
    raise DeadlineExceeded("The request's time was up.")


def pipeline(max_instances: int = 4, **classification: Any) -> Pipeline:
    spec = ModelSpec(
        preprocess=Preprocess(normalize="unit"), classification=Classification(**classification)
    )
    engine, task = FakeEngine(), make_task(spec, tuple("abcdefghij"))
    task.fit(engine.signature)
    return Pipeline(spec, engine, task, Limits(), max_instances)


def flat(level: int) -> bytes:
    """A picture of one colour: the fake engine puts all of it into one class."""
    stream = io.BytesIO()
    Image.new("RGB", (9, 7), (level, level, level)).save(stream, "PNG")
    return stream.getvalue()


def rows(*pictures: bytes) -> bytes:
    instances = [{"b64": base64.b64encode(data).decode()} for data in pictures]
    return json.dumps({"instances": instances}).encode()


@pytest.mark.parametrize(("level", "label"), [(0, "a"), (128, "f"), (255, "j")])
def test_a_picture_goes_through_every_stage(level: int, label: str) -> None:
    watch = Stopwatch()
    response = pipeline(top_k=1)(Request(flat(level), "image/png"), always, watch)
    assert json.loads(response.body) == {
        "predictions": [
            {"classes": [{"label": label, "class_id": "abcdefghij".index(label), "score": 1.0}]}
        ]
    }
    assert response.content_type == "application/json"
    assert sorted(watch.laps) == STAGES


def test_several_pictures_are_answered_in_their_order() -> None:
    request = Request(rows(flat(255), flat(0)), "application/json", options={"top_k": 1})
    document = json.loads(pipeline()(request, always, Stopwatch()).body)
    labels = [answer["classes"][0]["label"] for answer in document["predictions"]]
    assert labels == ["j", "a"]


def test_the_bad_one_of_several_pictures_is_named() -> None:
    request = Request(rows(flat(0), b"nothing"), "application/json")
    with pytest.raises(NotAnImage) as caught:
        pipeline()(request, always, Stopwatch())
    assert caught.value.message.startswith("Instance 1: The body is not a picture: ")


def test_tensors_skip_the_picture_stages_and_get_raw_outputs() -> None:
    body = json.dumps({"instances": np.zeros((1, 32, 32, 3)).tolist()}).encode()
    response = pipeline(activation="softmax")(
        Request(body, "application/json"), always, Stopwatch()
    )
    assert json.loads(response.body) == {"predictions": [[1.0] + [0.0] * 9]}


def test_golden_values_are_those_of_requests() -> None:
    values = pipeline().values(flat(255), always)
    np.testing.assert_array_equal(values["scores"], [[0.0] * 9 + [1.0]])


def test_golden_values_are_activated() -> None:
    values = pipeline(activation="sigmoid").values(flat(255), always)
    np.testing.assert_allclose(values["scores"], [[0.5] * 9 + [0.7310586]], atol=1e-7)


def test_more_instances_than_are_taken_are_refused_before_any_is_decoded() -> None:
    with pytest.raises(InvalidInstances) as caught:
        pipeline(max_instances=2)(
            Request(rows(b"1", b"2", b"3"), "application/json"), always, Stopwatch()
        )
    assert caught.value.message == (
        "The request has 3 instances, but at most 2 are taken at once; "
        "send them in several requests."
    )


def test_no_picture_is_decoded_after_the_deadline() -> None:
    with pytest.raises(DeadlineExceeded):
        pipeline()(Request(b"not looked at", "image/png"), never, Stopwatch())


def test_no_picture_is_decoded_for_an_answer_nobody_can_give() -> None:
    with pytest.raises(NotAcceptable):
        pipeline()(Request(b"not looked at", "image/png", "text/csv"), always, Stopwatch())


def target(*shape: int | None) -> TensorSpec:
    return TensorSpec("image", shape, "float32")


@pytest.mark.parametrize(
    ("declared", "own", "size"),
    [
        (None, (None, 32, 24, 3), (32, 24)),
        ((32, 24), (None, 32, 24, 3), (32, 24)),
        ((50, 60), (None, None, None, 3), (50, 60)),
        ((50, 60), (None, 50, None, None), (50, 60)),
    ],
)
def test_the_size_is_declared_or_the_models_own(
    declared: tuple[int, int] | None, own: tuple[int | None, ...], size: tuple[int, int]
) -> None:
    assert image_size(ModelSpec(preprocess=Preprocess(size=declared)), target(*own)) == size


@pytest.mark.parametrize(
    ("preprocess", "own", "sentence"),
    [
        (
            Preprocess(),
            (None, None, None, 3),
            (
                "The model takes pictures of any size (image: float32 [?, ?, ?, 3]); "
                "say in plumbline.toml which it was trained on: [preprocess] size."
            ),
        ),
        (
            Preprocess(size=(64, 64)),
            (None, 32, 32, 3),
            (
                "plumbline.toml: preprocess.size = [64, 64], but the model's input is "
                "image: float32 [?, 32, 32, 3]."
            ),
        ),
        (
            Preprocess(color="gray"),
            (None, 32, 32, 3),
            (
                "The model's input is image: float32 [?, 32, 32, 3], but pictures are "
                "[?, height, width, 1] with [preprocess] color = 'gray'."
            ),
        ),
        (
            Preprocess(),
            (None, 784),
            (
                "The model's input is image: float32 [?, 784], but pictures are "
                "[?, height, width, 3] with [preprocess] color = 'rgb'."
            ),
        ),
    ],
)
def test_a_size_that_can_not_be_is_an_error(
    preprocess: Preprocess, own: tuple[int | None, ...], sentence: str
) -> None:
    with pytest.raises(SpecError) as caught:
        image_size(ModelSpec(preprocess=preprocess), target(*own))
    assert caught.value.message == sentence
