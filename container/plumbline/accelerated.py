"""The folder `accelerated/` of a packed archive: the network in OpenVINO's own format.

`forms.json` says what it is and how it may be computed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plumbline.errors import ArchiveError
from plumbline.signature import Signature, TensorSpec

FOLDER = "accelerated"
FILE = "forms.json"
NETWORK = "network.xml"

PRECISIONS = ("f32", "bf16")
"""How exactly layers may compute, the most exactly first."""


@dataclass(frozen=True)
class Accelerated:
    """A model's network beside it, and the precisions that are within the budget."""

    network: Path
    model: str
    """Where the model lies that it was made of, relative to the archive."""
    signature_name: str
    signature: Signature
    precisions: tuple[str, ...]


def write(folder: Path, found: Accelerated, measured: Sequence[Mapping[str, Any]]) -> None:
    """Write `forms.json` beside the network; `measured` is for people to read."""
    document = {
        "network": found.network.name,
        "model": found.model,
        "signature_name": found.signature_name,
        "inputs": [asdict(spec) for spec in found.signature.inputs],
        "outputs": [asdict(spec) for spec in found.signature.outputs],
        "precisions": list(found.precisions),
        "measured": list(measured),
    }
    (folder / FILE).write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def read(root: Path) -> Accelerated | None:
    """What the archive in the folder `root` has; None if nothing. Raises `ArchiveError`."""
    file = root / FOLDER / FILE
    if not file.is_file():
        return None
    try:
        document = json.loads(file.read_text("utf-8"))
        found = Accelerated(
            file.with_name(NETWORK),
            str(document["model"]),
            str(document["signature_name"]),
            Signature(specs(document["inputs"]), specs(document["outputs"])),
            tuple(name for name in document["precisions"] if name in PRECISIONS),
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise ArchiveError(
            f"{FOLDER}/{FILE} is damaged; pack the archive again, or delete {FOLDER}/."
        ) from exc
    return found


def specs(documents: Any) -> tuple[TensorSpec, ...]:
    """Tensors as they were written."""
    return tuple(
        TensorSpec(str(one["name"]), tuple(one["shape"]), str(one["dtype"])) for one in documents
    )
