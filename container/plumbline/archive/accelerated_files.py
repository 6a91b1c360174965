"""The folder `accelerated/` of a packed archive: the model's networks in OpenVINO's own format.

`forms.json` says what they are and how they may be computed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from plumbline.errors import ArchiveError
from plumbline.signature import Signature, TensorSpec

FOLDER = "accelerated"
FILE = "forms.json"
GISTS = "gists.npz"
"""What the original's answers to the golden pictures mean, as `Task.agreement` takes it."""

NETWORK = "network.xml"
INT8 = "int8.xml"


@dataclass(frozen=True)
class Form:
    """One way to compute the model."""

    name: str
    network: str
    """The file of its network."""
    precision: str
    """How exactly layers compute that the network leaves in floats."""


FORMS = (
    Form("f32", NETWORK, "f32"),
    Form("bf16", NETWORK, "bf16"),
    Form("int8", INT8, "f32"),
    Form("int8+bf16", INT8, "bf16"),
)
"""Every form that there is, the most exact first."""


@dataclass(frozen=True)
class Accelerated:
    """A model's networks beside it in `folder`, and the forms that are within the budget."""

    folder: Path
    model: str
    """Where the model lies that they were made of, relative to the archive."""
    signature_name: str
    signature: Signature
    forms: Mapping[Form, float]
    """Each, and its agreement with the original on the golden pictures when it was packed."""
    aliases: frozenset[str] = frozenset()
    """Other signatures of the model that are the same function, as Keras 3 exports it twice."""


def in_order(forms: Iterable[Form], chosen: str) -> Iterator[Sequence[Form]]:
    """Those among which the fastest is chosen, and then those that are left if none of them does.

    What has been `chosen` already comes first, and then the forms of one network after the other:
    the more compact is hardly ever slower.
    """
    yield [form for form in forms if form.name == chosen]
    for _, alike in groupby(forms, key=lambda form: form.network):
        yield [form for form in alike if form.name != chosen]


class Choice:
    """The form that the first process of a server has chosen, in a folder that they share."""

    def __init__(self, folder: Path | None) -> None:
        self._file = folder and folder / "form"

    @property
    def name(self) -> str:
        """Its name; empty until there is one."""
        return self._file.read_text("utf-8") if self._file and self._file.is_file() else ""

    def keep(self, name: str) -> None:
        """Let the others know; without room for the file each chooses by itself."""
        if self._file:
            with suppress(OSError):
                self._file.parent.mkdir(exist_ok=True)
                self._file.write_text(name, "utf-8")


def write(found: Accelerated, measured: Sequence[Mapping[str, Any]]) -> None:
    """Write `forms.json` beside the networks; `measured` is for people to read."""
    document = {
        "model": found.model,
        "signature_name": found.signature_name,
        **asdict(found.signature),
        "aliases": sorted(found.aliases),
        "forms": [
            {**asdict(form), "golden_agreement": agreement}
            for form, agreement in found.forms.items()
        ],
        "measured": list(measured),
    }
    (found.folder / FILE).write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def read(root: Path) -> Accelerated | None:
    """What the archive in the folder `root` has; None if nothing. Raises `ArchiveError`."""
    file = root / FOLDER / FILE
    if not file.is_file():
        return None
    try:
        document = json.loads(file.read_text("utf-8"))
        forms = {form(one): float(one["golden_agreement"]) for one in document["forms"]}
        found = Accelerated(
            file.parent,
            str(document["model"]),
            str(document["signature_name"]),
            signature(document),
            {one: agreement for one, agreement in forms.items() if one in FORMS},
            frozenset(map(str, document.get("aliases", ()))),
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise ArchiveError(
            f"{FOLDER}/{FILE} is damaged; pack the archive again, or delete {FOLDER}/."
        ) from exc
    return found


def weight(root: Path) -> int | None:
    """Bytes of the largest network that the archive has; None if it has none, or a damaged one."""
    try:
        found = read(root)
        forms = found.forms if found else ()
        files = [(root / FOLDER / form.network).with_suffix(".bin") for form in forms]
        return max((file.stat().st_size for file in files), default=None)
    except (ArchiveError, OSError):  # which loading will tell
        return None


def form(document: Mapping[str, Any]) -> Form:
    """A form as it was written."""
    return Form(str(document["name"]), str(document["network"]), str(document["precision"]))


def signature(document: Mapping[str, Any]) -> Signature:
    """A signature as `dataclasses.asdict` makes a document of it."""
    inputs, outputs = (
        tuple(
            TensorSpec(str(one["name"]), tuple(one["shape"]), str(one["dtype"]))
            for one in document[side]
        )
        for side in ("inputs", "outputs")
    )
    return Signature(inputs, outputs)
