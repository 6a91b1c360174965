"""Packing tries int8 where the budget lets it, and puts back what costs agreement."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forms_here import made_here
from PIL import Image

from plumbline.archive import manifest
from plumbline.archive.accelerated_files import FOLDER
from plumbline.archive.tarball import unpack
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms
from plumbline.packing import compilation
from plumbline.packing.assembly import Contents, GoldenPicture, pack
from plumbline.packing.quantize import refusal
from plumbline.pipeline.stages import Pipeline
from plumbline.spec.model_spec import Acceleration
from warm_processes import WarmProcesses

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).parents[2]

SPEC = """\
labels = ["a", "b", "c", "d"]
[preprocess]
normalize = "unit"
[acceleration]
max_difference = inf
min_agreement = 0.5
"""


@dataclass(frozen=True)
class Packed:
    """The files of an archive, the pictures that it was made with, and what was printed."""

    folder: Path
    goldens: Path
    calibration: Path
    printed: str

    @property
    def forms(self) -> dict[str, Any]:
        """What it says of its forms."""
        found: dict[str, Any] = json.loads((self.folder / FOLDER / "forms.json").read_text())
        return found


def save_pictures(folder: Path, count: int, seed: int) -> Path:
    """Noise of the model's own size."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def values(picture: Path) -> np.ndarray:
    """A picture as the notebook prepares it, `[1, 8, 8, 3]`."""
    return np.asarray(Image.open(picture), np.float32)[np.newaxis] / 255


def unpacked(archive: Path) -> Path:
    """The archive's files."""
    folder = archive.with_name("unpacked")
    folder.mkdir()
    unpack(archive, folder)
    return folder


@pytest.fixture(scope="module")
def packed(keras_files, tmp_path_factory: pytest.TempPathFactory, warm: WarmProcesses) -> Packed:
    """What the command makes of a small CNN, some golden pictures, and some more."""
    folder = tmp_path_factory.mktemp("quantization")
    goldens = save_pictures(folder / "goldens", 3, 0)
    calibration = save_pictures(folder / "calibration", 20, 1)
    (folder / "plumbline.toml").write_text(SPEC)
    command = ["-m", "plumbline", "pack", keras_files.saved_model, "--spec", "plumbline.toml"]
    pictures = ["--golden", goldens, "--calibration", calibration]
    done = warm.run(*command, *pictures, cwd=folder)
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    return Packed(unpacked(folder / "model.tar.gz"), goldens, calibration, printed)


def served(folder: Path) -> Pipeline:
    """What answers for the archive."""
    terms = Terms(cores=2, engine="openvino")
    return load_models(folder, terms, lambda _: None).default.pipeline


def only_int8(packed: Packed, folder: Path) -> Path:
    """The archive with no other form than int8."""
    shutil.copytree(packed.folder, folder)
    (folder / manifest.FILE).unlink()
    forms = [form for form in packed.forms["forms"] if form["name"] == "int8"]
    (folder / FOLDER / "forms.json").write_text(json.dumps({**packed.forms, "forms": forms}))
    return folder


def test_int8_is_a_form_beside_the_others_with_a_smaller_network(packed: Packed) -> None:
    weights = {
        name: (packed.folder / FOLDER / f"{name}.bin").stat().st_size
        for name in ("network", "int8")
    }

    assert [form["name"] for form in packed.forms["forms"]] == made_here(
        "int8+bf16", "int8", "bf16", "f32"
    )
    assert weights["int8"] < weights["network"] / 2


def test_the_command_says_how_each_form_came_out_and_nncf_says_nothing(packed: Packed) -> None:
    rows = [line.split() for line in packed.printed.splitlines() if line.strip()]
    kept = [row[:-6] for row in rows if row[-1] == "kept"]

    forms = made_here("f32", "bf16", "int8", "int8+bf16")
    assert kept == [["tensorflow"], *(["openvino", name] for name in forms)]
    assert "Quantising to int8 (23 pictures)" in packed.printed
    assert "nncf" not in packed.printed.lower()


def test_int8_answers_as_far_from_keras_as_packing_said(
    packed: Packed, keras_files, tmp_path: Path
) -> None:
    """On all pictures; it is not so near that it could be another form."""
    pipeline = served(only_int8(packed, tmp_path / "archive"))
    pictures = [*packed.goldens.iterdir(), *packed.calibration.iterdir()]
    measured = {form["name"]: form["largest_difference"] for form in packed.forms["measured"]}

    gaps = [
        np.abs(
            next(iter(pipeline.values(picture.read_bytes(), lambda: 60.0).values()))
            - keras_files.predict(values(picture))
        ).max()
        for picture in pictures
    ]

    assert max(gaps) == pytest.approx(measured["int8"], rel=0.05)
    assert measured["int8"] > 1e-3


def test_the_same_inputs_give_the_same_bytes(packed: Packed, keras_files, tmp_path: Path) -> None:
    contents = Contents(
        model=keras_files.saved_model,
        spec=SPEC,
        goldens=tuple(
            GoldenPicture(picture, keras_files.predict(values(picture)))
            for picture in sorted(packed.goldens.iterdir())
        ),
        place="1",
        calibration=tuple(sorted(packed.calibration.iterdir())),
    )
    pack(contents, tmp_path / "model.tar.gz")
    again = unpacked(tmp_path / "model.tar.gz") / FOLDER

    assert {file.name: file.read_bytes() for file in again.iterdir()} == {
        file.name: file.read_bytes() for file in (packed.folder / FOLDER).iterdir()
    }


