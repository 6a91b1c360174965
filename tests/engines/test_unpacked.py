"""Archives that were never packed: compared with TensorFlow in a process of its own, or its own."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plumbline.errors import EngineError, GoldenMismatch
from plumbline.loading import loader, never_packed
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms
from plumbline.machine import child_process
from plumbline.pipeline.stages import Pipeline

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).parents[2]

SPEC = '[preprocess]\nnormalize = "unit"\n'

PICTURES = np.random.default_rng(3).integers(0, 256, (2, 8, 8, 3), np.uint8)


@pytest.fixture(autouse=True)
def hear(caplog: pytest.LogCaptureFixture) -> None:
    """All that loading says."""
    caplog.set_level(logging.INFO, "plumbline.loading")


def png(pixels: np.ndarray) -> bytes:
    """The pixels as a file."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def archive(folder: Path, model: Path, spec: str = SPEC) -> Path:
    """An archive of a model."""
    copy = shutil.copytree if model.is_dir() else shutil.copyfile
    folder.mkdir()
    (folder / "plumbline.toml").write_text(spec)
    copy(model, folder / ("1" if model.is_dir() else model.name))
    return folder


def served(folder: Path, engine: str = "auto", shared: Path | None = None) -> Pipeline:
    """What answers for it."""
    terms = Terms(cores=2, engine=engine, shared=shared)
    return load_models(folder, terms, lambda _: None).default.pipeline


def values(pipeline: Pipeline) -> np.ndarray:
    """What is said of each of the pictures."""
    rows = [pipeline.values(png(pixels), lambda: 60.0) for pixels in PICTURES]
    return np.concatenate([next(iter(row.values())) for row in rows])


def exported(folder: Path, function: Callable[..., dict[str, Any]], **others: Any) -> Path:
    """A SavedModel of a function of pictures, and of other functions under their names."""
    import tensorflow as tf

    pictures = tf.TensorSpec([None, 8, 8, 3], tf.float32, "picture")
    module = tf.Module()
    module.functions = {
        name: tf.function(each, input_signature=[pictures])
        for name, each in {"serving_default": function, **others}.items()
    }
    tf.saved_model.save(module, str(folder), dict(module.functions))
    return folder


def means(picture: Any) -> dict[str, Any]:
    """Three scores."""
    import tensorflow as tf

    return {"scores": tf.reduce_mean(picture, [1, 2])}


