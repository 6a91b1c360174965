"""`plumbline pack`, as people type it: real models, their own code, and what goes wrong."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plumbline.archive import manifest, tarball
from plumbline.archive.discovery import ModelFile
from plumbline.drift.baseline import Baseline
from plumbline.engines.keras_export import export
from plumbline.errors import ArchiveError
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms
from plumbline.packing.convert import Wanted, convert
from plumbline.pipeline.inference import Tally
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.results.task_results import Result
from plumbline.wire.requests import Request
from warm_processes import WarmProcesses

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).parents[2]

SPEC = """\
[preprocess]
size = [16, 20]
resize = "pillow-bilinear"
normalize = "unit"
"""

NOTEBOOK = """\
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

print("loading", file=sys.stderr)
model = keras.saving.load_model(Path(__file__).parent / "cnn.keras")


def predict(path):
    print("predicting", path)
    picture = Image.open(path).convert("RGB").resize((20, 16), Image.Resampling.BILINEAR)
    return model.predict(np.asarray(picture, np.float32)[None] / 255)[0]
"""


@dataclass(frozen=True)
class Workshop:
    """What training left behind: models, pictures, a notebook and a spec."""

    folder: Path
    warm: WarmProcesses

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """`plumbline pack` in this folder, its temporary files in a folder of their own."""
        command = ["-m", "plumbline", "pack", *arguments]
        return self.warm.run(*command, cwd=cwd or self.folder, env=environment(self.folder))


def environment(folder: Path) -> dict[str, str]:
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "container"),
        "TMPDIR": str(temporary),
        "COLUMNS": "100",
    }


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory, warm: WarmProcesses) -> Workshop:
    import keras
    import tf_keras

    folder = tmp_path_factory.mktemp("workshop")
    keras.utils.set_random_seed(1)
    for library, name in ((keras, "cnn.keras"), (tf_keras, "old.h5")):
        layers = library.layers
        model = library.Sequential(
            [
                layers.InputLayer((16, 20, 3)),
                layers.Conv2D(8, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.DepthwiseConv2D(3),
                layers.Flatten(),
                layers.Dense(5, activation="softmax"),
            ]
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # HDF5 is what old models lie in
            model.save(folder / name)
    (folder / "old.json").write_text(model.to_json())
    model.save_weights(folder / "old.weights.h5")
    (folder / "notebook.py").write_text(NOTEBOOK)
    (folder / "plumbline.toml").write_text(SPEC)
    (folder / "photos").mkdir()
    noise = np.random.default_rng(0)
    for name in ("a.png", "b.jpg", "c.png"):
        coarse = Image.fromarray(noise.integers(0, 256, (9, 12, 3), np.uint8))
        coarse.resize((70, 50)).save(folder / "photos" / name)
    return Workshop(folder, warm)


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as tar:
        return tar.getnames()


def member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as tar:
        file = tar.extractfile(name)
        assert file is not None
        return file.read()


USUAL = ("cnn.keras", "--spec", "plumbline.toml", "--golden", "photos")
OWN_CODE = (*USUAL, "--reference", "notebook.py:predict")


@pytest.fixture(scope="module")
def packed(workshop: Workshop) -> tuple[Path, str]:
    """The archive that the user's own code proves, and what the command said."""
    done = workshop.run(*OWN_CODE, "--out", "new/model.tar.gz")
    assert done.returncode == 0, done.stdout + done.stderr
    return workshop.folder / "new/model.tar.gz", done.stdout + done.stderr


def test_it_says_what_it_did(packed: tuple[Path, str]) -> None:
    archive, said = packed
    for number, name in enumerate(("a.png", "b.jpg", "c.png"), start=1):
        assert f"The reference notebook.py:predict {number}/3: {name}\n" in said
        assert re.search(rf"{name} +[\d.e-]+ +right", said)
    assert "3 golden pictures come out right; the largest difference is" in said
    assert f"{archive.stat().st_size:,} bytes" in said
    assert "cuda" not in said.lower()
    assert "Traceback" not in said


