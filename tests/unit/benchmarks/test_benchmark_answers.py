"""Whether a contender's answer is right."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import answers
from peers.shared import Declaration, encode, prepared

SCORES = np.array([0.01, 0.3, 0.05, 0.2, 0.15, 0.24, 0.05], np.float32)
CLASSES = Declaration((4, 6), "bilinear", 255.0, 0.0, "classes")
TENSOR = Declaration((4, 6), "bilinear", 127.5, 1.0, "tensor")


def test_what_peers_say_of_scores_is_right() -> None:
    body, content_type = encode(SCORES, CLASSES)
    assert content_type == "application/json"
    assert answers.difference(body, SCORES, "classes") == 0.0


def test_scores_that_are_off_are_seen() -> None:
    body, _ = encode(SCORES + np.float32(0.01), CLASSES)
    assert answers.difference(body, SCORES, "classes") == pytest.approx(0.01, abs=1e-6)


def test_other_classes_than_the_best_are_seen() -> None:
    body, _ = encode(SCORES[::-1], CLASSES)
    assert answers.difference(body, SCORES, "classes") > 0.1


def test_fewer_than_five_classes_are_wrong() -> None:
    body = json.dumps({"predictions": [{"classes": [{"class_id": 1, "score": 0.3}]}]}).encode()
    assert answers.difference(body, SCORES, "classes") == answers.WRONG


def test_tensors_are_compared_without_their_leading_axis() -> None:
    tensor = np.arange(12, dtype=np.float32).reshape(3, 4)
    body, content_type = encode(tensor, TENSOR)
    assert content_type == "application/x-npy"
    assert answers.difference(body, tensor, "tensor") == 0.0
    assert answers.difference(body, tensor + 2, "tensor") == 2.0
    assert answers.difference(body, tensor[:2], "tensor") == answers.WRONG


@pytest.mark.parametrize("declaration", [CLASSES, TENSOR])
def test_v2_wraps_pictures_and_unwraps_both_kinds_of_answers(declaration: Declaration) -> None:
    sent = json.loads(answers.in_v2(b"\xff\xd8picture"))["inputs"][0]
    assert base64.b64decode(sent["data"][0]) == b"\xff\xd8picture"
    body, content_type = encode(SCORES, declaration)
    is_text = content_type == "application/json"
    text = body.decode() if is_text else base64.b64encode(body).decode()
    assert answers.out_of_v2(json.dumps({"outputs": [{"data": [text]}]}).encode()) == body


def test_a_form_is_written_beside_the_log(tmp_path: Path) -> None:
    picture = tmp_path / "cat.jpg"
    picture.write_bytes(b"picture")
    assert answers.write("picture", picture, tmp_path).read_bytes() == b"picture"
    assert answers.write("v2", picture, tmp_path).read_bytes() == answers.in_v2(b"picture")


def test_pictures_become_tensors_as_pillow_makes_them() -> None:
    picture = Image.effect_noise((20, 10), 60).convert("RGB")
    expected = np.asarray(picture.resize((6, 4), Image.Resampling.BILINEAR), np.float32) / 127.5 - 1
    assert np.array_equal(prepared(picture, TENSOR), expected)