def test_tensorflow_is_gone_when_openvino_serves(keras_files, tmp_path: Path) -> None:
    """Keras 3 exports one function under two names; both are answered."""
    code = (
        "import sys, json; from pathlib import Path; "
        "from plumbline.loading.loader import load_models; "
        "from plumbline.loading.terms import Terms; "
        "from plumbline.wire.requests import Request; "
        "from plumbline.pipeline.stopwatch import Stopwatch; "
        "said = load_models(Path(sys.argv[1]), Terms(cores=2), lambda _: None).default.pipeline; "
        "body = Path(sys.argv[2]).read_bytes(); "
        "ask = lambda: said(Request(body, 'application/json'), lambda: 60.0, Stopwatch()); "
        "print(json.dumps([said.engine.name, json.loads(ask().body), "
        "sorted({'tensorflow', 'keras', 'h5py'} & sys.modules.keys())]))"
    )
    batch = PICTURES.astype(np.float32) / 255
    asked = {"signature_name": "serve", "instances": batch.tolist()}
    (tmp_path / "request.json").write_text(json.dumps(asked))
    command = [sys.executable, "-c", code, archive(tmp_path / "archive", keras_files.saved_model)]
    done = subprocess.run(
        [*command, tmp_path / "request.json"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "container"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    name, answer, imported = json.loads(done.stdout)
    assert (name, imported) == ("openvino", [])
    np.testing.assert_allclose(answer["predictions"], keras_files.predict(batch), atol=1e-6)
    assert [path.name for path in tmp_path.glob("plumbline-*")] == [], "files were left behind"


def test_workers_that_share_a_folder_ask_once(
    keras_files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A `.keras` file, with golden pictures that it is compared by."""
    folder = archive(tmp_path / "archive", keras_files.keras)
    (folder / "golden").mkdir()
    for number, pixels in enumerate(PICTURES):
        (folder / "golden" / f"{number}.png").write_bytes(png(pixels))
        scores = keras_files.predict(pixels[np.newaxis].astype(np.float32) / 255)
        np.savez(folder / "golden" / f"{number}.png.npz", scores=scores)
    shared = tmp_path / "shared"
    shared.mkdir()
    asked: list[str] = []
    run = child_process.run
    monkeypatch.setattr(
        child_process,
        "run",
        lambda module, *rest, **others: (asked.append(module), run(module, *rest, **others))[1],
    )

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: served(folder, shared=shared), range(2)))

    assert [pipeline.engine.name for pipeline in found] == ["openvino", "openvino"]
    assert asked == ["plumbline.loading.never_packed_process"]
    expected = keras_files.predict(PICTURES.astype(np.float32) / 255)
    for pipeline in found:
        np.testing.assert_allclose(values(pipeline), expected, rtol=0, atol=1e-6)
    said = "\n".join(caplog.messages)
    assert "OpenVINO computes the model: for 2 pictures it answers as TensorFlow, to with" in said
    assert "reads cnn.keras: Keras 3" in said
    assert "2 golden pictures came out right" in said


def test_golden_pictures_that_come_out_wrong_are_an_error_as_ever(
    keras_files, tmp_path: Path
) -> None:
    folder = archive(tmp_path / "archive", keras_files.saved_model)
    (folder / "golden").mkdir()
    (folder / "golden" / "a.png").write_bytes(png(PICTURES[0]))
    np.savez(folder / "golden" / "a.png.npz", scores=np.eye(4, dtype=np.float32)[0])

    with pytest.raises(GoldenMismatch, match=r"1 of 1 golden pictures come out wrong"):
        served(folder)


def left_to_tensorflow(folder: Path, caplog: pytest.LogCaptureFixture, **terms: Any) -> str:
    """Why, in the words of the log."""
    assert served(folder, **terms).engine.name == "tensorflow"
    (said,) = (text for text in caplog.messages if text.startswith("TensorFlow computes the model"))
    return said.removeprefix("TensorFlow computes the model, not OpenVINO. ")


def test_an_operation_that_openvino_does_not_know(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import tensorflow as tf

    model = exported(
        tmp_path / "model", lambda picture: {"scores": tf.linalg.det(picture[..., :8, 0])[:, None]}
    )

    reason = left_to_tensorflow(archive(tmp_path / "archive", model), caplog)

    assert reason.startswith("OpenVINO can't compile 1: ")


def test_an_answer_that_is_further_off_than_the_budget_allows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A float32 has no ten digits."""
    model = exported(tmp_path / "model", scores)
    spec = f"{SPEC}\n[acceleration]\nmax_difference = 1e-10\n"

    reason = left_to_tensorflow(archive(tmp_path / "archive", model, spec), caplog)

    assert reason.startswith("OpenVINO answers otherwise for 9 pictures: in scores, the largest ")


def test_an_answer_of_large_numbers_that_differ_in_their_last_digits(tmp_path: Path) -> None:
    model = exported(
        tmp_path / "model", lambda picture: {"scores": 1e7 * scores(picture)["scores"]}
    )

    assert served(archive(tmp_path / "archive", model)).engine.name == "openvino"


def scores(picture: Any) -> dict[str, Any]:
    """Three, from 0 to 1."""
    import tensorflow as tf

    return {"scores": tf.nn.softmax(tf.reduce_mean(tf.sin(picture), [1, 2]))}


def texts(picture: Any) -> dict[str, Any]:
    """A text for each picture."""
    import tensorflow as tf

    return {"label": tf.as_string(tf.reduce_mean(picture, [1, 2, 3]))}


def relative(picture: Any) -> dict[str, Any]:
    """Scores against the best of the batch."""
    import tensorflow as tf

    scores = tf.reduce_mean(picture, [1, 2])
    return {"scores": scores - tf.reduce_max(scores, 0, keepdims=True)}


@pytest.mark.parametrize(
    ("functions", "reason"),
    [
        ((texts, {}), "It has an output of texts, or one without an axis for pictures."),
        ((means, {"texts": texts}), "It has another signature beside, 'texts'."),
        (
            (means, {"serve": lambda one: means(2 * one)}),
            "It has another signature beside, 'serve'.",
        ),
        ((relative, {}), "Its answer for a picture depends on what else is in the batch."),
    ],
    ids=["texts", "another signature", "another function", "batch"],
)
def test_models_that_openvino_would_serve_otherwise(
    functions: Any, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    function, others = functions
    model = exported(tmp_path / "model", function, **others)
    spec = 'task = "raw"\n' if function is texts else SPEC

    assert left_to_tensorflow(archive(tmp_path / "archive", model, spec), caplog) == reason


def test_a_process_that_takes_too_long_is_killed(
    keras_files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(never_packed, "MOST_SECONDS", 0.01)

    reason = left_to_tensorflow(archive(tmp_path / "archive", keras_files.saved_model), caplog)

    assert reason.startswith("The process that asks TensorFlow was killed by SIGKILL (out of mem")


def test_a_process_that_crashes_harms_nobody(
    keras_files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A module that aborts stands for TensorFlow or OpenVINO that do."""
    (tmp_path / "aborts.py").write_text("import os\nprint('the end')\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run = child_process.run
    monkeypatch.setattr(
        child_process, "run", lambda _, *rest, **others: run("aborts", *rest, **others)
    )

    reason = left_to_tensorflow(archive(tmp_path / "archive", keras_files.saved_model), caplog)

    assert reason == "The process that asks TensorFlow was killed by SIGABRT. the end"


@pytest.mark.parametrize("shared", [True, False])
def test_without_room_for_temporary_files_tensorflow_serves(
    shared: bool,
    keras_files,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    folder = archive(tmp_path / "archive", keras_files.saved_model)

    reason = left_to_tensorflow(folder, caplog, shared=tmp_path / "gone" if shared else None)

    assert reason.startswith("There is no room for temporary files: ")


def test_each_of_several_models_is_compared_for_itself(keras_files, tmp_path: Path) -> None:
    """One has a plumbline.toml of its own, and golden pictures that only it reproduces."""
    folder, shared = tmp_path / "archive", tmp_path / "shared"
    shared.mkdir()
    for place in ("bees/1", "cats/1", "cats/2"):
        shutil.copytree(keras_files.saved_model, folder / place)
    (folder / "plumbline.toml").write_text(SPEC)
    (folder / "bees" / "plumbline.toml").write_text(SPEC.replace("unit", "none"))
    (folder / "bees" / "golden").mkdir()
    expected = keras_files.predict(PICTURES[:1].astype(np.float32))
    (folder / "bees" / "golden" / "0.png").write_bytes(png(PICTURES[0]))
    np.savez(folder / "bees" / "golden" / "0.png.npz", scores=expected[0])

    terms = Terms(cores=2, shared=shared, default_model="cats")
    models = load_models(folder, terms, lambda _: None).models

    assert [str(model) for model in models] == ["cats/2", "cats/1", "bees/1"]
    assert {model.pipeline.engine.name for model in models} == {"openvino"}
    parts = sorted(path.name for path in shared.iterdir() if path.is_dir())
    assert parts == ["bees-1", "cats-1", "cats-2"]
    for model, pictures in zip(models, (PICTURES / 255, PICTURES / 255, PICTURES), strict=True):
        expected = keras_files.predict(pictures.astype(np.float32))
        np.testing.assert_allclose(values(model.pipeline), expected, atol=1e-4)


def test_when_time_is_short_the_rest_is_left_to_tensorflow(
    keras_files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "COMPARING_SECONDS", -1.0)
    model = archive(tmp_path / "archive", keras_files.saved_model)
    assert served(model).engine.name == "tensorflow"


def test_where_openvino_is_demanded_the_reason_is_an_error(tmp_path: Path) -> None:
    model = exported(tmp_path / "model", texts)

    with pytest.raises(EngineError, match=r"^PLUMBLINE_ENGINE=openvino, but .* output of texts"):
        served(archive(tmp_path / "archive", model, 'task = "raw"\n'), "openvino")
