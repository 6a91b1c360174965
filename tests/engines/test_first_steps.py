"""README's own steps, to the letter; the wheel; and what `plumbline init` writes for a model."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from made_once import made_once
from warm_processes import WarmProcesses

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).parents[2]

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "container")}

PLUMBLINE = (sys.executable, "-m", "plumbline")


def steps() -> list[list[str]]:
    """The commands of README's own-model path, with which it begins."""
    page = (ROOT / "README.md").read_text("utf-8")
    section = page.partition("\n## Serve your own model\n")[2].partition("\n## ")[0]
    lines = section.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("    plumbline ")]


@contextmanager
def serving(
    *command: str, cwd: Path, environment: dict[str, str] = ENVIRONMENT
) -> Iterator[tuple[int, str]]:
    """`serve` at a port of its own: the port, and all that it has said once it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    log = cwd / "serve.log"
    with log.open("wb") as output:
        typed = [*command, "--port", str(port)]
        process = subprocess.Popen(typed, cwd=cwd, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 120
        while "Ctrl-C stops" not in log.read_text() and process.poll() is None:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        assert process.poll() is None, log.read_text()
        yield port, log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()


@pytest.fixture(scope="module")
def walked(
    demo: Path, tmp_path_factory: pytest.TempPathFactory, warm: WarmProcesses
) -> tuple[Path, list[subprocess.CompletedProcess[str]]]:
    """A folder as `make demo` leaves it, in which README's first two steps were taken."""
    folder = tmp_path_factory.mktemp("my own model")
    shutil.copytree(demo, folder / "build/demo")
    (folder / "build/demo/model.tar.gz").unlink()
    done = [warm.run("-m", *step, cwd=folder, env=ENVIRONMENT) for step in steps()[:2]]
    return folder, done


def test_readmes_steps_lead_to_an_answer(
    walked: tuple[Path, list[subprocess.CompletedProcess[str]]],
) -> None:
    folder, (init, pack) = walked
    assert [step[1] for step in steps()] == ["init", "pack", "serve", "predict"]
    assert init.returncode == 0, init.stderr
    assert pack.returncode == 0, pack.stdout + pack.stderr
    *_, serve, predict = steps()
    with serving(*PLUMBLINE, *serve[1:], cwd=folder) as (port, said):
        asked = subprocess.run(
            [*PLUMBLINE, *predict[1:], "--url", f"http://localhost:{port}"],
            cwd=folder,
            env=ENVIRONMENT,
            check=True,
            capture_output=True,
            text=True,
        )
        assert "  3  " in asked.stdout, "the model has no labels here"
        shown = subprocess.run(
            re.findall(r"^    (curl .*\n.*/invocations)$", said, re.MULTILINE)[0],
            shell=True,
            check=True,
            capture_output=True,
            text=True,
        )
        assert '{"label":"8","class_id":8,' in shown.stdout, "the first golden picture is eight.png"
        refused = subprocess.run(
            [*PLUMBLINE, *serve[1:], "--port", str(port)],
            cwd=folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"Error: Port {port} is taken")
        assert said.count("golden pictures came out right") == 1, "each worker says it"


def test_what_init_says_to_type_is_what_readme_says(
    walked: tuple[Path, list[subprocess.CompletedProcess[str]]],
) -> None:
    _, (init, _) = walked
    [typed] = re.findall(r"^    .*plumbline (pack .*)$", init.stdout, re.MULTILINE)
    assert shlex.split(typed) == steps()[1][1:]


def test_init_writes_over_nothing(
    walked: tuple[Path, list[subprocess.CompletedProcess[str]]], warm: WarmProcesses
) -> None:
    folder, _ = walked
    before = (folder / "plumbline.toml").read_text()
    again = warm.run("-m", *steps()[0], cwd=folder, env=ENVIRONMENT)
    assert again.returncode == 1
    assert again.stderr.startswith("Error: There is a plumbline.toml here already")
    assert (folder / "plumbline.toml").read_text() == before