def test_the_archive_holds_what_is_needed_and_nothing_else(packed: tuple[Path, str]) -> None:
    with tarfile.open(packed[0]) as tar:
        files = [entry.name for entry in tar if entry.isfile()]
    assert files == [
        "1/saved_model.pb",
        "1/variables/variables.data-00000-of-00001",
        "1/variables/variables.index",
        *(f"accelerated/{name}" for name in ("forms.json", "gists.npz")),
        *(f"accelerated/{name}" for name in ("network.bin", "network.xml")),
        "baseline.json",
        *(f"golden/{name}{end}" for name in ("a.png", "b.jpg", "c.png") for end in ("", ".npz")),
        "manifest.json",
        "parity.json",
        "plumbline.toml",
    ]


def test_it_says_what_the_outputs_were_compared_with(packed: tuple[Path, str]) -> None:
    found = json.loads(member(packed[0], "parity.json"))
    assert found["reference"] == {"kind": "function", "function": "notebook.py:predict"}
    assert sorted(found["largest_difference"]) == ["a.png", "b.jpg", "c.png"]
    assert max(found["largest_difference"].values()) < 1e-6
    assert found["tolerance"] == 1e-5
    assert {"tensorflow", "keras", "numpy", "pillow"} <= found["versions"].keys()


def test_the_golden_outputs_are_those_of_the_users_code(
    packed: tuple[Path, str], workshop: Workshop
) -> None:
    import keras

    model = keras.saving.load_model(workshop.folder / "cnn.keras")
    picture = Image.open(workshop.folder / "photos/a.png").resize((20, 16), 2)
    expected = model.predict(np.asarray(picture, np.float32)[None] / 255, verbose=0)[0]
    found = np.load(io.BytesIO(member(packed[0], "golden/a.png.npz")))["output"]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_server_loads_it_and_a_changed_file_is_refused(
    packed: tuple[Path, str], tmp_path: Path
) -> None:
    tarball.unpack(packed[0], tmp_path)
    assert manifest.verify(tmp_path)
    loaded = load_models(tmp_path, Terms(max_instances=4, cores=2), lambda _: None)
    assert str(loaded.default) == "model/1"
    index = tmp_path / "1/variables/variables.index"
    index.write_bytes(index.read_bytes()[:-1] + b"!")
    with pytest.raises(ArchiveError, match=r"1/variables/variables\.index was changed"):
        load_models(tmp_path, Terms(max_instances=4, cores=2), lambda _: None)


def test_it_says_what_is_usual_and_the_server_counts_by_it(
    packed: tuple[Path, str], tmp_path: Path
) -> None:
    tarball.unpack(packed[0], tmp_path)
    told: list[Baseline] = []
    counted: list[Result] = []

    def tallied(usual: Baseline) -> Tally:
        told.append(usual)
        return lambda _, result: counted.append(result)

    terms = Terms(max_instances=4, cores=2, tallied=tallied)
    served = load_models(tmp_path, terms, lambda _: None).default.pipeline
    assert not counted, "golden pictures are no requests"
    with np.load(tmp_path / "golden/a.png.npz") as file:
        (golden,) = file.values()
    request = Request((tmp_path / "golden/a.png").read_bytes(), "image/png")
    served(request, lambda: 60.0, Stopwatch())

    (usual,) = told
    assert (usual.task, usual.pictures) == ("classification", 3)
    assert set(usual.numbers) == {"top_score", "brightness", "contrast", "megapixels"}
    scores = usual.numbers["top_score"]
    assert scores.edges[0] < golden.max() <= scores.edges[-1]
    assert sum(one.share for one in usual.classes) == pytest.approx(1, abs=1e-3)
    assert golden.argmax() in {one.class_id for one in usual.classes}
    assert len(counted) == 1


def test_a_damaged_baseline_keeps_no_server_from_serving(
    packed: tuple[Path, str], tmp_path: Path
) -> None:
    tarball.unpack(packed[0], tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "baseline.json").write_text("{}")
    terms = Terms(max_instances=4, cores=2, tallied=lambda _: pytest.fail("there is none"))

    assert load_models(tmp_path, terms, lambda _: None).default.pipeline.tally is None