def test_a_form_that_means_something_else_is_dropped_with_a_warning(
    packed: Packed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Values may be off by anything; what the original's answers meant is turned round."""
    folder = tmp_path / "archive"
    shutil.copytree(packed.folder, folder)
    (folder / manifest.FILE).unlink()
    gists = folder / FOLDER / "gists.npz"
    with np.load(gists) as arrays:
        others = {name: (array + 1) % 4 for name, array in arrays.items()}
    np.savez(gists, **others)
    terms = Terms(cores=2)

    pipeline = load_models(folder, terms, lambda _: None).default.pipeline

    assert pipeline.engine.name == "tensorflow"
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    forms = made_here("int8+bf16", "int8", "bf16", "f32")
    assert len(warnings) == len(forms)
    assert warnings[0].startswith(
        f"OpenVINO in {forms[0]} is not used here: Its answers to the golden pictures agree with "
        "the original's to 0.00%, and "
    )


def test_all_processes_of_a_server_compute_in_the_form_that_the_first_has_chosen(
    packed: Packed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    terms = Terms(cores=2, shared=tmp_path)

    def chosen() -> str:
        caplog.clear()
        load_models(packed.folder, terms, lambda _: None)
        (said,) = (text for text in caplog.messages if text.startswith("OpenVINO computes the"))
        return said

    quantized = (
        "OpenVINO computes the model, in int8.",
        "OpenVINO computes the model, in int8+bf16.",
    )
    first = chosen()
    assert first in quantized
    assert chosen() == first

    (note,) = tmp_path.glob("*/form")
    note.write_text("f32")
    assert chosen() == "OpenVINO computes the model, in f32."
    note.write_text("nonsense")
    assert chosen() in quantized


def features_of(picture: Any, filters: Any) -> Any:
    """A convolution, `[1, 16]`."""
    import tensorflow as tf

    return tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(picture, filters, 1, "VALID")), [1, 2])


def test_layers_that_cost_agreement_are_put_back_into_floats(tmp_path: Path) -> None:
    """The last layer has weights for a channel that is always 0, and int8 sees nothing else."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    kernels = rng.normal(0, 0.3, (3, 3, 3, 16))
    kernels[..., -1] = 0
    filters = tf.constant(kernels, tf.float32)
    pictures = sorted(save_pictures(tmp_path / "pictures", 24, 2).iterdir())
    usual = np.mean([features_of(values(picture), filters) for picture in pictures], (0, 1))
    weights = rng.normal(0, 1, (16, 3))
    weights -= np.outer(usual, usual @ weights) / (usual @ usual)  # no class is the usual one
    weights[-1] = 2000

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "picture")])
        def score(self, picture: Any) -> dict[str, Any]:
            return {"scores": features_of(picture, filters) @ tf.constant(weights, tf.float32)}

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "cnn"), {"serving_default": module.score})
    goldens = tuple(
        GoldenPicture(picture, module.score(tf.constant(values(picture)))["scores"].numpy())
        for picture in pictures
    )
    spec = SPEC.replace('labels = ["a", "b", "c", "d"]', "[golden]\ntolerance = 0.01")
    spec = spec.replace("0.5", "0.7")
    contents = Contents(tmp_path / "cnn", spec, goldens=goldens, place="1")
    report = pack(contents, tmp_path / "model.tar.gz")

    [int8] = [trial for trial in report.acceleration.trials if trial.name == "int8"]
    network = (unpacked(tmp_path / "model.tar.gz") / FOLDER / "int8.xml").read_text()
    assert int8.kept
    assert int8.agreement >= 0.7
    assert "FakeQuantize" in network


def test_where_nncf_fails_the_other_forms_are_made_all_the_same(
    packed: Packed, keras_files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilation, "INT8", "network.xml/int8.xml")  # below a file
    goldens = tuple(
        GoldenPicture(picture, keras_files.predict(values(picture)))
        for picture in packed.goldens.iterdir()
    )
    contents = Contents(keras_files.saved_model, SPEC, goldens=goldens, place="1")
    report = pack(contents, tmp_path / "model.tar.gz")

    assert [trial.name for trial in report.acceleration.trials] == [
        "tensorflow",
        *made_here("f32", "bf16"),
    ]
    assert report.acceleration.unmade.startswith("NNCF failed: ")


def test_int8_is_not_tried_where_the_budget_can_never_allow_it() -> None:
    assert refusal(Acceleration()) == (
        "[acceleration] max_difference = 1e-05 is out of its reach; max_difference = inf and, say, "
        "min_agreement = 0.99 would let agreement decide"
    )
    assert refusal(Acceleration(max_difference=0.1)) == ""


def test_without_nncf_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    assert refusal(Acceleration(max_difference=0.1)) == (
        "it needs NNCF, which is not installed: pip install nncf in the environment that plumbline "
        "runs in (uv tool and pipx: install '.[tensorflow,quantization]')"
    )