def test_a_wheel_serves_and_deploys_outside_the_checkout(demo: Path, tmp_path: Path) -> None:
    source, installed = tmp_path / "source", tmp_path / "installed"
    for name in ("container", "deployment"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    options = ["--no-deps", "--no-build-isolation", "--no-compile", "--target", str(installed)]
    subprocess.run([*pip, *options, str(source)], check=True)
    shutil.rmtree(source)
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    program = str(installed / "bin/plumbline")

    with serving(
        program, "serve", str(demo / "model.tar.gz"), cwd=tmp_path, environment=environment
    ) as (port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with closing(connection):
            connection.request("GET", "/")
            assert connection.getresponse().read().startswith(b"<!doctype html>")
            connection.request("GET", "/about")
            assert json.loads(connection.getresponse().read())["state"] == "ready"
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/plumbline:1"
    asked = [program, "deploy", "up", "cats", "--image", image]
    asked += [
        "--model",
        "s3://my-bucket/model.tar.gz",
        "--role",
        "arn:aws:iam::123456789012:role/r",
    ]
    done = subprocess.run(
        [*asked, "--region", "eu-west-1", "--dry-run"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "CreateEndpoint" in done.stdout
    code = "import plumbline, deployment; print(plumbline.__file__, deployment.__file__)"
    found = subprocess.check_output(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True
    )
    assert [Path(name).parents[1] for name in found.split()] == [installed, installed]


@pytest.fixture(scope="module")
def odd_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras 2 file of one channel and two outputs; a SavedModel whose channels come first."""

    def make(folder: Path) -> None:
        import tensorflow as tf
        import tf_keras

        inputs = tf_keras.Input((20, 28, 1))
        pooled = tf_keras.layers.GlobalAveragePooling2D()(
            tf_keras.layers.Conv2D(4, 3, activation="relu")(inputs)
        )
        outputs = [tf_keras.layers.Dense(3)(pooled), tf_keras.layers.Dense(2)(pooled)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Keras, which calls the format legacy
            tf_keras.Model(inputs, outputs).save(folder / "two.h5")

        weights = tf.Variable(tf.random.stateless_normal([3, 7], (0, 1)))

        class FirstChannels(tf.Module):  # type: ignore[misc]
            @tf.function(input_signature=[tf.TensorSpec([None, 3, 12, 16], tf.float32, "x")])
            def serve(self, x):  # type: ignore[no-untyped-def]
                return {"scores": tf.nn.softmax(tf.reduce_mean(x, [2, 3]) @ self.weights)}

        module = FirstChannels()
        module.weights = weights
        tf.saved_model.save(module, folder / "first", signatures=module.serve)

    return made_once(tmp_path_factory, "odd-models", make)


@pytest.mark.parametrize(
    ("model", "declared"),
    [("two.h5", ('color = "gray"', "size = [20, 28]")), ("first", ("size = [12, 16]",))],
)
def test_what_init_writes_packs_as_it_is(
    model: str, declared: tuple[str, ...], odd_models: Path, tmp_path: Path, warm: WarmProcesses
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (2, 40, 50, 3), np.uint8)
    (tmp_path / "photos").mkdir()
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / f"photos/{number}.png")
    origin = odd_models / model
    copied = shutil.copytree if origin.is_dir() else shutil.copyfile
    copied(origin, tmp_path / model)

    init = warm.run("-m", "plumbline", "init", cwd=tmp_path, env=ENVIRONMENT)
    assert init.returncode == 0, init.stderr
    [typed] = re.findall(r"^    .*plumbline (pack .*)$", init.stdout, re.MULTILINE)
    pack = warm.run("-m", "plumbline", *shlex.split(typed), cwd=tmp_path, env=ENVIRONMENT)

    assert pack.returncode == 0, pack.stdout + pack.stderr
    assert "2 golden pictures come out right" in pack.stdout
    text = (tmp_path / "plumbline.toml").read_text()
    assert all(line in text for line in declared)


def test_a_reference_that_returns_a_class_is_told_what_the_model_returns(
    walked: tuple[Path, list[subprocess.CompletedProcess[str]]],
    tmp_path: Path,
    warm: WarmProcesses,
) -> None:
    folder, _ = walked
    shutil.copytree(folder / "build", tmp_path / "build")
    shutil.copyfile(folder / "plumbline.toml", tmp_path / "plumbline.toml")
    written = (folder / "notebook.py").read_text()
    notebook = written.replace("return outputs[0]", "return int(outputs[0].argmax())")
    (tmp_path / "notebook.py").write_text(notebook)
    pack = warm.run("-m", *steps()[1], cwd=tmp_path, env=ENVIRONMENT)
    assert pack.returncode == 1
    assert "For each picture the model returns output_0: float32 [10]. Return that," in pack.stderr
    assert not (tmp_path / "model.tar.gz").exists()
