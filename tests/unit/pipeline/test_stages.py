"""The list of stages, over the fake engine."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plumbline.engines.fake import FakeEngine
from plumbline.errors import (
    DeadlineExceeded,
    InvalidInstances,
    LinkFailed,
    LinkRefused,
    LinkTooLarge,
    NotAcceptable,
    NotAnImage,
)
from plumbline.pipeline.linked_pictures import no_links
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.spec.model_spec import Classification, ModelSpec, Preprocess
from plumbline.tasks.task_table import make_task
from plumbline.vision.images import Limits
from plumbline.wire.requests import Request
from plumbline.wire.responses import Response, encode_error

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


def test_a_model_s_own_outputs_come_where_they_are_asked_for() -> None:
    request = Request(rows(flat(255), flat(0)), "application/json", options={"format": "raw"})
    response = pipeline(activation="softmax")(request, always, Stopwatch())
    assert json.loads(response.body) == {"predictions": [[0.0] * 9 + [1.0], [1.0] + [0.0] * 9]}


def test_several_pictures_are_answered_in_their_order() -> None:
    request = Request(rows(flat(255), flat(0)), "application/json", options={"top_k": 1})
    document = json.loads(pipeline()(request, always, Stopwatch()).body)
    labels = [answer["classes"][0]["label"] for answer in document["predictions"]]
    assert labels == ["j", "a"]


def test_the_bad_one_of_several_pictures_is_answered_in_its_place() -> None:
    body = rows(flat(0), b"nothing", flat(255))
    request = Request(body, "application/json", options={"top_k": 1})
    first, second, third = answers(pipeline()(request, always, Stopwatch()))
    assert (first["classes"][0]["label"], third["classes"][0]["label"]) == ("a", "j")
    assert second["error"]["code"] == "not_an_image"
    assert second["error"]["message"].startswith("The body is not a picture: it is 7 bytes")


def answers(response: Response) -> Any:
    return json.loads(response.body)["predictions"]


def test_where_no_picture_of_several_is_good_the_request_is_refused() -> None:
    with pytest.raises(NotAnImage) as caught:
        pipeline()(Request(rows(b"nothing", b"either"), "application/json"), always, Stopwatch())
    assert caught.value.message.startswith(
        "None of the 2 pictures could be answered. Instance 0: The body is not a picture"
    )


def lines(*pictures: bytes) -> bytes:
    instances = ({"b64": base64.b64encode(data).decode()} for data in pictures)
    return b"".join(json.dumps(instance).encode() + b"\n" for instance in instances)


def test_every_line_has_its_answer_come_what_may() -> None:
    response = pipeline()(
        Request(lines(b"bad", b"worse"), "application/jsonlines"), always, Stopwatch()
    )
    assert response.content_type == "application/jsonlines"
    codes = [json.loads(line)["error"]["code"] for line in response.body.splitlines()]
    assert codes == ["not_an_image"] * 2


def test_more_pictures_than_are_made_ready_at_a_time_are_answered_in_order() -> None:
    levels = [level % 10 * 28 for level in range(50)]
    request = Request(lines(*map(flat, levels)), "application/jsonlines", options={"top_k": 1})
    response = pipeline(max_instances=50)(request, always, Stopwatch())
    found = [json.loads(line)["classes"][0]["class_id"] for line in response.body.splitlines()]
    assert found == [int(level / 255 * 10) for level in levels]


def fetching(pages: dict[str, bytes]) -> Pipeline:
    def fetch(url: str, _time_left: Any) -> bytes:
        if url not in pages:
            raise LinkFailed(f"There is nothing behind {url}.")
        return pages[url]

    return replace(pipeline(), fetch=fetch, max_fetched=10_000)


@pytest.mark.parametrize("beforehand", [True, False])
def test_pictures_are_fetched_by_their_links(beforehand: bool) -> None:
    served = fetching({"s3://bees/1.png": flat(0), "s3://bees/3.png": flat(255)})
    links = [{"url": f"s3://bees/{number}.png"} for number in (1, 2, 3)]
    body = json.dumps({"instances": links}).encode()
    request = Request(body, "application/json", options={"top_k": 1})
    if beforehand:
        request = served.with_pictures(request, always, Stopwatch())
        served = replace(served, fetch=no_links)
    first, second, third = answers(served(request, always, Stopwatch()))
    assert (first["classes"][0]["label"], third["classes"][0]["label"]) == ("a", "j")
    assert second == {
        "error": {"code": "link_failed", "message": "There is nothing behind s3://bees/2.png."}
    }


def test_pictures_behind_links_may_not_be_too_many_bytes_together() -> None:
    served = fetching({f"s3://bees/{number}.png": b"x" * 6_000 for number in range(2)})
    body = json.dumps({"instances": [{"url": f"s3://bees/{n}.png"} for n in range(2)]}).encode()
    with pytest.raises(NotAnImage):  # the one that fitted in
        served(Request(body, "application/json"), always, Stopwatch())
    big = replace(served, max_fetched=5_000)
    with pytest.raises(LinkTooLarge):
        big(Request(body, "application/json"), always, Stopwatch())


def test_no_link_is_followed_unless_somebody_allows_it() -> None:
    body = b'{"instances": [{"url": "https://example.com/cat.jpg"}]}'
    with pytest.raises(LinkRefused):
        pipeline()(Request(body, "application/json"), always, Stopwatch())


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
        "The request has 3 instances, but 1 to 2 are taken at once; send them in several requests."
    )


def test_no_picture_is_decoded_after_the_deadline() -> None:
    with pytest.raises(DeadlineExceeded):
        pipeline()(Request(b"not looked at", "image/png"), never, Stopwatch())


def test_no_picture_is_decoded_for_an_answer_nobody_can_give() -> None:
    with pytest.raises(NotAcceptable):
        pipeline()(Request(b"not looked at", "image/png", "text/html"), always, Stopwatch())


def test_the_columns_of_tensor_flow_serving_come_back_as_outputs() -> None:
    body = json.dumps({"inputs": np.zeros((2, 32, 32, 3)).tolist()}).encode()
    response = pipeline()(Request(body, "application/json"), always, Stopwatch())
    assert json.loads(response.body) == {"outputs": [[1.0] + [0.0] * 9] * 2}


@pytest.mark.parametrize("form", [{"instances": [[1]]}, {"inputs": [[1]]}])
def test_errors_of_tensors_are_told_as_tensor_flow_serving_tells_them(form: Any) -> None:
    with pytest.raises(InvalidInstances) as caught:
        pipeline()(Request(json.dumps(form).encode(), "application/json"), always, Stopwatch())
    assert json.loads(encode_error(caught.value).body) == {"error": caught.value.message}


def test_a_signature_that_is_not_there_is_told_which_are() -> None:
    body = b'{"signature_name": "features", "instances": [[1]]}'
    with pytest.raises(InvalidInstances) as caught:
        pipeline()(Request(body, "application/json"), always, Stopwatch())
    assert caught.value.message == (
        "The model has no signature 'features'; it has 'serving_default'. Name one of these as "
        '"signature_name", or leave that out.'
    )


@pytest.mark.parametrize(
    "body", [rows(flat(0), flat(1)), json.dumps({"instances": [[1]]}).encode()]
)
def test_only_one_picture_can_be_drawn(body: bytes) -> None:
    request = Request(body, "application/json", "image/png")
    with pytest.raises((NotAcceptable, InvalidInstances)):
        pipeline()(request, always, Stopwatch())


def test_a_picture_comes_back_drawn() -> None:
    response = pipeline()(Request(flat(9), "image/png", "image/png"), always, Stopwatch())
    assert response.content_type == "image/png"
    with Image.open(io.BytesIO(response.body)) as drawn:
        assert drawn.format == "PNG"
