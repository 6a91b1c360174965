"""What SageMaker asks of a container: `/ping`, `/invocations`, and the headers of both."""

from __future__ import annotations

import base64
import io
import json
import logging
import threading
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from served import Pack, Refused, Serve, Served

from plumbline import __version__
from plumbline.engines.fake import FakeEngine
from plumbline.engines.time_left import TimeLeft, lasting
from plumbline.errors import ArchiveError, InvalidJSON, RequestError
from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import ServedModel
from plumbline.machine.allocator import LARGE
from plumbline.machine.sizing import SLOTS_PER_CORE
from plumbline.pipeline.admission import Admission, Deadline
from plumbline.web.app import create_app
from plumbline.web.sagemaker_api import weight
from plumbline.wire.requests import Pictures, Request

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
PICTURE_TYPES = [
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/bmp",
    "image/tiff",
    "application/x-image",
    "application/octet-stream",
    "image/png; charset=binary",
]


def app_of(model: ServedModel) -> FlaskClient:
    served = Served()
    return create_app(model, served.admission, served.settings).test_client()


def scores_of(data: bytes) -> list[float]:
    """What the fake engine gives for a picture, by way of Pillow alone."""
    image = Image.open(io.BytesIO(data)).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, np.float32) / np.float32(255)
    outputs = FakeEngine().run({"image": pixels[np.newaxis]}, lasting(1))
    return [float(score) for score in outputs["scores"][0]]


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = record.__dict__["fields"]
    return fields


# --- ping -------------------------------------------------------------------------------------


def test_ping_is_503_with_the_state_while_the_model_loads(refused: Refused) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def load(say: Any) -> Registry:
        say("The model is warming up.")
        begun.set()
        assert go_on.wait(5)
        return Served().models(say)

    model = ServedModel(load)
    client = app_of(model)
    assert refused(client.get("/ping"), 503, "model_not_ready") == (
        "The model is waiting to be loaded."
    )
    thread = model.start(on_failure=lambda: None)
    assert begun.wait(5)
    answer = client.get("/ping")
    assert refused(answer, 503, "model_not_ready") == "The model is warming up."
    assert int(answer.headers["Retry-After"]) >= 1
    answer = client.post("/invocations", data=b"x", content_type="image/png")
    assert refused(answer, 503, "model_not_ready") == "The model is warming up."
    go_on.set()
    thread.join(5)
    assert client.get("/ping").status_code == 200


def test_ping_is_200_with_an_empty_body_once_the_model_is_ready(client: FlaskClient) -> None:
    answer = client.get("/ping")
    assert (answer.status_code, answer.data) == (200, b"")


def test_ping_is_503_with_the_reason_on_one_line_when_loading_failed(refused: Refused) -> None:
    failures: list[bool] = []

    def load(say: Any) -> Registry:
        raise ArchiveError("There is no model in the archive;\n  found\n    notes.txt")

    model = ServedModel(load)
    model.load(on_failure=lambda: failures.append(True))
    client = app_of(model)
    assert refused(client.get("/ping"), 503, "model_not_ready") == (
        "The model failed to load: There is no model in the archive; found notes.txt"
    )
    answer = client.post("/invocations", data=b"x", content_type="image/png")
    assert refused(answer, 503, "model_not_ready") == (
        "The model failed to load; the server's log says why."
    )
    assert answer.headers["Retry-After"] == "30"
    assert failures == [True]


# --- what is here -----------------------------------------------------------------------------


def test_the_root_says_the_state_and_every_path_that_is_answered(client: FlaskClient) -> None:
    answer = client.get("/", headers={"Host": "box:8081"})
    said = answer.get_json()
    assert answer.status_code == 200
    assert said["state"] == "ready"
    assert said["reason"]
    assert said["server"] == f"plumbline {__version__}"
    assert said["example"].endswith(" http://box:8081/invocations")
    routes = {str(rule) for rule in client.application.url_map.iter_rules()} - {"/"}
    routes.add("/metrics")  # which a worker adds: test_server_metrics.py
    named = {path.rpartition(" ")[2].partition("…")[0] for path in said["paths"]}
    assert named == {route.partition("<")[0] for route in routes} - {"/v1/"} | {"/v1/models/"}