def test_the_same_inputs_give_the_same_bytes_wherever_it_runs(
    packed: tuple[Path, str], workshop: Workshop, tmp_path: Path
) -> None:
    absolute = [
        str(workshop.folder / part) if (workshop.folder / part).exists() else part for part in USUAL
    ]
    reference = f"{workshop.folder / 'notebook.py'}:predict"
    again = tmp_path / "again.tar.gz"
    done = workshop.run(*absolute, "--reference", reference, "--out", str(again), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert again.read_bytes() == packed[0].read_bytes()


def test_no_path_of_this_machine_is_in_it(packed: tuple[Path, str], workshop: Workshop) -> None:
    with tarfile.open(packed[0]) as tar:
        for entry in tar.getmembers():
            file = tar.extractfile(entry)
            data = file.read() if file else b""
            for path in (
                str(workshop.folder),
                f"{ROOT}/container",
                "/tmp/",
                "site-packages",
                ".py:",
            ):
                allowed = entry.name in ("parity.json", "manifest.json") and path == ".py:"
                assert allowed or path.encode() not in data, (entry.name, path)


def test_nothing_is_left_behind(packed: tuple[Path, str], workshop: Workshop) -> None:
    assert list((workshop.folder / "temporary").iterdir()) == []
    assert [file.name for file in packed[0].parent.iterdir()] == ["model.tar.gz"]


def test_what_does_not_reproduce_the_outputs_is_not_packed(
    packed: tuple[Path, str], workshop: Workshop, tmp_path: Path
) -> None:
    """The expected outputs lie beside the pictures this time."""
    tarball.unpack(packed[0], tmp_path)
    (tmp_path / "wrong.toml").write_text(SPEC.replace("unit", "none"))
    arguments = ("--spec", str(tmp_path / "wrong.toml"), "--golden", str(tmp_path / "golden"))
    done = workshop.run("cnn.keras", *arguments, "--out", "wrong/model.tar.gz")
    assert done.returncode == 1
    assert len(re.findall(r"\.(?:png|jpg) +0\.\d+ +WRONG", done.stdout)) == 3
    assert "Error: 3 of 3 golden pictures come out wrong. The worst is " in done.stderr
    assert 'With [preprocess] normalize = "unit" (the pictures are not divided' in done.stderr
    assert not (workshop.folder / "wrong").exists()


def test_without_own_code_the_libraries_answer_and_a_dry_run_writes_nothing(
    workshop: Workshop,
) -> None:
    (workshop.folder / "softmax.toml").write_text(
        SPEC + '[classification]\nactivation = "softmax"\n'
    )
    arguments = ("--spec", "softmax.toml", "--golden", "photos", "--dry-run")
    done = workshop.run("old.json", "old.weights.h5", *arguments, "--out", "dry/model.tar.gz")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The libraries' answer 3/3: c.png\n" in done.stdout
    assert "The model was read by tf_keras" in done.stdout
    assert "--dry-run: dry/model.tar.gz was not written." in done.stdout
    assert not (workshop.folder / "dry").exists()


def test_a_saved_model_is_packed_as_it_is_and_without_pictures_nobody_checked(
    workshop: Workshop, keras_files: Any
) -> None:
    done = workshop.run(str(keras_files.saved_model), "--out", "saved.tar.gz")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "There are no golden pictures: the answers were not checked." in done.stdout
    archive = workshop.folder / "saved.tar.gz"
    packed = member(archive, "1/saved_model.pb")
    assert packed == (keras_files.saved_model / "saved_model.pb").read_bytes()
    assert "1/fingerprint.pb" not in names(archive)
    assert json.loads(member(archive, "parity.json"))["reference"] == {"kind": "none"}


def test_pictures_that_all_get_the_same_answer_prove_nothing(
    workshop: Workshop, keras_files: Any, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8), "teal").save(tmp_path / name)
    done = workshop.run(
        str(keras_files.saved_model), "--golden", str(tmp_path), "--dry-run", "--out", "x.tar.gz"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "but that proves nothing: their outputs are the same to 0." in done.stdout
    assert "Take pictures that are answered differently." in done.stdout


CUSTOM = """\
import keras


class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def halved(x):
    return x / 2
"""


@pytest.fixture(scope="module")
def custom(workshop: Workshop) -> Path:
    """A model with a layer and a function of its own."""
    file = workshop.folder / "layers.py"
    file.write_text(CUSTOM)
    code = """
import keras, layers
model = keras.Sequential([
    keras.Input((16, 20, 3)),
    layers.Doubled(),
    keras.layers.Conv2D(3, 3, activation=layers.halved),
    keras.layers.GlobalAveragePooling2D(),
])
model.save("custom.keras")
"""
    python_path = {**os.environ, "PYTHONPATH": str(workshop.folder)}
    done = workshop.warm.run("-c", code, cwd=workshop.folder, env=python_path)
    assert done.returncode == 0, done.stderr
    return file


def test_custom_objects_are_baked_in(workshop: Workshop, custom: Path) -> None:
    done = workshop.run(
        "custom.keras", *USUAL[1:], "--custom-objects", "layers.py", "--out", "custom.tar.gz"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(member(workshop.folder / "custom.tar.gz", "parity.json"))
    assert found["reference"]["kind"] == "libraries"
    assert not any(name.endswith(".py") for name in names(workshop.folder / "custom.tar.gz"))


def test_a_custom_layer_without_its_code_is_named(workshop: Workshop, custom: Path) -> None:
    done = workshop.run("custom.keras", *USUAL[1:], "--out", "other.tar.gz")
    assert done.returncode == 1
    assert "Doubled" in done.stderr
    assert "--custom-objects" in done.stderr
    assert "Traceback" not in done.stderr


@dataclass(frozen=True)
class Mistake:
    """Arguments, what is wrong in the folder, and what must be said."""

    arguments: tuple[str, ...]
    said: str
    prepare: Callable[[Path], object] = field(default=lambda folder: None)


def write(name: str, text: str) -> Callable[[Path], object]:
    def prepare(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    return prepare


MISTAKES = {
    "no model": Mistake(("nowhere.keras",), "There is no file or folder nowhere.keras."),
    "no function": Mistake(
        (*USUAL, "--reference", "plain.py:predict"),
        "found no function 'predict'; it has guess",
        write("plain.py", "def guess(path): return 1.0"),
    ),
    "raises": Mistake(
        (*USUAL, "--reference", "raises.py:predict"),
        "The reference raises.py:predict failed: predict('a.png') raised ZeroDivisionError",
        write("raises.py", "print('hello')\ndef predict(path): return 1 / 0"),
    ),
    "exits": Mistake(
        (*USUAL, "--reference", "exits.py:predict"),
        "importing exits.py ended the process (sys.exit(0))",
        write("exits.py", "import sys\nsys.exit(0)"),
    ),
    "unreadable picture": Mistake(
        ("cnn.keras", "--golden", "bad"),
        "bad/x.png can't be used as a picture: The body is not a picture",
        write("bad/x.png", "no"),
    ),
    "empty folder": Mistake(
        ("cnn.keras", "--golden", "empty"),
        "The folder empty holds no pictures",
        lambda folder: (folder / "empty").mkdir(),
    ),
    "reference without pictures": Mistake(
        ("cnn.keras", "--reference", "notebook.py:predict"), "--reference needs pictures"
    ),
    "spec with an error": Mistake(
        ("cnn.keras", "--spec", "broken.toml", "--golden", "photos"),
        "preprocess.resize = 'bilinear', but it must be one of",
        write("broken.toml", '[preprocess]\nresize = "bilinear"'),
    ),
    "no custom objects": Mistake(
        (*USUAL, "--custom-objects", "nowhere.py"), "There is no file of custom objects nowhere.py"
    ),
    "not writable": Mistake(
        (*USUAL, "--out", "plumbline.toml/model.tar.gz"), "is no folder, or not writable"
    ),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_mistakes_are_said_in_a_sentence(workshop: Workshop, what: str) -> None:
    mistake = MISTAKES[what]
    mistake.prepare(workshop.folder)
    done = workshop.run("--out", "mistake.tar.gz", *mistake.arguments)
    assert done.returncode == 1, done.stdout
    assert mistake.said in done.stderr
    assert done.stderr.startswith("Error: ")
    assert not (workshop.folder / "mistake.tar.gz").exists()


def test_outputs_of_another_shape_are_told_from_wrong_numbers(
    workshop: Workshop, keras_files: Any
) -> None:
    (workshop.folder / "shape.py").write_text("def predict(path): return [0.0] * 7")
    arguments = ("--golden", "photos", "--reference", "shape.py:predict")
    done = workshop.run(str(keras_files.saved_model), *arguments, "--out", "shape.tar.gz")
    assert done.returncode == 1
    assert "its shape is [4], expected [7]" in done.stderr
    assert not (workshop.folder / "shape.tar.gz").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_packing_leaves_nothing(workshop: Workshop, number: int) -> None:
    (workshop.folder / "slow.py").write_text(
        "import tempfile, time\ntempfile.mkdtemp()\n"
        "def predict(path):\n    if 'b.jpg' in path: time.sleep(60)\n    return 1.0\n"
    )
    command = [sys.executable, "-m", "plumbline", "pack", *USUAL, "--reference", "slow.py:predict"]
    process = subprocess.Popen(
        [*command, "--out", "half.tar.gz"],
        cwd=workshop.folder,
        env={**environment(workshop.folder), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # Whatever a script starts in the background has Ctrl-C ignored, these tests included.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stdout is not None
    with process.stdout as said:
        assert "1/3: a.png" in said.readline()
        process.send_signal(number)
        assert process.wait(20) != 0
    assert list((workshop.folder / "temporary").iterdir()) == []
    assert not list(workshop.folder.glob("half*"))
    until_gone(str(workshop.folder / "temporary"))


def until_gone(text: str) -> None:
    """The user's code must not go on running; its request lies in the temporary folder."""
    end = time.monotonic() + 30
    while any(text in line for line in command_lines()):
        assert time.monotonic() < end
        time.sleep(0.05)


def command_lines() -> list[str]:
    """Of all processes."""
    return list(from_proc() if Path("/proc/self/cmdline").exists() else from_ps())


def from_proc() -> Iterator[str]:
    """Linux, where ps may not be installed."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            yield file.read_bytes().replace(b"\0", b" ").decode(errors="replace")


def from_ps() -> list[str]:
    """MacOS."""
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return found.stdout.splitlines()


def exported(
    model: ModelFile, folder: Path, custom_objects: Path | None = None
) -> dict[str, bytes]:
    """The SavedModel's files, converted in a process of its own."""
    target = folder / "model"
    convert(model, target, custom_objects, Wanted("", ()), lambda _: None)
    found = {
        file.relative_to(target).as_posix(): file.read_bytes()
        for file in sorted(target.rglob("*"))
        if file.is_file()
    }
    shutil.rmtree(folder)
    return found


def test_an_old_model_is_exported_the_same_every_time(workshop: Workshop, tmp_path: Path) -> None:
    model = ModelFile("h5", workshop.folder / "old.h5")
    first = exported(model, tmp_path / "here")
    assert first == exported(model, tmp_path / "somewhere" / "else")
    assert list(first) == [
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]


def test_a_large_model_is_exported_the_same_every_time(tmp_path: Path) -> None:
    import keras

    layers = keras.layers
    model = keras.Sequential([keras.Input((32, 32, 3))])
    for _ in range(12):  # of each, so that names with two digits are among them
        model.add(layers.Conv2D(4, 3, padding="same"))
        model.add(layers.BatchNormalization())
        model.add(layers.Dropout(0.2))
    model.save(tmp_path / "deep.keras")
    file = ModelFile("keras", tmp_path / "deep.keras")
    assert exported(file, tmp_path / "here") == exported(file, tmp_path / "else" / "where")


def test_a_model_that_looks_its_labels_up_needs_no_python_code(tmp_path: Path) -> None:
    """The table of words is part of the SavedModel, or its export would fail."""
    import keras
    import tensorflow as tf

    class Best(keras.layers.Layer):  # type: ignore[misc]
        def call(self, scores: tf.Tensor) -> tf.Tensor:
            return keras.ops.argmax(scores, axis=-1)

    words = keras.layers.StringLookup(vocabulary=["cat", "dog"], invert=True, num_oov_indices=0)
    model = keras.Sequential([keras.Input((2,)), Best(), words])
    export(model, tmp_path / "saved")
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    found = loaded.signatures["serving_default"](tf.constant([[0.1, 0.9], [0.8, 0.2]]))
    assert found["output_0"].numpy().tolist() == [b"dog", b"cat"]
