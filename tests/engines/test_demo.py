"""The demo from end to end: trained, packed, served, asked, and compared with the notebook."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).parents[2]

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "container")}

LABELS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture(scope="module")
def port(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where `plumbline serve` serves the demo's archive, ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    log = tmp_path_factory.mktemp("log") / "server.log"
    command = [sys.executable, "-m", "plumbline", "serve", demo / "model.tar.gz"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "--port", str(port)], env=ENVIRONMENT, stdout=output, stderr=output
        )
    try:
        end = time.monotonic() + 120
        while not is_ready(port):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0, log.read_text()


def ask(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of an answer; all ten classes are asked for."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {
        "Content-Type": "image/png",
        "X-Amzn-SageMaker-Custom-Attributes": "top_k=10",
    }
    try:
        connection.request(method, path, body, headers)
        with connection.getresponse() as response:
            return response.status, response.read()
    finally:
        connection.close()


def is_ready(port: int) -> bool:
    """Whether a ping says 200."""
    try:
        return ask(port, "GET", "/ping")[0] == 200
    except OSError:
        return False


def notebook_input(picture: Path) -> np.ndarray:
    """The notebook's own preprocessing, written out."""
    with Image.open(picture) as opened:
        small = opened.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32)[np.newaxis] / 255


def test_the_server_answers_as_the_notebook_did(demo: Path, port: int) -> None:
    import keras

    network = keras.models.load_model(demo / "digits.keras")
    pictures = sorted((demo / "pictures").glob("*.png"))
    assert {picture.stem for picture in pictures} == set(LABELS)
    for picture in pictures:
        status, body = ask(port, "POST", "/invocations", picture.read_bytes())
        assert status == 200
        classes = json.loads(body)["predictions"][0]["classes"]
        scores = {found["label"]: found["score"] for found in classes}
        (expected,) = network.predict(notebook_input(picture), verbose=0)
        assert classes[0]["label"] == picture.stem
        np.testing.assert_allclose([scores[label] for label in LABELS], expected, rtol=0, atol=1e-5)


def test_the_page_is_there_and_what_it_tells_is_what_was_proven(demo: Path, port: int) -> None:
    status, page = ask(port, "GET", "/")
    assert (status, b"<title>Plumbline</title>" in page) == (200, True)

    told = json.loads(ask(port, "GET", "/about")[1])
    command = [sys.executable, "-m", "plumbline", "inspect", "--json", demo / "model.tar.gz"]
    done = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    inspected = json.loads(done.stdout)
    model = told["model"]
    assert told["state"] == "ready"
    assert (model["labels"], model["size"]) == ([*LABELS], [32, 32])
    assert model["stages"] == inspected["stages"]
    assert (model["engine"], model["precision"]) in (
        *(("openvino", form) for form in inspected["accelerated"]),
        ("tensorflow", None),
    )
    golden = model["golden"]
    assert golden["pictures"] == inspected["golden"]["pictures"]
    assert 0 <= golden["worst_ratio"] <= 1
    with tarfile.open(demo / "model.tar.gz") as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest
        digest = hashlib.sha256(manifest.read()).hexdigest()
    assert told["archive"] == digest[:12]
