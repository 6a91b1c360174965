"""How contenders want a picture, how they answer, and how far that is from TensorFlow."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from peers.shared import JSON, NPY, TOP

WRONG = float("inf")


@dataclass(frozen=True)
class Form:
    """A way to send a picture, and to read what comes back."""

    content_type: str
    wrap: Callable[[bytes], bytes]
    unwrap: Callable[[bytes], bytes]


def in_v2(picture: bytes) -> bytes:
    """A request of the V2 protocol with the picture in base64."""
    text = base64.b64encode(picture).decode()
    sent = {"name": "picture", "shape": [1, 1], "datatype": "BYTES", "data": [text]}
    return json.dumps({"inputs": [sent]}).encode()


def out_of_v2(body: bytes) -> bytes:
    """The text of a V2 answer; a tensor is in base64."""
    (text,) = json.loads(body)["outputs"][0]["data"]
    return text.encode() if text.startswith("{") else base64.b64decode(text)


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "picture": Form("image/jpeg", bytes, bytes),
        "v2": Form(JSON, in_v2, out_of_v2),
    }
)


def write(form: str, picture: Path, folder: Path) -> Path:
    """The file with the body that a form makes of a picture."""
    file = folder / f"{picture.stem}.{form}"
    file.write_bytes(FORMS[form].wrap(picture.read_bytes()))
    return file


def accept(answer: str) -> str:
    """The media type to ask for, for a model's kind of answer."""
    return JSON if answer == "classes" else NPY


def difference(body: bytes, expected: np.ndarray, answer: str) -> float:
    """The largest difference of any value; infinite where the answer is another one altogether."""
    if answer == "classes":
        return of_classes(json.loads(body)["predictions"][0]["classes"], expected)
    found = np.load(io.BytesIO(body)).reshape(-1)
    if found.size != expected.size:
        return WRONG
    return float(np.abs(found - expected.reshape(-1)).max())


def of_classes(found: list[dict[str, float]], scores: np.ndarray) -> float:
    """How far the five best are from what the scores say of them, and of their order."""
    numbers = [int(each["class_id"]) for each in found]
    if len(set(numbers)) != TOP:
        return WRONG
    said = np.array([each["score"] for each in found])
    best = np.sort(scores)[::-1][:TOP]
    return float(max(np.abs(said - scores[numbers]).max(), np.abs(said - best).max()))