def test_the_root_says_why_there_is_no_model() -> None:
    def load(say: Any) -> Registry:
        raise ArchiveError("There is no model in the archive.")

    model = ServedModel(load)
    model.load(on_failure=lambda: None)
    said = app_of(model).get("/").get_json()
    assert said["state"] == "failed"
    assert said["reason"] == "The model failed to load: There is no model in the archive."


# --- invocations ------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", PICTURE_TYPES)
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_picture_is_answered_with_its_best_classes(
    form: str, content_type: str, client: FlaskClient, picture: Image.Image, packed: Pack
) -> None:
    data = packed(picture, form)
    answer = client.post("/invocations", data=data, content_type=content_type)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    scores = np.array(scores_of(data), np.float32)
    order = np.argsort(-scores, kind="stable")[:5]
    [prediction] = json.loads(answer.data)["predictions"]
    assert [best["class_id"] for best in prediction["classes"]] == order.tolist()
    assert [best["label"] for best in prediction["classes"]] == [str(index) for index in order]
    found = np.array([best["score"] for best in prediction["classes"]], np.float32)
    np.testing.assert_array_equal(found, scores[order])


def test_tensors_are_answered_as_tf_serving_does(client: FlaskClient) -> None:
    batch = np.random.default_rng(1).random((2, 32, 32, 3), np.float32)
    answer = client.post("/invocations", json={"instances": batch.tolist()})
    assert answer.status_code == 200
    document = json.loads(answer.data)
    assert list(document) == ["predictions"]
    expected = FakeEngine().run({"image": batch}, lasting(1))["scores"]
    np.testing.assert_array_equal(np.array(document["predictions"], np.float32), expected)


def test_named_tensors_are_taken(client: FlaskClient) -> None:
    zeros = np.zeros((32, 32, 3)).tolist()
    answer = client.post("/invocations", json={"instances": [{"image": zeros}]})
    assert json.loads(answer.data) == {"predictions": [[1.0] + [0.0] * 9]}


def test_pictures_in_base64_are_answered_like_their_bytes(
    client: FlaskClient, picture: Image.Image, packed: Pack
) -> None:
    files = [packed(picture, "PNG"), packed(picture.rotate(90), "JPEG")]
    rows = [{"b64": base64.b64encode(data).decode()} for data in files]
    together = json.loads(client.post("/invocations", json={"instances": rows}).data)
    apart = [
        json.loads(client.post("/invocations", data=data, content_type="image/png").data)
        for data in files
    ]
    assert together["predictions"] == [one["predictions"][0] for one in apart]


