"""The contract, over the network, with the demo's model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from running_container import Running

pytestmark = [pytest.mark.docker, pytest.mark.tensorflow]

ALL = {"X-Amzn-SageMaker-Custom-Attributes": "top_k=10"}

NATIVE = re.compile(r"WARNING: All log messages before absl|I0000 .* oneDNN custom operations")
"""TensorFlow's library says that it uses oneDNN as it is loaded, whatever TF_CPP_MIN_LOG_LEVEL."""

LABELS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def in_order(scores: dict[str, float]) -> list[float]:
    """The scores in the order of the classes."""
    return [scores[label] for label in LABELS]


def test_pictures_are_read_as_keras_reads_them(
    server: Running, demo, expect: Callable[[bytes], np.ndarray], jpeg: Callable[[bytes], bytes]
) -> None:
    for label, png in demo.pictures.items():
        for picture, kind in ((png, "image/png"), (jpeg(png), "image/jpeg")):
            scores = server.invoke(picture, kind, **ALL).scores
            assert next(iter(scores)) == label
            np.testing.assert_allclose(in_order(scores), expect(picture), rtol=0, atol=1e-5)


def test_the_same_picture_gives_the_same_bytes(server: Running, demo) -> None:
    picture = demo.pictures["eight"]
    with ThreadPoolExecutor(8) as pool:
        answers = {answer.body for answer in pool.map(server.invoke, [picture] * 32)}
    assert len(answers) == 1


def test_tensors_in_json_are_answered_as_tensorflow_serving_does(server: Running) -> None:
    black = np.zeros((2, 32, 32, 3)).tolist()
    answer = server.invoke(json.dumps({"instances": black}).encode(), "application/json")
    predictions = np.array(answer.document["predictions"])
    assert predictions.shape == (2, 10)
    np.testing.assert_allclose(predictions.sum(axis=1), 1, atol=1e-5)


def test_what_can_not_be_read_is_refused(server: Running, demo) -> None:
    picture = demo.pictures["one"]
    refused = {
        413: server.invoke(bytes(26 * 1024 * 1024), "image/png"),
        415: server.invoke(picture, "text/html"),
        400: server.invoke(b"no picture", "image/png"),
    }
    assert {status: answer.status for status, answer in refused.items()} == {
        status: status for status in refused
    }
    assert server.invoke(picture, "image/png").status == 200


def test_the_page_is_off_and_the_server_says_what_it_serves(server: Running) -> None:
    assert server.ask("GET", "/").document["state"] == "ready"
    assert server.ask("GET", "/page.js").status == 404
    assert server.ask("GET", "/about").document["model"]["labels"] == [*LABELS]
    assert "/invocations" in server.ask("GET", "/openapi.json").document["paths"]


def test_every_line_of_the_log_is_json(server: Running, demo) -> None:
    server.invoke(demo.pictures["two"])
    ours = [line for line in server.said().splitlines() if not NATIVE.match(line)]
    lines = [json.loads(line) for line in ours]
    assert {"time", "level", "message"} <= set.intersection(*map(set, lines))
    request = [line for line in lines if "ms" in line][-1]
    assert request["status"] == 200
    assert set(request["ms"]) == {"decode", "preprocess", "wait", "infer", "encode", "total"}
