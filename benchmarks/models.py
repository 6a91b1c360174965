"""The models that are served: a SavedModel, its archive, and what TensorFlow answers for each.

    python benchmarks/models.py build/bench mobilenet-v2

makes one; `servers.py` calls it for each model in a process of its own, which gives its memory
back.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

import crops
import pictures
from peers.shared import Declaration, pixels

HERE = Path(__file__).parent
SOURCES = ("models.py", "networks.py", "crops.py", "pictures.py", "peers/shared.py")


@dataclass(frozen=True)
class Model:
    """What is said of a model, once for the peers and once for Plumbline."""

    title: str
    picture: str
    """The picture that it is for; the others are sent to it too, in the full form."""
    declaration: Declaration
    spec: str
    meaning: str = ""
    """What the outputs of a raw task are, so that agreement can be measured."""


EXACT = "exact"
"""The archive with Plumbline's default budget."""

BUDGETS: Mapping[str, float] = MappingProxyType({EXACT: 1.0, "98": 0.98, "99.5": 0.995})
"""The least agreement of the forms in each archive, the generous one first."""

CLASSIFIER = """\
task = "classification"

[model]
path = "saved_model"

[preprocess]
exif = false
normalize = "{normalize}"

[classification]
top_k = 5
"""

GENEROUS = """\
[acceleration]
max_difference = inf
min_agreement = {}
"""

TENSOR = """\
task = "raw"

[model]
path = "saved_model"

[preprocess]
exif = false
{preprocess}

[golden]
tolerance = 1e-4
"""

MODELS: Mapping[str, Model] = MappingProxyType(
    {
        "cifar-cnn": Model(
            "CIFAR-10 CNN",
            "32px",
            Declaration((32, 32), "bilinear", 255.0, 0.0, "classes"),
            CLASSIFIER.format(normalize="unit"),
        ),
        "mobilenet-v2": Model(
            "MobileNetV2",
            "640x480",
            Declaration((224, 224), "bilinear", 127.5, 1.0, "classes"),
            CLASSIFIER.format(normalize="tf"),
        ),
        "resnet-50": Model(
            "ResNet-50",
            "640x480",
            Declaration((224, 224), "bilinear", 127.5, 1.0, "classes"),
            CLASSIFIER.format(normalize="tf"),
        ),
        "ssdlite": Model(
            "Xception-SSDLite",
            "640x480",
            Declaration((300, 300), "bilinear", 127.5, 1.0, "tensor"),
            TENSOR.format(preprocess='normalize = "tf"'),
            'task = "detection"\ndetection = {format = "ssd", score_threshold = 0.5}\n',
        ),
        "unet": Model(
            "U-Net 128",
            "640x480",
            Declaration((128, 128), "bicubic", 256.0, 0.0, "tensor"),
            TENSOR.format(preprocess='resize = "pillow-bicubic"\nnormalize = {divisor = 256}'),
            'task = "segmentation"\n',
        ),
    }
)


@dataclass(frozen=True)
class Made:
    """Where a model's files lie."""

    folder: Path

    @property
    def served(self) -> Path:
        """What peers are given: `saved_model/` and `declaration.json`."""
        return self.folder / "peers"

    def archive(self, budget: str) -> Path:
        """What Plumbline is given, as SageMaker unpacks it."""
        return self.folder / f"archive-{budget}"

    def expected(self, picture: str) -> np.ndarray:
        """What TensorFlow answers for a picture, without the batch axis."""
        return np.asarray(np.load(self.folder / f"{picture}.npy"))


def made(out: Path, name: str) -> Made:
    """The place of a model below the benchmark's folder."""
    return Made(out / "models" / name)


def is_fresh(target: Made) -> bool:
    """Whether it was made by the code as it is now."""
    complete = target.folder / "complete"
    return complete.exists() and complete.read_text() == digest()


def digest() -> str:
    """The SHA-256 of what makes the models."""
    return hashlib.sha256(b"".join((HERE / name).read_bytes() for name in SOURCES)).hexdigest()


def make(out: Path, name: str) -> None:
    """Build, export, ask and pack a model."""
    from networks import build
    from plumbline.engines.keras_export import export
    from plumbline.packing.assembly import GoldenPicture

    target, chosen = made(out, name), MODELS[name]
    shutil.rmtree(target.folder, ignore_errors=True)
    target.served.mkdir(parents=True)
    files = pictures.write(out / "pictures")
    inputs = {
        picture: pixels(file.read_bytes(), chosen.declaration) for picture, file in files.items()
    }
    files_of_crops = crops.write(out / "crops")
    seen = np.stack([pixels(file.read_bytes(), chosen.declaration) for file in files_of_crops])
    model = build(name, seen, np.array([crops.class_of(file) for file in files_of_crops]))
    for picture, tensor in inputs.items():
        answer = np.asarray(model(tensor[np.newaxis], training=False))[0]
        np.save(target.folder / f"{picture}.npy", answer)
    declared = json.dumps(asdict(chosen.declaration), indent=2)
    (target.served / "declaration.json").write_text(declared + "\n")
    export(model, target.served / "saved_model")
    golden = GoldenPicture(files[chosen.picture], target.expected(chosen.picture))
    for budget in BUDGETS:
        if budget == "99.5" and kept_agreement(target.archive("98")) >= BUDGETS[budget]:
            shutil.copytree(target.archive("98"), target.archive(budget))
        else:
            lay_out(target, chosen, golden, budget, files_of_crops)
    (target.folder / "complete").write_text(digest())


def lay_out(target: Made, chosen: Model, golden: Any, budget: str, seen: Sequence[Path]) -> None:
    """The archive with the forms that are within a budget."""
    from plumbline.archive.tarball import unpack
    from plumbline.packing.assembly import Contents, pack

    contents = Contents(target.served / "saved_model", spec=chosen.spec, goldens=(golden,))
    if budget != EXACT:
        meant = chosen.spec.replace('task = "raw"\n', chosen.meaning)
        spec = f"{meant}\n{GENEROUS.format(BUDGETS[budget])}"
        contents = replace(contents, spec=spec, calibration=tuple(seen))
    pack(contents, target.folder / "model.tar.gz")
    unpack(target.folder / "model.tar.gz", target.archive(budget))
    if budget != EXACT and chosen.meaning:
        answer_tensors(target.archive(budget), chosen)


def kept_agreement(archive: Path) -> float:
    """The least agreement of any form that an archive has kept; 1 where it has kept none.

    What keeps no form with a generous budget keeps none with a smaller one.
    """
    forms = archive / "accelerated" / "forms.json"
    if not forms.exists():
        return 1.0
    said = json.loads(forms.read_text())
    kept = {form["name"] for form in said["forms"]}
    return min(float(each["agreement"]) for each in said["measured"] if each["name"] in kept)


def answer_tensors(archive: Path, chosen: Model) -> None:
    """Let an archive that was packed as a detector or segmenter answer with its tensor."""
    any_difference = "[acceleration]\nmax_difference = 1e9\n"
    (archive / "plumbline.toml").write_text(f"{chosen.spec}\n{any_difference}")
    (archive / "manifest.json").unlink()


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    make(Path(sys.argv[1]), sys.argv[2])
