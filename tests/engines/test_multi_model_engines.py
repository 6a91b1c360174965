"""Real models in processes of their own: OpenVINO and TensorFlow, after a fork."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from kerases import pictures, predicted, small_cnn

from plumbline.machine.cgroups import machine
from plumbline.settings.server_settings import Settings
from plumbline.web.app import create_multi_model_app
from plumbline.web.multi_model_api import many_models
from plumbline.web.wsgi import LOADER

pytestmark = pytest.mark.tensorflow


def constant(folder: Path, scores: list[float]) -> Path:
    """A SavedModel that answers the same for every picture, in the folder of an archive."""
    import tensorflow as tf

    def answer(picture: Any) -> dict[str, Any]:
        return {"scores": tf.tile(tf.constant([scores]), [tf.shape(picture)[0], 1])}

    module = tf.Module()
    module.answer = tf.function(
        answer, input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "picture")]
    )
    tf.saved_model.save(module, str(folder / "1"), {"serving_default": module.answer})
    return folder


@pytest.fixture(scope="module")
def client() -> Iterator[FlaskClient]:
    """A client of a service at its defaults, where another archive's default model is named."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "container"))
        patch.setenv("SAGEMAKER_TFS_DEFAULT_MODEL_NAME", "another archive's")
        settings = Settings(multi_model=True)
        service = many_models(settings, settings.sizes(machine()), LOADER, None)
        yield create_multi_model_app(service).test_client()
        service.hosts.close()


@pytest.fixture(autouse=True)
def unload(client: FlaskClient) -> Iterator[None]:
    """Leave no model to the next test."""
    yield
    for model in client.get("/models").json["models"]:
        assert client.delete(f"/models/{model['modelName']}").status_code == 200


def load(client: FlaskClient, name: str, folder: Path) -> None:
    """Load a model, which must succeed."""
    asked = json.dumps({"model_name": name, "url": str(folder)})
    answer = client.post("/models", data=asked)
    assert answer.status_code == 200, answer.text


def ask(client: FlaskClient, name: str, inputs: np.ndarray) -> np.ndarray:
    """A model's predictions for a batch."""
    body = json.dumps({"instances": inputs.tolist()})
    answer = client.post(f"/models/{name}/invoke", data=body, content_type="application/json")
    assert answer.status_code == 200, answer.text
    return np.array(answer.json["predictions"], np.float32)


def test_each_of_several_models_answers_as_its_own_library(
    client: FlaskClient, tmp_path: Path
) -> None:
    import keras

    cnn = small_cnn(keras)
    cnn.export(tmp_path / "cnn/1", verbose=False)
    cnn.save(tmp_path / "file.keras")
    (tmp_path / "keras").mkdir()
    (tmp_path / "file.keras").rename(tmp_path / "keras/file.keras")
    load(client, "cnn", tmp_path / "cnn")
    load(client, "keras", tmp_path / "keras")
    for number in range(3):
        scores = [float(number), 1.0, 2.0]
        load(client, f"constant{number}", constant(tmp_path / f"constant{number}", scores))

    def check(turn: int) -> None:
        for number in range(3):
            found = ask(client, f"constant{number}", pictures())
            np.testing.assert_array_equal(found, [[number, 1, 2]] * 3)
        for name in ("cnn", "keras"):
            np.testing.assert_allclose(ask(client, name, pictures()), expected, atol=1e-5, rtol=0)

    expected = predicted(cnn, pictures())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(check, range(4)))
    engines = {name: client.get(f"/models/{name}").json["engine"] for name in ("cnn", "constant0")}
    assert engines["constant0"] == "openvino"
    assert engines["cnn"] in ("openvino", "tensorflow")


def test_a_golden_picture_that_differs_is_told_to_whoever_loads(
    client: FlaskClient, tmp_path: Path
) -> None:
    folder = constant(tmp_path / "model", [1.0, 2.0])
    picture = Path(__file__).parents[2] / "local_test/payloads/digit-three.png"
    (folder / "golden").mkdir()
    (folder / "golden/three.png").write_bytes(picture.read_bytes())
    np.savez(folder / "golden/three.png.npz", scores=np.float32([1.0, 2.5]))
    (folder / "plumbline.toml").write_text("[preprocess]\nsize = [8, 8]\n")
    asked = json.dumps({"model_name": "wrong", "url": str(folder)})
    answer = client.post("/models", data=asked)
    assert answer.status_code == 400
    assert answer.json["error"]["code"] == "model_not_loadable"
    assert "three.png" in answer.json["error"]["message"]
    assert client.get("/models").json == {"models": []}

    np.savez(folder / "golden/three.png.npz", scores=np.float32([1.0, 2.0]))
    load(client, "right", folder)


def test_a_folder_without_a_model_is_told_with_what_was_expected(
    client: FlaskClient, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no model here")
    answer = client.post("/models", data=json.dumps({"model_name": "none", "url": str(tmp_path)}))
    assert answer.status_code == 400
    assert "saved_model.pb" in answer.json["error"]["message"]


def test_versions_of_an_archive_are_chosen_as_where_it_is_alone(
    client: FlaskClient, tmp_path: Path
) -> None:
    for version in (1, 2):
        constant(tmp_path / "made", [float(version)])
        (tmp_path / "made/1").rename(tmp_path / f"{version}.tmp")
    for version in (1, 2):
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / f"{version}.tmp").rename(tmp_path / f"model/{version}")
    load(client, "model", tmp_path / "model")

    def version(asked: str) -> Any:
        answer = client.post(
            "/models/model/invoke",
            data=json.dumps({"instances": pictures(count=1).tolist()}),
            content_type="application/json",
            headers={"X-Amzn-SageMaker-Custom-Attributes": asked},
        )
        return answer.json["predictions"]

    assert version("") == version("tfs-model-version=2") == [[2.0]]
    assert version("tfs-model-version=1") == [[1.0]]
