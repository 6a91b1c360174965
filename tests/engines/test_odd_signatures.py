"""Signatures that TensorFlow Serving takes: another dtype or method than it says, no default."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from google.protobuf.json_format import MessageToDict

from plumbline.archive.saved_model import read_signatures
from plumbline.cli import main
from plumbline.loading.loader import load_models
from plumbline.loading.served_model import ServedModel
from plumbline.loading.terms import Terms
from plumbline.pipeline.admission import Admission
from plumbline.settings.server_settings import Settings
from plumbline.web.app import create_app

pytestmark = pytest.mark.tensorflow

REGRESS = "tensorflow/serving/regress"


def client_of(folder: Path) -> FlaskClient:
    """A client of a server that has loaded the folder."""
    model = ServedModel(lambda say: load_models(folder, Terms(engine="tensorflow"), say))
    model.load(on_failure=lambda: pytest.fail(model.status.reason))
    return create_app(model, Admission(2, 4), Settings()).test_client()


def asked(client: FlaskClient, path: str, document: Any) -> Any:
    response = client.post(path, json=document)
    assert response.status_code == 200, response.text
    return json.loads(response.data)


def save_old(folder: Path, change: Callable[[dict[str, Any]], None], device: str = "") -> None:
    """A model of TensorFlow 1 that halves: tensors by default, and examples by `halve`."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), tf.device(device), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], name="tf_example")
        features = {"x": tf.io.FixedLenFeature([1], tf.float32)}
        x = tf.io.parse_example(examples, features)["x"]
        fed = v1.placeholder(tf.float32, [None, 1], name="fed")
        tensors = v1.saved_model.predict_signature_def({"x": fed}, {"y": tf.divide(fed, 2.0)})
        info = v1.saved_model.build_tensor_info
        halve = v1.saved_model.build_signature_def(
            {"inputs": info(examples)}, {"outputs": info(tf.divide(x, 2.0))}, REGRESS
        )
        signatures = {"serving_default": tensors, "halve": halve}
        change(signatures)
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


def test_the_graphs_dtype_counts_and_not_the_signatures(tmp_path: Path) -> None:
    """As in the models that teach TensorFlow Serving's REST API."""
    import tensorflow as tf

    def as_floats(signatures: dict[str, Any]) -> None:
        signatures["halve"].inputs["inputs"].dtype = tf.float32.as_datatype_enum

    save_old(tmp_path / "half/1", as_floats)
    client = client_of(tmp_path)

    examples = {"signature_name": "halve", "examples": [{"x": 1.0}, {"x": 3.0}]}
    assert asked(client, "/v1/models/half:regress", examples) == {"results": [0.5, 1.5]}
    assert read_signatures(tmp_path / "half/1")["halve"].input().dtype == "string"
    told = client.get("/v1/models/half/metadata").json["metadata"]["signature_def"]
    assert told["signature_def"]["halve"]["inputs"]["inputs"]["dtype"] == "DT_FLOAT"


def test_a_model_that_was_laid_on_a_graphics_card_runs_without_one(tmp_path: Path) -> None:
    save_old(tmp_path / "half/1", lambda _: None, "/device:GPU:0")

    answer = asked(client_of(tmp_path), "/invocations", {"instances": [[1.0], [2.0]]})
    assert answer == {"predictions": [[0.5], [1.0]]}


def test_without_a_default_a_signature_is_asked_by_its_name(tmp_path: Path) -> None:
    def renamed(signatures: dict[str, Any]) -> None:
        signatures["tensors"] = signatures.pop("serving_default")

    save_old(tmp_path / "half/1", renamed)
    client = client_of(tmp_path)

    printed = CliRunner().invoke(main, ["inspect", str(tmp_path)])
    assert printed.exit_code == 0, printed.output
    assert printed.output.count("asked by its name") == 2
    for path in ("/invocations", "/v1/models/half:predict"):
        named = {"signature_name": "tensors", "instances": [[1.0]]}
        assert asked(client, path, named) == {"predictions": [[0.5]]}
        for unnamed in ({"instances": [[1.0]]}, {"inputs": [[1.0]]}, {"instances": [{"x": [1]}]}):
            refused = client.post(path, json=unnamed)
            assert refused.status_code == 400
            assert refused.json["error"].startswith(
                'Serving signature name: "serving_default" not found in signature def: the model '
                "has 'halve', 'tensors'; "
            )
    told = client.get("/v1/models/half/metadata").json["metadata"]["signature_def"]
    assert sorted(told["signature_def"]) == ["halve", "tensors"]
    picture = client.post("/invocations", data=b"\xff\xd8\xff", content_type="image/jpeg")
    assert picture.status_code == 400
    assert "plumbline inspect lists them" in picture.json["error"]["message"]


def test_a_method_name_is_not_looked_at(tmp_path: Path) -> None:
    """TensorFlow 2 exports every signature as one to predict."""
    import tensorflow as tf

    class Half(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
        def serve(self, inputs: Any) -> Any:
            features = {"x": tf.io.FixedLenFeature([2], tf.float32)}
            x = tf.io.parse_example(inputs, features)["x"] / 2
            return {"outputs": x[:, 0], "scores": x}

    half = Half()
    tf.saved_model.save(half, str(tmp_path / "half/1"), signatures=half.serve)
    client = client_of(tmp_path)
    examples = {"examples": [{"x": [1.0, 2.0]}]}
    assert asked(client, "/v1/models/half:regress", examples) == {"results": [0.5]}
    assert asked(client, "/v1/models/half:classify", examples) == {
        "results": [[["", 0.5], ["", 1.0]]]
    }


def test_default_values_are_told(tmp_path: Path) -> None:
    """As protocol buffers print a whole SignatureDef, which is what TensorFlow Serving answers."""
    import tensorflow as tf

    values = {"x": [1.5, 2.0], "text": ["é", "x"], "flag": True, "half": np.float16([1])}
    expected = {}

    def with_defaults(signatures: dict[str, Any]) -> None:
        found = signatures["serving_default"].defaults
        for name, value in values.items():
            found[name].CopyFrom(tf.make_tensor_proto(value))
        for name, signature in signatures.items():
            expected[name] = MessageToDict(
                signature,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )

    save_old(tmp_path / "half/1", with_defaults)
    told = client_of(tmp_path).get("/v1/models/half/metadata").json["metadata"]["signature_def"]
    assert told["signature_def"] == expected
    assert told["signature_def"]["halve"]["defaults"] == {}
    assert told["signature_def"]["serving_default"]["defaults"].keys() == values.keys()


def test_lines_of_csv_are_as_long_as_they_are(tmp_path: Path) -> None:
    import tensorflow as tf

    class Twice(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="x")])
        def serve(self, x: Any) -> Any:
            return {"y": 2 * x}

    twice = Twice()
    tf.saved_model.save(twice, str(tmp_path / "twice/1"), signatures=twice.serve)
    client = client_of(tmp_path)
    for table, rows in (("1,2,3\n4,5,6\n", [[2, 4, 6], [8, 10, 12]]), ("1\n2\n", [[2], [4]])):
        response = client.post("/invocations", data=table, content_type="text/csv")
        assert response.json == {"predictions": rows}
