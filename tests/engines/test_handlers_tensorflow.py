"""Handlers around models that TensorFlow computes, as people run them on SageMaker."""

from __future__ import annotations

import io
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from PIL import Image
from rich.console import Console
from werkzeug.test import TestResponse

import moto_server
from plumbline.archive.tarball import unpack
from plumbline.cli import main
from plumbline.errors import GoldenMismatch
from plumbline.handlers.handler_choice import CodeTerms
from plumbline.loading.inspection import inspect
from plumbline.loading.inspection_report import document, show
from plumbline.loading.loader import load_models
from plumbline.loading.served_model import ServedModel
from plumbline.loading.terms import Terms
from plumbline.packing.assembly import Contents, GoldenPicture, pack
from plumbline.pipeline.admission import Admission
from plumbline.settings.server_settings import Settings
from plumbline.web import loopback_api
from plumbline.web.app import create_app
from tensorflow_serving_cases import save_models

pytestmark = pytest.mark.tensorflow

ZOO = Path(__file__).parents[1] / "handlers_zoo"

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.fixture(scope="module", autouse=True)
def imports() -> Iterator[None]:
    """Leave the path as it was."""
    path = list(sys.path)
    yield
    sys.path[:] = path


def client_of(folder: Path) -> FlaskClient:
    """A client of a server that has loaded the folder."""

    def load(say: Callable[[str], None]) -> Any:
        rest = partial(loopback_api.serve, model, Settings())
        return load_models(folder, Terms(code=CodeTerms(rest=rest)), say)

    model = ServedModel(load)
    model.load(on_failure=lambda: pytest.fail(model.status.reason))
    return create_app(model, Admission(2, 4), Settings()).test_client()


@pytest.fixture(scope="module", params=["suite_parts", "suite_whole"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A client of the models of the container's own tests, each with one of its handlers."""
    folder = save_models(tmp_path_factory.mktemp("models"))
    shutil.copytree(ZOO / request.param, folder / "code")
    return client_of(folder)


def post(
    client: FlaskClient, body: str, content_type: str, version: int | None = None
) -> TestResponse:
    """As those tests ask."""
    attributes = "tfs-model-name=half_plus_three,tfs-method=predict"
    attributes += f",tfs-model-version={version}" if version else ""
    headers = {ATTRIBUTES: attributes}
    return client.post("/invocations", data=body, content_type=content_type, headers=headers)


@pytest.mark.parametrize("version", [None, 123, 124])
def test_numbers_are_answered_by_every_version(client: FlaskClient, version: int | None) -> None:
    answer = post(client, '{"instances": [1.0, 2.0, 5.0]}', "application/json", version)
    assert answer.get_json() == {"predictions": [3.5, 4.0, 5.5]}


def test_csv_is_what_the_handler_makes_of_it(client: FlaskClient) -> None:
    answer = post(client, "1.0,2.0,5.0", "text/csv")
    assert answer.get_json() == {"predictions": [3.5, 4.0, 5.5]}


def test_as_many_numbers_as_the_handler_makes_are_computed(client: FlaskClient) -> None:
    answer = post(client, ",".join(["1.0"] * 753_936), "text/csv")
    assert answer.get_json()["predictions"] == [3.5] * 753_936


@pytest.mark.parametrize(
    ("client", "status"), [("suite_parts", 400), ("suite_whole", 500)], indirect=["client"]
)
def test_nothing_is_refused_in_tensorflow_servings_words(client: FlaskClient, status: int) -> None:
    """The handler in two parts is not asked about it, and the one that asks raises by itself."""
    answer = post(client, "", "application/json")
    assert (answer.status_code, "document is empty" in answer.text) == (status, True)


def test_the_handlers_own_refusal_reaches_the_caller(client: FlaskClient) -> None:
    answer = post(client, "aW1hZ2UgYnl0ZXM=", "unsupported-type")
    assert (answer.status_code, "unsupported content type" in answer.text) == (500, True)


def test_a_keras_file_is_loaded_by_the_handler_of_a_public_repository(
    keras_files: Any, images: np.ndarray, tmp_path: Path
) -> None:
    shutil.copytree(ZOO / "public_keras", tmp_path / "code")
    shutil.copy(keras_files.keras, tmp_path)
    answer = client_of(tmp_path).post("/invocations", json={"inputs": images.tolist()})
    assert answer.status_code == 200, answer.text
    np.testing.assert_allclose(answer.get_json(), keras_files.predict(images), atol=1e-6)


@pytest.fixture(scope="module")
def ssd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that finds its third prior wherever the picture is red, and its handler."""
    import tensorflow as tf

    class Detector(tf.Module):
        """Three priors; rows of offsets, scores, prior and variances."""

        @tf.function(input_signature=[tf.TensorSpec([None, 300, 300, 3], tf.float32, "images")])
        def serve(self, images: Any) -> dict[str, Any]:
            red = tf.reduce_mean(images[..., 0], [1, 2]) * 0.5 + 0.5
            scores = tf.stack([1 - red, red * 0.1, red * 0.9], axis=1)
            corners = tf.constant([[0, 0, 0.2, 0.2], [0.4, 0.4, 0.6, 0.6], [0.1, 0.2, 0.5, 0.8]])
            fixed = tf.concat([corners, tf.tile([[0.1, 0.1, 0.2, 0.2]], [3, 1])], axis=1)
            there = tf.stack([tf.zeros_like(scores), tf.zeros_like(scores), scores], axis=1)
            count = tf.shape(images)[0]
            rows = [tf.zeros([count, 3, 4]), there, tf.tile(fixed[None], [count, 1, 1])]
            return {"predictions": tf.concat(rows, axis=2)}

    folder = tmp_path_factory.mktemp("ssd")
    module = Detector()
    tf.saved_model.save(module, str(folder / "ssd" / "1"), signatures=module.serve)
    shutil.copytree(ZOO / "detector", folder / "code")
    return folder


def test_a_detector_reads_pictures_from_s3_and_decodes_its_boxes(
    ssd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (640, 480), (255, 0, 0)).save(stream, "PNG")
    with moto_server.serving() as url:
        for name, value in moto_server.environment(url).items():
            monkeypatch.setenv(name, value)
        s3 = boto3.client("s3")
        place = {"LocationConstraint": moto_server.REGION}
        s3.create_bucket(Bucket="photos", CreateBucketConfiguration=place)
        s3.put_object(Bucket="photos", Key="red.png", Body=stream.getvalue())

        answer = client_of(ssd).post("/invocations", json={"image": "s3://photos/red.png"})

    (row,) = answer.get_json()["prediction"]
    np.testing.assert_allclose(row, [2, 0.9, 0.1, 0.2, 0.5, 0.8], atol=1e-5)


def test_inspect_says_what_the_handler_replaces_and_does_not_run_it(
    ssd: Path, tmp_path: Path
) -> None:
    shutil.copytree(ssd, tmp_path / "model")
    file = tmp_path / "model" / "code" / "inference.py"
    file.write_text("raise SystemExit('it was run')\n" + file.read_text())
    found = inspect(tmp_path / "model")
    stream = io.StringIO()
    show(found, Console(file=stream, width=100))

    assert document(found)["handler"] == {
        "file": "code/inference.py",
        "replaces": {
            "input_handler": "reading the request: it writes one to TensorFlow Serving",
            "output_handler": "writing the answer, from that of TensorFlow Serving",
        },
    }
    said = " ".join(stream.getvalue().split())
    assert "code/inference.py: Python code, which runs in the server" in said
    assert "1 call input_handler, output_handler in code/inference.py" in said


@pytest.fixture
def scaled(tmp_path: Path) -> Path:
    """Code whose input_fn prepares pictures as no plumbline.toml says."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "inference.py").write_text(
        "import io\n\nimport numpy as np\nfrom PIL import Image\n\n\n"
        "def input_fn(data, content_type):\n"
        "    picture = Image.open(io.BytesIO(data)).convert('RGB').resize((8, 8), Image.LANCZOS)\n"
        "    return np.sqrt(np.asarray(picture, np.float32))[np.newaxis] / 16\n"
    )
    return code


def goldens(folder: Path, predict: Callable[[Any], Any], divisor: float) -> Iterator[GoldenPicture]:
    """Pictures, and what the notebook's own code gives for them."""
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 30, 3), np.uint8)
        file = folder / f"{number}.png"
        Image.fromarray(pixels).save(file)
        small = Image.fromarray(pixels).resize((8, 8), Image.Resampling.LANCZOS)
        values = np.sqrt(np.asarray(small, np.float32))[np.newaxis] / divisor
        yield GoldenPicture(file, predict(values)[0])


