"""What SageMaker's TensorFlow Serving container is tested with, as questions to a server of ours.

The cases are those of its public tests (`test/integration/local/test_container.py` and
`test_multi_tfs.py` of aws/sagemaker-tensorflow-serving-container), with the answers that they
demand. Where an answer is otherwise here, docs/tensorflow-serving.md says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from half_plus import save_half_plus

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"

MODELS = {
    "half_plus_three/00000123": 3.0,
    "half_plus_three/00000124": 3.0,
    "half_plus_two/00000123": 2.0,
}
"""The folders of the archive, each with what its model adds to half of x."""

TWICE = [[3.5, 4.0, 5.5], [3.5, 4.0, 5.5]]
LINES = "[1.0, 2.0, 5.0]\n[1.0, 2.0, 5.0]"
INSTANCES = {"instances": [1.0, 2.0, 5.0]}
REGRESS = "tensorflow/serving/regress"

WIDE = [",".join(["0.0,1.0"] * 14 + [end]) for end in ("0.0,0.0", "6.0,0.0")]


def halves(line: str) -> list[float]:
    """Half of each number in a line of CSV, plus three."""
    return [float(cell) / 2 + 3 for cell in line.split(",")]


@dataclass(frozen=True)
class Case:
    """A request, and the document that answers it."""

    body: str
    found: Any
    content_type: str = "application/json"
    method: str = "predict"
    version: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers, in which the model is named."""
        version = f",tfs-model-version={self.version}" if self.version else ""
        attributes = f"tfs-model-name=half_plus_three,tfs-method={self.method}{version}"
        return {"Content-Type": self.content_type, ATTRIBUTES: attributes}


def regress(*values: float) -> str:
    """The body that asks for a regression of each value."""
    return json.dumps({"signature_name": REGRESS, "examples": [{"x": value} for value in values]})


CASES: dict[str, Case] = {
    "predict": Case(json.dumps(INSTANCES), {"predictions": [3.5, 4.0, 5.5]}),
    "version 123": Case(json.dumps(INSTANCES), {"predictions": [3.5, 4.0, 5.5]}, version=123),
    "version 124": Case(json.dumps(INSTANCES), {"predictions": [3.5, 4.0, 5.5]}, version=124),
    "two instances": Case(
        json.dumps({"instances": [[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]]}), {"predictions": TWICE}
    ),
    "jsons as json": Case(LINES, {"predictions": TWICE}),
    "jsonlines": Case(LINES, {"predictions": TWICE}, "application/jsonlines"),
    "jsons": Case(LINES, {"predictions": TWICE}, "application/jsons"),
    "objects as json": Case(
        '{"x": [1.0, 2.0, 5.0]}\n{"x": [1.0, 2.0, 5.0]}', {"predictions": TWICE}
    ),
    "generic json": Case("[1.0, 2.0, 5.0]", {"predictions": [[3.5, 4.0, 5.5]]}),
    "generic json of two": Case("[[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]]", {"predictions": TWICE}),
    "csv": Case("1.0", {"predictions": [3.5]}, "text/csv"),
    "csv with zero": Case("0.0", {"predictions": [3.0]}, "text/csv"),
    "csv of three values with zero": Case(
        "0.0,2.0,5.0", {"predictions": [[3.0, 4.0, 5.5]]}, "text/csv"
    ),
    "csv of three values": Case("1.0,2.0,5.0", {"predictions": [[3.5, 4.0, 5.5]]}, "text/csv"),
    "csv of two instances": Case("1.0,2.0,5.0\n1.0,2.0,5.0", {"predictions": TWICE}, "text/csv"),
    "csv of three instances": Case("1.0\n2.0\n5.0", {"predictions": [3.5, 4.0, 5.5]}, "text/csv"),
    "wide csv": Case("\n".join([*WIDE, ""]), {"predictions": list(map(halves, WIDE))}, "text/csv"),
    "regress": Case(regress(1.0, 2.0), {"results": [3.5, 4.0]}, method="regress"),
    "regress one": Case(regress(1.0), {"results": [3.5]}, method="regress"),
    "regress by a signature of floats": Case(
        regress(1.0, 2.0).replace(REGRESS, "regress_x_to_y"),
        {"results": [3.5, 4.0]},
        method="regress",
    ),
}

REFUSED: dict[str, tuple[str, str]] = {
    "no json": ("whatever", ""),
    "junk": (
        json.dumps({"junk": "data"}),
        "Failed to process element: 0 key: junk of 'instances' list.",
    ),
}
"""Bodies, and how the error begins that answers them."""


def save_models(folder: Path) -> Path:
    """Write the archive of the models; the same folder."""
    for place, offset in MODELS.items():
        save_half_plus(folder / place, offset)
    return folder
