"""TensorFlow Serving's REST API: its paths, answers and errors, as its documentation has them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from served import Refused, Served
from werkzeug.test import TestResponse

from plumbline.engines.base import Engine
from plumbline.engines.serving_metadata import of_signature
from plumbline.engines.time_left import TimeLeft
from plumbline.loading.model_registry import LoadedModel, Registry
from plumbline.loading.served_model import ServedModel
from plumbline.pipeline.admission import Admission
from plumbline.pipeline.stages import Pipeline
from plumbline.settings.server_settings import Settings
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import ModelSpec
from plumbline.tasks.task_table import fitted
from plumbline.vision.arrays import Tensors
from plumbline.web.app import create_app

X = TensorSpec("x", (None,), "float32")
TEXTS = TensorSpec("inputs", (None,), "string")


@dataclass(frozen=True)
class Line:
    """`slope` * x + `offset`, the models of TensorFlow Serving's documentation."""

    slope: float
    offset: float
    others: Mapping[str, Engine] = field(default_factory=dict)
    name: str = "line"

    @property
    def signature(self) -> Signature:
        return Signature((X,), (TensorSpec("y", (None,), "float32"),))

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        return {"y": (inputs["x"] * self.slope + self.offset).astype(np.float32)}


@dataclass(frozen=True)
class Told:
    """A signature of examples: keeps what it was given, and gives what it was told to."""

    method: str
    outputs: Tensors
    given: list[bytes] = field(default_factory=list)
    others: Mapping[str, Engine] = field(default_factory=dict)
    name: str = "told"

    @property
    def signature(self) -> Signature:
        outputs = tuple(
            TensorSpec(name, (None,) * tensor.ndim, "float32")
            for name, tensor in self.outputs.items()
        )
        return Signature((TEXTS,), outputs, f"tensorflow/serving/{self.method}")

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        self.given.extend(inputs["inputs"].tolist())
        return self.outputs


def loaded(name: str, version: int, engine: Engine, task: str = "raw") -> LoadedModel:
    spec, settings = ModelSpec(task), Settings()
    pipeline = Pipeline(
        spec, engine, fitted(spec, None, engine.signature), settings.limits, settings.max_instances
    )
    return LoadedModel(
        name, version, pipeline, lambda: {"serving_default": of_signature(engine.signature)}
    )


def client_of(*models: LoadedModel, settings: Settings | None = None) -> FlaskClient:
    served = ServedModel(lambda say: Registry(models))
    served.load(on_failure=partial(pytest.fail, "the models did not load"))
    return create_app(served, Admission(2, 4), settings or Settings()).test_client()


REGRESSED = {"outputs": np.array([[3.5], [4.0]], np.float32)}
CLASSIFIED = {
    "classes": np.array([[b"cat", b"bee"], [b"bee", b"cat"]], object),
    "scores": np.array([[0.75, 0.25], [1.0, 0.0]], np.float32),
}


@pytest.fixture
def regressor() -> Told:
    return Told("regress", REGRESSED)


@pytest.fixture
def client(regressor: Told) -> FlaskClient:
    """Two models, of one of which there are two versions."""
    others = {
        "tensorflow/serving/regress": regressor,
        "classify": Told("classify", CLASSIFIED),
        "scores": Told("classify", {"scores": CLASSIFIED["scores"]}),
        "classes": Told("classify", {"classes": CLASSIFIED["classes"]}),
        "odd": Told("regress", {"outputs": np.zeros((2, 3), np.float32)}),
        "short": Told("regress", {"outputs": np.zeros(1, np.float32)}),
        "flat": Told("classify", {"scores": np.zeros(2, np.float32)}),
    }
    three = Line(0.5, 3.0, others)
    return client_of(
        loaded("half_plus_three", 124, three),
        loaded("half_plus_three", 123, Line(0.5, 30.0)),
        loaded("half_plus_two", 1, Line(0.5, 2.0)),
    )


def post(client: FlaskClient, path: str, document: Any, **headers: str) -> TestResponse:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return client.post(f"/v1/models/{path}", data=body, headers=headers)


def answered(response: TestResponse) -> Any:
    assert (response.status_code, response.content_type) == (200, "application/json"), response.text
    return json.loads(response.data)


AVAILABLE = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}


@pytest.mark.parametrize(
    ("path", "versions"),
    [
        ("half_plus_three", ["124", "123"]),
        ("half_plus_three/versions/123", ["123"]),
        ("half_plus_two", ["1"]),
    ],
)
def test_the_status_is_that_of_every_version(
    path: str, versions: list[str], client: FlaskClient
) -> None:
    assert answered(client.get(f"/v1/models/{path}")) == {
        "model_version_status": [{"version": version, **AVAILABLE} for version in versions]
    }


