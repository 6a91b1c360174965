"""The public tests of SageMaker's TensorFlow Serving container, through HTTP, over TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from half_plus import save_half_plus
from plumbline.loading.loader import load_models
from plumbline.loading.served_model import ServedModel
from plumbline.loading.terms import Terms
from plumbline.pipeline.admission import Admission
from plumbline.settings.server_settings import Settings
from plumbline.web.app import create_app
from plumbline.wire.tf_examples import serialised
from tensorflow_serving_cases import ATTRIBUTES, CASES, INSTANCES, REFUSED, Case, save_models

pytestmark = pytest.mark.tensorflow


def client_of(folder: Path) -> FlaskClient:
    """A client of a server that has loaded the folder."""
    model = ServedModel(lambda say: load_models(folder, Terms(), say))
    model.load(on_failure=lambda: pytest.fail(model.status.reason))
    return create_app(model, Admission(2, 4), Settings()).test_client()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A client of a server of that suite's models."""
    return client_of(save_models(tmp_path_factory.mktemp("models")))


def document(response: TestResponse) -> Any:
    assert response.status_code == 200, response.text
    return json.loads(response.data)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_answered_there_is_answered_here(case: Case, client: FlaskClient) -> None:
    for _ in range(2):
        response = client.post("/invocations", data=case.body, headers=case.headers)
        assert response.content_type == "application/json"
        assert document(response) == case.found


@pytest.mark.parametrize(("body", "start"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_there_is_refused_here(body: str, start: str, client: FlaskClient) -> None:
    response = client.post("/invocations", data=body, headers=Case(body, None).headers)
    assert response.status_code == 400
    assert json.loads(response.data)["error"].startswith(start)


def test_nothing_need_be_named(client: FlaskClient) -> None:
    response = client.post("/invocations", json=INSTANCES)
    assert document(response) == {"predictions": [3.5, 4.0, 5.5]}
    generic = client.post("/invocations", json=[1.0, 2.0, 5.0])
    assert document(generic) == {"predictions": [[3.5, 4.0, 5.5]]}
    table = client.post("/invocations", data="1.0\n2.0", content_type="text/csv")
    assert document(table) == {"predictions": [3.5, 4.0]}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/jsonlines", "application/jsonlines"),
        ("application/json, application/jsonlines", "application/json"),
    ],
)
def test_an_answer_is_called_what_was_asked_for(
    accept: str, content_type: str, client: FlaskClient
) -> None:
    headers = {ATTRIBUTES: "tfs-model-name=half_plus_three", "Accept": accept}
    response = client.post("/invocations", json=INSTANCES, headers=headers)
    assert response.content_type == content_type
    assert document(response) == {"predictions": [3.5, 4.0, 5.5]}


@pytest.mark.parametrize(
    ("attributes", "code", "start"),
    [
        ("tfs-model-name=half", 404, "Servable not found for request: Latest(half)"),
        (
            "tfs-model-name=half_plus_two,tfs-model-version=124",
            404,
            "Servable not found for request: Specific(half_plus_two, 124)",
        ),
        (
            "tfs-method=regress",
            400,
            "When method is regress, key 'examples' is expected and was not found",
        ),
    ],
)
def test_a_model_that_is_not_there_is_told_in_those_words(
    attributes: str, code: int, start: str, client: FlaskClient
) -> None:
    response = client.post("/invocations", json=INSTANCES, headers={ATTRIBUTES: attributes})
    assert response.status_code == code
    assert json.loads(response.data)["error"].startswith(start)


def test_a_method_that_is_none_is_refused(client: FlaskClient) -> None:
    headers = {ATTRIBUTES: "tfs-method=explain"}
    response = client.post("/invocations", json=INSTANCES, headers=headers)
    assert (response.status_code, json.loads(response.data)["error"]["message"]) == (
        400,
        "tfs-method=explain: it must be one of predict, classify, regress.",
    )


def test_every_model_and_version_is_served(client: FlaskClient) -> None:
    answers = {
        place: document(client.post(f"/v1/models/{place}:predict", json=INSTANCES))["predictions"]
        for place in (
            "half_plus_three",
            "half_plus_three/versions/123",
            "half_plus_two",
            "half_plus_two/versions/123",
        )
    }
    three, two = [3.5, 4.0, 5.5], [2.5, 3.0, 4.5]
    assert list(answers.values()) == [three, three, two, two]


def test_examples_are_classified_and_bad_ones_refused(client: FlaskClient) -> None:
    path = "/v1/models/half_plus_two:classify"
    asked = {"signature_name": "classify_x_to_y", "examples": [{"x": [1.0]}, {"x": 2.0}]}
    assert document(client.post(path, json=asked)) == {"results": [[["", 2.5]], [["", 3.0]]]}
    shared = {**asked, "context": {"x": 4.0}, "examples": [{}, {}]}
    assert document(client.post(path, json=shared)) == {"results": [[["", 4.0]], [["", 4.0]]]}
    for examples in ([{"x": "text"}], [{}], [{"y": 1.0}]):
        response = client.post(path, json={**asked, "examples": examples})
        assert response.status_code == 400
        assert json.loads(response.data)["error"].startswith("The model can't compute this input")


def test_the_metadata_are_what_tensorflow_wrote(client: FlaskClient, tmp_path: Path) -> None:
    """Against TensorFlow's own reading of the file, printed by its protocol buffers."""
    from google.protobuf.json_format import MessageToDict
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    save_half_plus(tmp_path / "1", 3.0)
    saved = SavedModel.FromString((tmp_path / "1" / "saved_model.pb").read_bytes())
    names = saved.meta_graphs[0].signature_def
    expected = {
        name: MessageToDict(
            names[name], preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        for name in names
    }
    told = document(client.get("/v1/models/half_plus_three/metadata"))
    assert told["model_spec"] == {
        "name": "half_plus_three",
        "signature_name": "",
        "version": "124",
    }
    assert told["metadata"]["signature_def"]["signature_def"] == expected


def test_examples_are_serialised_as_tensorflow_reads_them() -> None:
    import tensorflow as tf

    example = {"f": [0.1, -2.5], "i": [-1, 2**40], "t": "é", "b": {"b64": "/w=="}, "yes": True}
    features = tf.train.Example.FromString(serialised(example)).features.feature
    np.testing.assert_array_equal(features["f"].float_list.value, np.float32([0.1, -2.5]))
    assert list(features["i"].int64_list.value) == [-1, 2**40]
    assert list(features["t"].bytes_list.value) == ["é".encode()]
    assert list(features["b"].bytes_list.value) == [b"\xff"]
    assert list(features["yes"].int64_list.value) == [1]
    assert len(features) == 5