def test_the_same_picture_gets_the_same_bytes(
    client: FlaskClient, picture: Image.Image, packed: Pack
) -> None:
    data = packed(picture, "JPEG")
    answers = {
        client.post("/invocations", data=data, content_type="image/jpeg").data for _ in range(5)
    }
    assert len(answers) == 1


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/html, */*;q=0.1", ""])
def test_json_is_given_where_it_is_accepted(
    accept: str, client: FlaskClient, picture: Image.Image, packed: Pack
) -> None:
    answer = client.post(
        "/invocations",
        data=packed(picture, "PNG"),
        content_type="image/png",
        headers={"Accept": accept},
    )
    assert (answer.status_code, answer.content_type) == (200, "application/json")


def test_an_accept_that_can_not_be_met_is_406(
    client: FlaskClient, picture: Image.Image, packed: Pack, refused: Refused
) -> None:
    answer = client.post(
        "/invocations",
        data=packed(picture, "PNG"),
        content_type="image/png",
        headers={"Accept": "text/html"},
    )
    assert refused(answer, 406, "not_acceptable") == (
        "Accept 'text/html' can't be answered; ask for application/json, application/jsonlines, "
        "text/csv, application/x-npy, image/png."
    )


def test_a_hostile_accept_does_not_make_the_answer_long(
    client: FlaskClient, picture: Image.Image, packed: Pack, refused: Refused
) -> None:
    answer = client.post(
        "/invocations",
        data=packed(picture, "PNG"),
        content_type="image/png",
        headers={"Accept": '"' * 6000},
    )
    assert refused(answer, 406, "not_acceptable").endswith(" …")


@pytest.mark.parametrize(
    ("attributes", "count"),
    [
        ("top_k=3", 3),
        ("trace=abc, top_k=1 ,x", 1),
        ("top_k=1000", 10),
        ("trace=abc", 5),
        ("anything at all; even {this}", 5),
        ("", 5),
    ],
)
def test_top_k_is_taken_from_the_custom_attributes_and_the_rest_ignored(
    attributes: str, count: int, client: FlaskClient, picture: Image.Image, packed: Pack
) -> None:
    answer = client.post(
        "/invocations",
        data=packed(picture, "PNG"),
        content_type="image/png",
        headers={ATTRIBUTES: attributes},
    )
    assert answer.status_code == 200
    assert len(json.loads(answer.data)["predictions"][0]["classes"]) == count


@pytest.mark.parametrize("value", ["0", "x", "9" * 5000])
def test_a_top_k_that_means_nothing_is_refused(
    value: str, client: FlaskClient, picture: Image.Image, packed: Pack, refused: Refused
) -> None:
    answer = client.post(
        "/invocations",
        data=packed(picture, "PNG"),
        content_type="image/png",
        headers={ATTRIBUTES: f"top_k={value}"},
    )
    message = refused(answer, 400, "invalid_attribute")
    assert message.startswith(f"top_k={value[:1000]}")


def test_sagemakers_other_headers_change_nothing(
    client: FlaskClient, picture: Image.Image, packed: Pack
) -> None:
    data = packed(picture, "PNG")
    plain = client.post("/invocations", data=data, content_type="image/png")
    names = (
        "Target-Model",
        "Target-Variant",
        "Target-Container-Hostname",
        "Inference-Id",
        "Inference-Component",
        "Session-Id",
        "Something-New",
    )
    headers = {f"X-Amzn-SageMaker-{name}": "abc" for name in names}
    answer = client.post("/invocations", data=data, content_type="image/png", headers=headers)
    assert (answer.status_code, answer.data) == (200, plain.data)


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/nothing", 404, "Not Found"),
        ("POST", "/nothing", 404, "Not Found"),
        ("GET", "/invocations", 405, "Method Not Allowed"),
        ("POST", "/ping", 405, "Method Not Allowed"),
        ("POST", "/execution-parameters", 405, "Method Not Allowed"),
    ],
)
def test_another_path_or_method_is_told_what_there_is(
    method: str, path: str, status: int, name: str, client: FlaskClient, refused: Refused
) -> None:
    answer = client.open(path, method=method)
    assert refused(answer, status, name.lower().replace(" ", "_")) == (
        f"{name}. This server answers GET /ping and /metrics, POST /invocations, GET "
        "/execution-parameters, GET /about, GET /openapi.json and TensorFlow Serving's REST API "
        "under /v1/models/."
    )


# --- admission --------------------------------------------------------------------------------


def test_a_full_server_says_when_to_try_again_and_still_answers_pings(
    serve: Serve, picture: Image.Image, packed: Pack, refused: Refused
) -> None:
    admission = Admission(1, 2)
    client = serve(admission=admission)
    with ExitStack() as inside:
        for _ in range(3):
            inside.enter_context(admission.place(Deadline(60)))
        answer = client.post("/invocations", data=packed(picture, "PNG"), content_type="image/png")
        assert refused(answer, 503, "server_busy").endswith(
            "try again in a moment, or add instances."
        )
        assert answer.headers["Retry-After"] == "1"
        assert client.get("/ping").status_code == 200
    answer = client.post("/invocations", data=packed(picture, "PNG"), content_type="image/png")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("content_type", "status"), [("image/png", 200), ("image/jpeg", 200), ("text/html", 415)]
)
def test_every_answer_gives_its_place_and_its_slot_back(
    content_type: str, status: int, serve: Serve, picture: Image.Image, packed: Pack
) -> None:
    client = serve(admission=Admission(1, 0))
    for _ in range(3):
        answer = client.post("/invocations", data=packed(picture, "PNG"), content_type=content_type)
        assert answer.status_code == status


def test_a_model_that_takes_too_long_is_503(
    serve: Serve, picture: Image.Image, packed: Pack, refused: Refused
) -> None:
    client = serve(engine=FakeEngine(delay=5), deadline=1)
    answer = client.post("/invocations", data=packed(picture, "PNG"), content_type="image/png")
    assert refused(answer, 503, "deadline_exceeded") == "The model did not answer in time."
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("body", "items", "slots"),
    [
        (bytes(LARGE - 1), (), 1),
        (bytes(LARGE), (), SLOTS_PER_CORE),
        (b"{}", (bytes(LARGE), InvalidJSON("no")), SLOTS_PER_CORE),
        (b"{}", (bytes(LARGE - 3), b"x"), SLOTS_PER_CORE),
        (b"{}", (b"x",), 1),
    ],
)
def test_a_large_request_takes_the_slots_of_a_core(
    body: bytes, items: tuple[bytes | RequestError, ...], slots: int
) -> None:
    payload = Pictures(items) if items else None
    assert weight(Request(body, "image/png", "", {}, payload)) == slots


def test_a_request_that_waits_too_long_for_its_slot_is_503(
    serve: Serve, picture: Image.Image, packed: Pack, refused: Refused
) -> None:
    admission = Admission(1, 2)
    admission._free = 0
    client = serve(admission=admission, deadline=0.05)
    answer = client.post("/invocations", data=packed(picture, "PNG"), content_type="image/png")
    assert refused(answer, 503, "deadline_exceeded") == (
        "The request waited for its turn until its time was up. "
        "Try again in a moment, or add instances."
    )


def test_a_model_that_fails_unexpectedly_is_500_and_keeps_its_secrets(
    serve: Serve,
    picture: Image.Image,
    packed: Pack,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def run(self: FakeEngine, inputs: Any, left: TimeLeft) -> Any:
        raise RuntimeError("secret at /opt/ml/model")

    monkeypatch.setattr(FakeEngine, "run", run)
    answer = serve().post(
        "/invocations",
        data=packed(picture, "PNG"),
        content_type="image/png",
        headers={INFERENCE_ID: "abc"},
    )
    assert refused(answer, 500, "internal_error") == (
        "The server failed on this request; see its log for id abc."
    )
    assert "secret at /opt/ml/model" in caplog.text


# --- the log ----------------------------------------------------------------------------------


def test_a_request_is_one_log_line_with_all_its_fields(
    client: FlaskClient, picture: Image.Image, packed: Pack, caplog: pytest.LogCaptureFixture
) -> None:
    data = packed(picture, "PNG")
    with caplog.at_level(logging.INFO, "plumbline.request"):
        answer = client.post(
            "/invocations",
            data=data,
            content_type="image/png",
            headers={INFERENCE_ID: "inference-1"},
        )
    [record] = [record for record in caplog.records if record.name == "plumbline.request"]
    fields = fields_of(record)
    stages = fields.pop("ms")
    assert fields == {
        "id": "inference-1",
        "model": "model/1",
        "status": 200,
        "error": None,
        "bytes_in": len(data),
        "bytes_out": len(answer.data),
    }
    assert sorted(stages) == ["decode", "encode", "infer", "preprocess", "total", "wait"]
    assert all(spent >= 0 for spent in stages.values())
    assert sum(stages.values()) <= 2 * stages["total"] + 0.1
    assert record.getMessage().startswith("POST /invocations 200 (wait ")
    assert answer.headers["X-Request-Id"] == "inference-1"


def test_a_refused_request_is_logged_with_its_code(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "plumbline.request"):
        client.post("/invocations", data=b"x", content_type="text/html")
    fields = fields_of(caplog.records[-1])
    assert (fields["status"], fields["error"]) == (415, "unsupported_content_type")
    assert caplog.records[-1].getMessage().endswith(" unsupported_content_type")


def test_a_request_without_an_id_gets_one_of_its_own(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "plumbline.request"):
        ids = {client.post("/invocations").headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
    assert {fields_of(record)["id"] for record in caplog.records} == ids


def test_an_id_is_cleaned_before_it_is_logged(client: FlaskClient) -> None:
    answer = client.post("/invocations", headers={INFERENCE_ID: "a b\tc é" + "x" * 200})
    assert answer.headers["X-Request-Id"] == "abc" + "x" * 61


def test_pings_are_not_logged(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        client.get("/ping")
    assert caplog.records == []
