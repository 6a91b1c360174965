"""Scripts that train with Keras, and the archive that their job hands over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plumbline.archive.contents import open_archive
from plumbline.archive.tarball import unpack
from plumbline.errors import GoldenMismatch
from plumbline.loading.golden_check import check_golden
from plumbline.loading.loader import load, make_pipeline
from plumbline.loading.terms import Terms
from plumbline.training import pictures, save, script_helpers
from training_emulator import Job, Outcome, run_command
from warm_processes import WarmProcesses

pytestmark = pytest.mark.tensorflow

CONTAINER = Path(__file__).parents[2] / "container"

TRAIN = [sys.executable, "-m", "plumbline.training.job_process"]

SPEC = """
labels = ["even", "odd"]

[preprocess]
size = [12, 12]
normalize = "unit"
"""

NETWORK = """
import os
from pathlib import Path
import numpy as np
import tensorflow as tf
pictures_of = Path(os.environ["SM_CHANNEL_TRAINING"])
files = sorted(pictures_of.glob("*.png"))
labels = np.arange(len(files)) % 2
folder = Path(os.environ["SM_MODEL_DIR"])
network = tf.keras.Sequential([
    tf.keras.layers.InputLayer(INPUT=(12, 12, 3)),
    tf.keras.layers.Conv2D(4, 3, activation="relu"),
    tf.keras.layers.Flatten(),
    tf.keras.layers.Dense(2, activation="softmax"),
])
network.compile("adam", "sparse_categorical_crossentropy")
"""
KERAS_3 = NETWORK.replace("INPUT", "shape")
KERAS_2 = NETWORK.replace("INPUT", "input_shape")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small pictures of different sizes."""
    folder = tmp_path_factory.mktemp("photographs")
    noise = np.random.default_rng(0)
    for number in range(6):
        pixels = noise.integers(0, 256, (14 + number, 20, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


Train = Callable[..., Outcome]


@pytest.fixture
def train(photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Run a script as a job: `train(script, {"TF_USE_LEGACY_KERAS": "1"})`."""
    monkeypatch.setenv("PYTHONPATH", str(CONTAINER))

    def run(script: str, environment: dict[str, str] | None = None) -> Outcome:
        source = tmp_path / "source"
        source.mkdir()
        (source / "train.py").write_text(textwrap.dedent(script), "utf-8")
        place = {"S3DataType": "S3Prefix", "S3Uri": f"file://{photographs}"}
        request = {
            "TrainingJobName": "job-1",
            "HyperParameters": {
                "sagemaker_program": json.dumps("train.py"),
                "sagemaker_submit_directory": json.dumps(str(source)),
            },
            "InputDataConfig": [{"ChannelName": "training", "DataSource": {"S3DataSource": place}}],
            "Environment": environment or {},
        }
        return run_command(Job(request, tmp_path / "job"), TRAIN)

    return run


def goldens_of(outcome: Outcome, folder: Path) -> int:
    """How many golden pictures the archive has; each must come out right as it is served."""
    assert outcome.model is not None
    unpack(outcome.model, folder)
    archive = open_archive(folder)
    terms = Terms(cores=1)
    pipeline = make_pipeline(archive, load(archive, archive.model, terms), terms)
    for golden in archive.goldens:
        assert check_golden(pipeline, golden).within(archive.spec.golden.tolerance)
    assert (folder / "parity.json").is_file()
    assert (folder / "accelerated").is_dir()
    return len(archive.goldens)


def test_three_lines_make_a_packed_model_of_a_script(train: Train, tmp_path: Path) -> None:
    lines = f"""
from plumbline.training import pictures, save
network.fit(pictures(files, {SPEC!r}), labels, verbose=2)
save(network, {SPEC!r}, golden=files[:3])
"""
    outcome = train(KERAS_3 + lines)
    assert outcome.status == "Completed", outcome.log
    assert "is packed already" in outcome.log
    assert goldens_of(outcome, tmp_path / "served") == 3


def test_a_wrong_declaration_is_found_out_and_the_model_folder_stays_as_it_was(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training's own pixels are other ones than those that the declaration says."""
    import keras

    layers = [keras.Input((12, 12, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    monkeypatch.setattr(script_helpers, "pictures", lambda files, spec: 255 * pictures(files, spec))
    (tmp_path / "before").write_text("here")
    with pytest.raises(GoldenMismatch):
        save(keras.Sequential(layers), SPEC, golden=photographs.iterdir(), to=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["before"]


def test_a_model_beside_its_declaration_is_packed_where_it_stands(
    train: Train, tmp_path: Path
) -> None:
    lines = f"""
import shutil
network.save(folder / "model.keras")
(folder / "plumbline.toml").write_text({SPEC!r})
shutil.copytree(pictures_of, folder / "golden")
"""
    outcome = train(KERAS_3 + lines)
    assert "The model is packed. 6 golden pictures come out right" in outcome.log
    assert goldens_of(outcome, tmp_path / "served") == 6
    assert not (tmp_path / "served/model.keras").exists()


def test_a_script_of_keras_2_runs_when_it_asks_for_it(train: Train, tmp_path: Path) -> None:
    """As of 2020: the SavedModel in a numbered folder, nothing declared."""
    lines = """
assert tf.keras.Model.__module__.startswith("tf_keras."), tf.keras.Model.__module__
network.save(str(folder / "1"), save_format="tf")
"""
    outcome = train(KERAS_2 + lines, {"TF_USE_LEGACY_KERAS": "1"})
    assert outcome.status == "Completed", outcome.log
    assert "The model 1 is left in" in outcome.log
    assert outcome.model is not None
    unpack(outcome.model, tmp_path / "served")
    assert open_archive(tmp_path / "served").model.kind == "saved_model"


def test_a_job_that_is_stopped_while_it_packs_keeps_its_model(
    photographs: Path, tmp_path: Path, warm: WarmProcesses
) -> None:
    """What the script wrote is there, whole, whether it was packed in time or not."""
    script = (
        KERAS_3
        + f"""
network.save(folder / "model.keras")
(folder / "plumbline.toml").write_text({SPEC!r})
"""
    )
    root = tmp_path / "ml"
    (root / "input/data").mkdir(parents=True)
    (root / "input/data/training").symlink_to(photographs)
    (root / "code").mkdir()
    (root / "code/train.py").write_text(script, "utf-8")
    (root / "input/config").mkdir()
    (root / "input/config/hyperparameters.json").write_text('{"sagemaker_program": "train.py"}')
    process = warm.popen(
        TRAIN,
        env={**os.environ, "PYTHONPATH": str(CONTAINER), "SAGEMAKER_BASE_DIR": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert any("Converting model.keras" in line for line in process.stdout)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=150)
    assert process.returncode == 0, out
    assert "The model is packed." in out
    assert open_archive(root / "model").model.kind == "saved_model"