def test_packing_proves_the_handler_with_golden_pictures_and_loading_does_again(
    keras_files: Any, scaled: Path, tmp_path: Path
) -> None:
    right = tuple(goldens(tmp_path, keras_files.predict, 16))
    contents = Contents(keras_files.saved_model, "", goldens=right, place="1", code=scaled)

    report = pack(contents, tmp_path / "model.tar.gz")

    assert not report.wrong
    assert "code/inference.py" in report.files
    folder = tmp_path / "unpacked"
    folder.mkdir()
    unpack(tmp_path / "model.tar.gz", folder)
    answer = client_of(folder).post(
        "/invocations", data=right[0].picture.read_bytes(), content_type="application/x-image"
    )
    np.testing.assert_allclose(answer.get_json()["predictions"][0], right[0].expected, atol=1e-5)


def test_packing_refuses_a_handler_that_reads_pictures_otherwise(
    keras_files: Any, scaled: Path, tmp_path: Path
) -> None:
    wrong = tuple(goldens(tmp_path, keras_files.predict, 255))
    contents = Contents(keras_files.saved_model, "", goldens=wrong, place="1", code=scaled)
    with pytest.raises(GoldenMismatch, match="3 of 3 golden pictures come out wrong"):
        pack(contents, tmp_path / "model.tar.gz")
    assert not (tmp_path / "model.tar.gz").exists()


def test_the_command_packs_the_code(keras_files: Any, scaled: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.tar.gz"
    command = ["pack", str(keras_files.keras), "--code", str(scaled), "--out", str(out)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    with tarfile.open(out) as packed:
        assert "code/inference.py" in packed.getnames()
        assert not [name for name in packed.getnames() if "__pycache__" in name]