def test_the_metadata_are_the_signatures(client: FlaskClient) -> None:
    def batch(name: str) -> Any:
        shape = {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
        return {name: {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": ""}}

    signature = {
        "inputs": batch("x"),
        "outputs": batch("y"),
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }
    for path, version in (("half_plus_three", "124"), ("half_plus_three/versions/123", "123")):
        assert answered(client.get(f"/v1/models/{path}/metadata")) == {
            "model_spec": {"name": "half_plus_three", "signature_name": "", "version": version},
            "metadata": {"signature_def": {"signature_def": {"serving_default": signature}}},
        }


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("half_plus_three", [3.5, 4.0, 5.5]),
        ("half_plus_three/versions/123", [30.5, 31.0, 32.5]),
        ("half_plus_two", [2.5, 3.0, 4.5]),
        ("half_plus_two/versions/1", [2.5, 3.0, 4.5]),
    ],
)
def test_predict_asks_the_model_and_the_version_of_the_path(
    path: str, found: list[float], client: FlaskClient
) -> None:
    rows = post(client, f"{path}:predict", {"instances": [1.0, 2.0, 5.0]})
    assert answered(rows) == {"predictions": found}
    columns = post(client, f"{path}:predict", {"inputs": {"x": [1.0, 2.0, 5.0]}})
    assert answered(columns) == {"outputs": found}


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_is_json_and_an_answer_too_whatever_the_headers_say(
    content_type: str, client: FlaskClient
) -> None:
    response = post(
        client,
        "half_plus_three:predict",
        {"instances": [1.0]},
        **{"Content-Type": content_type, "Accept": "text/csv"},
    )
    assert answered(response) == {"predictions": [3.5]}


def test_regress_gives_a_number_for_each_example(client: FlaskClient) -> None:
    document = {
        "signature_name": "tensorflow/serving/regress",
        "examples": [{"x": 1.0}, {"x": 2.0}],
    }
    assert answered(post(client, "half_plus_three:regress", document)) == {"results": [3.5, 4.0]}


@pytest.mark.parametrize(
    ("signature", "found"),
    [
        ("classify", [[["cat", 0.75], ["bee", 0.25]], [["bee", 1.0], ["cat", 0.0]]]),
        ("scores", [[["", 0.75], ["", 0.25]], [["", 1.0], ["", 0.0]]]),
        ("classes", [[["cat", 0.0], ["bee", 0.0]], [["bee", 0.0], ["cat", 0.0]]]),
    ],
)
def test_classify_gives_labels_with_scores(signature: str, found: Any, client: FlaskClient) -> None:
    document = {"signature_name": signature, "examples": [{"x": 1.0}, {"x": 2.0}]}
    assert answered(post(client, "half_plus_three:classify", document)) == {"results": found}


SERVABLE = "Servable not found for request: "
EXAMPLES = {"examples": [{"x": 1.0}, {"x": 2.0}]}

REFUSED: dict[str, tuple[str, Any, int, str]] = {
    "no model": ("half:predict", {"instances": [1.0]}, 404, f"{SERVABLE}Latest(half)"),
    "no version": (
        "half_plus_two/versions/9:predict",
        {"instances": [1.0]},
        404,
        f"{SERVABLE}Specific(half_plus_two, 9)",
    ),
    "a label": (
        "half_plus_two/labels/stable:predict",
        {"instances": [1.0]},
        400,
        "Unrecognized servable version label: stable",
    ),
    "a method": (
        "half_plus_two:explain",
        {},
        400,
        "Malformed request: POST /v1/models/half_plus_two:explain",
    ),
    "no method": ("half_plus_two", {}, 400, "Malformed request: POST /v1/models/half_plus_two"),
    "a long version": (
        f"half_plus_two/versions/{'9' * 5000}:predict",
        {},
        400,
        "Malformed request: POST /v1/models/half_plus_two/versions/9",
    ),
    "no JSON": ("half_plus_two:predict", b"whatever", 400, "The body is not valid JSON: "),
    "no body": ("half_plus_two:predict", b"", 400, "JSON Parse error: The document is empty"),
    "ragged": ("half_plus_two:predict", {"instances": [[1.0], 1.0]}, 400, "The instances are rag"),
    "mistyped": ("half_plus_two:predict", {"instances": ["a"]}, 400, "The instances hold values"),
    "junk": (
        "half_plus_two:predict",
        {"junk": "data"},
        400,
        "Failed to process element: 0 key: junk of 'instances' list. ",
    ),
    "rows and columns": (
        "half_plus_two:predict",
        {"instances": [1.0], "inputs": [1.0]},
        400,
        "The JSON has no list of instances.",
    ),
    "examples to predict": ("half_plus_two:predict", EXAMPLES, 400, "The JSON has no list of inst"),
    "instances to regress": (
        "half_plus_two:regress",
        {"instances": [1.0]},
        400,
        "When method is regress, key 'examples' is expected and was not found",
    ),
    "no examples": ("half_plus_two:classify", {"examples": []}, 400, "Expecting 'examples' value"),
    "too many examples": (
        "half_plus_two:classify",
        {"examples": [{}] * 65},
        400,
        "The request has 65 instances, but 1 to 64 are taken at once",
    ),
    "no regression": (
        "half_plus_two:regress",
        EXAMPLES,
        400,
        "Expected one input Tensor, called inputs, of serialised examples. ",
    ),
    "no classification": (
        "half_plus_two:classify",
        EXAMPLES,
        400,
        "Expected one input Tensor, called inputs, of serialised examples. ",
    ),
    "the other of both": (
        "half_plus_three:classify",
        {**EXAMPLES, "signature_name": "tensorflow/serving/regress"},
        400,
        "Expected Tensor shape: [batch_size num_classes] of classes or scores but got outputs ",
    ),
    "no signature": (
        "half_plus_three:regress",
        {**EXAMPLES, "signature_name": "x"},
        400,
        "The model has no signature 'x'; it has 'serving_default', 'classes', ",
    ),
    "a signature that is no text": (
        "half_plus_three:regress",
        {**EXAMPLES, "signature_name": 5},
        400,
        (
            '"signature_name" must be a text, the name of one of the model\'s signatures; or leave '
            "it out."
        ),
    ),
    "too many numbers": (
        "half_plus_three:regress",
        {**EXAMPLES, "signature_name": "odd"},
        400,
        "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got outputs",
    ),
    "too few results": (
        "half_plus_three:regress",
        {**EXAMPLES, "signature_name": "short"},
        400,
        "Expected output batch size to be 2. Got: 1",
    ),
    "no matrix": (
        "half_plus_three:classify",
        {**EXAMPLES, "signature_name": "flat"},
        400,
        "Expected Tensor shape: [batch_size num_classes] of classes or scores but got scores [2]",
    ),
}


@pytest.mark.parametrize(("path", "document", "code", "start"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_is_told_as_tensorflow_serving_tells_it(
    path: str, document: Any, code: int, start: str, client: FlaskClient, refused: Refused
) -> None:
    assert refused(post(client, path, document), code, None).startswith(start)


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("models/half", 404, "Could not find any versions of model half"),
        ("models/half_plus_two/versions/7", 404, "Could not find version 7 of model half_plus_two"),
        ("models/half_plus_two/labels/a", 400, "Unrecognized servable version label: a"),
        (
            "models/half_plus_two:predict",
            400,
            "Malformed request: GET /v1/models/half_plus",
        ),
        ("models", 400, "Malformed request: GET /v1/models"),
        (
            "models/half_plus_two/versions/x",
            400,
            "Malformed request: GET /v1/models/half_plus_two/",
        ),
        ("other", 400, "Malformed request: GET /v1/other"),
        ("models/half/metadata", 404, f"{SERVABLE}Latest(half)"),
    ],
)
def test_what_is_not_there_has_no_status(
    path: str, code: int, message: str, client: FlaskClient, refused: Refused
) -> None:
    assert refused(client.get(f"/v1/{path}"), code, None).startswith(message)


def test_the_server_refuses_here_as_elsewhere_but_in_these_words(refused: Refused) -> None:
    small = client_of(loaded("m", 1, Line(1.0, 0.0)), settings=Settings(max_body=10))
    assert "larger than" in refused(post(small, "m:predict", {"instances": [1.0]}), 413, None)
    loading = create_app(
        ServedModel(lambda say: Registry(())), Admission(2, 4), Settings()
    ).test_client()
    for response in (
        loading.get("/v1/models/m"),
        loading.get("/v1/models/m/metadata"),
        post(loading, "m:predict", {"instances": [1.0]}),
    ):
        assert refused(response, 503, None) == "The model is waiting to be loaded."


def test_a_picture_for_a_model_of_pictures_is_answered_as_at_invocations(
    picture: Image.Image,
) -> None:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    row = {"b64": base64.b64encode(stream.getvalue()).decode()}
    client = Served().client()
    response = post(client, "model:predict", {"instances": [row, row]})
    there = client.post("/invocations", json={"instances": [row, row]})
    assert answered(response) == answered(there)


def test_bytes_for_a_model_of_bytes_go_into_it_as_they_are() -> None:
    """At /invocations they are a picture, and the answer is what the task makes of it."""
    engine = Told("predict", {"scores": CLASSIFIED["scores"][:1]})
    client = client_of(loaded("m", 1, engine, task="classification"))
    document = {"instances": [{"b64": base64.b64encode(b"no picture").decode()}]}
    assert answered(post(client, "m:predict", document)) == {"predictions": [[0.75, 0.25]]}
    named = {"X-Amzn-SageMaker-Custom-Attributes": "tfs-model-name=m"}
    by_name = client.post("/invocations", json=document, headers=named)
    assert answered(by_name) == {"predictions": [[0.75, 0.25]]}
    assert engine.given == [b"no picture"] * 2
    refused = client.post("/invocations", json=document)
    assert json.loads(refused.data)["error"]["code"] == "not_an_image"
