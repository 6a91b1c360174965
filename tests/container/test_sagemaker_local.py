"""Batch transform, an endpoint and training by the SageMaker SDK's local mode in the real image.

All of its tests are here, and so run one after another: each makes a network of the same name.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image
from test_training import TELLS

from labelled_layouts import digits
from plumbline.archive import manifest, tarball

pytestmark = [pytest.mark.docker, pytest.mark.compose, pytest.mark.tensorflow]

ROOT = Path(__file__).parents[2]

NOBODY = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_EC2_METADATA_DISABLED": "true",
}

Expect = Callable[[bytes], np.ndarray]


@dataclass(frozen=True)
class Done:
    """How the script ended."""

    status: int
    said: str
    log: str

    def asked(self, method_and_path: str) -> int:
        """How many requests the server has logged, of those that it answered with 200."""
        return len(re.findall(rf"{method_and_path} 200 ", self.log))


Local = Callable[..., Done]


@pytest.fixture
def network() -> Iterator[None]:
    """The SDK makes a network and leaves it; one that is in use stays."""
    yield
    subprocess.run(["docker", "network", "rm", "sagemaker-local"], check=False, capture_output=True)


@pytest.fixture
def local(image: Any, network: None) -> Local:
    """Run the script in local mode, against the image under test: `local("endpoint", …)`."""

    def run(*arguments: object) -> Done:
        with socket.socket() as probe:
            probe.bind(("", 0))
            port = probe.getsockname()[1]
        script = [sys.executable, ROOT / "local_test/sagemaker_local.py", *map(str, arguments)]
        done = subprocess.run(
            [*script, "--image", image.tags[0], "--port", str(port)],
            env={**os.environ, **NOBODY},
            check=False,
            capture_output=True,
            text=True,
            timeout=180,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="module")
def archive(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's model, which turns photographs upright and answers as SageMaker's own do."""
    folder = tmp_path_factory.mktemp("builtin")
    shutil.copytree(model, folder / "model")
    declared = folder / "model/plumbline.toml"
    text = declared.read_text("utf-8").replace("exif = false", "exif = true")
    declared.write_text(f'{text}\n[response]\nformat = "builtin"\n', "utf-8")
    manifest.write(folder / "model")
    tarball.pack(folder / "model", folder / "model.tar.gz")
    return folder / "model.tar.gz"


def photographs() -> Iterator[tuple[str, Image.Image]]:
    """Photographs as people have them: in colour and gray, wide and high."""
    for name in ("astronaut", "camera", "chelsea", "coffee", "rocket"):
        yield name, Image.fromarray(getattr(skimage.data, name)())
    for name in ("china", "flower"):
        yield name, Image.fromarray(load_sample_image(f"{name}.jpg"))


def sideways(photograph: Image.Image) -> bytes:
    """A JPEG file as a camera held sideways writes it: turned, and a note in EXIF of how."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(photograph.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture(scope="module")
def pictures() -> dict[str, bytes]:
    """Files by their names."""
    files = {}
    for name, photograph in photographs():
        files[f"{name}.png"] = encoded(photograph, "PNG")
        files[f"{name}.jpg"] = encoded(photograph, "JPEG", quality=92, progressive=name == "coffee")
    files["china sideways.jpg"] = sideways(Image.fromarray(load_sample_image("china.jpg")))
    return files


@pytest.fixture
def folder(pictures: dict[str, bytes], tmp_path: Path) -> Path:
    """A folder with the photographs."""
    root = tmp_path / "photographs"
    root.mkdir()
    for name, data in pictures.items():
        (root / name).write_bytes(data)
    return root


@pytest.fixture(scope="session")
def expect_upright(expect: Expect) -> Expect:
    """Keras's own probabilities for a photograph that Pillow has turned upright."""

    def predict(picture: bytes) -> np.ndarray:
        return expect(encoded(ImageOps.exif_transpose(Image.open(io.BytesIO(picture))), "PNG"))

    return predict


def answers(file: Path) -> list[dict[str, Any]]:
    """The documents of a file of lines."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line]


def assert_predicted(answer: dict[str, Any], expected: np.ndarray) -> None:
    assert list(answer) == ["prediction"]
    np.testing.assert_allclose(answer["prediction"], expected, rtol=0, atol=1e-5)


def test_a_folder_of_photographs_is_transformed(
    local: Local,
    archive: Path,
    folder: Path,
    pictures: dict[str, bytes],
    expect_upright: Expect,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    (folder / "notes.txt").write_text("These are no photograph.")
    job = ("--content-type", "application/x-image", "--split-type", "None")
    sizes = ("--strategy", "SingleRecord", "--max-concurrent", 16, "--max-payload", 6)

    done = local("transform", archive, folder, "--out", out, *job, *sizes)

    assert sorted(file.name for file in out.iterdir()) == sorted(f"{name}.out" for name in pictures)
    for name, picture in pictures.items():
        (answer,) = answers(out / f"{name}.out")
        assert_predicted(answer, expect_upright(picture))
    assert done.asked("POST /invocations") == len(pictures)
    assert done.status == 1
    assert re.search(r'notes\.txt: .*"not_an_image"', done.log)


def test_what_can_not_be_read_is_answered_in_its_line(
    local: Local,
    archive: Path,
    pictures: dict[str, bytes],
    expect_upright: Expect,
    tmp_path: Path,
) -> None:
    lines = [json.dumps({"b64": base64.b64encode(data).decode()}) for data in pictures.values()]
    bad = {2: '{"b64": "bm8gcGljdHVyZQ=="}', 5: '{"b64": ', 8: '{"picture": "cat.jpg"}'}
    for number, line in bad.items():
        lines.insert(number, line)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/photographs.jsonl").write_text("".join(f"{line}\n" for line in lines))
    job = ("--split-type", "Line", "--strategy", "MultiRecord", "--assemble-with", "Line")

    done = local(
        "transform", archive, tmp_path / "in", "--out", tmp_path / "out", *job, "--max-payload", 1
    )

    assert done.status == 0, done.log
    assert 1 < done.asked("POST /invocations") < len(lines)
    said = answers(tmp_path / "out/photographs.jsonl.out")
    assert len(said) == len(lines)
    codes = {number: answer["error"]["code"] for number, answer in enumerate(said) if number in bad}
    assert codes == {2: "not_an_image", 5: "invalid_json", 8: "invalid_instances"}
    good = [answer for number, answer in enumerate(said) if number not in bad]
    for answer, picture in zip(good, pictures.values(), strict=True):
        assert_predicted(answer, expect_upright(picture))


def test_the_server_says_how_much_it_takes_at_once(
    local: Local, archive: Path, pictures: dict[str, bytes], tmp_path: Path
) -> None:
    """SageMaker sends 6 MB at once, unless the job or GET /execution-parameters say otherwise."""
    picture = base64.b64encode(pictures["astronaut.png"]).decode()
    lines = [json.dumps({"b64": picture})] * (1 + 8 * 1024 * 1024 // len(picture))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/astronauts.jsonl").write_text("".join(f"{line}\n" for line in lines))
    machine = ("--env", "PLUMBLINE_WORKERS=1", "--env", "PLUMBLINE_SLOTS=2")

    done = local(
        "transform", archive, tmp_path / "in", "--out", tmp_path / "out", "--split-type", "Line",
        *machine,
    )  # fmt: skip

    assert done.status == 0, done.log
    assert done.asked("GET /execution-parameters") == 1
    assert done.asked("POST /invocations") <= 1  # Docker Compose may lose the last line at the end
    said = (tmp_path / "out/astronauts.jsonl.out").read_text().splitlines()
    assert len(said) == len(lines)
    assert len(set(said)) == 1


def test_an_endpoint_answers_and_is_gone(
    local: Local, archive: Path, folder: Path, expect_upright: Expect, docker_client: Any
) -> None:
    sent = [folder / "china sideways.jpg", folder / "chelsea.png"]

    done = local("endpoint", archive, *sent)

    assert done.status == 0, done.log
    for line, picture in zip(done.said.splitlines(), sent, strict=True):
        assert_predicted(json.loads(line), expect_upright(picture.read_bytes()))
    left = {"all": True, "filters": {"label": "plumbline.local-mode"}}
    assert docker_client.containers.list(**left) == []


@pytest.mark.usefixtures("network")
def test_sdk_v2s_estimator_trains_in_local_mode(image: Any, tmp_path: Path) -> None:
    """In a process of its own, as the SDK leaves threads and settings behind."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/train.py").write_text(TELLS.replace("CHANNEL_TRAIN", "CHANNEL_TRAINING"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/picture.txt").write_text("none")
    code = f"""
from pathlib import Path
from sagemaker.estimator import Estimator
from sagemaker_local import local_session
session = local_session(Path({str(tmp_path)!r}), 8080)
session.config["local"]["local_code"] = True
estimator = Estimator(
    image_uri={image.tags[0]!r}, role="arn:aws:iam::123456789012:role/r", instance_count=1,
    instance_type="local", sagemaker_session=session, entry_point="train.py",
    source_dir={str(tmp_path / "source")!r}, hyperparameters={{"epochs": 5, "name": "a b"}},
    output_path="file://{tmp_path}/out",
)
estimator.fit({{"training": "file://{tmp_path}/data"}})
"""
    done = alone(code, tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "running" in done.stdout + done.stderr


def alone(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Some code of a user of the SDK, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=home,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "local_test"),
            **NOBODY,
            "AWS_DEFAULT_REGION": "us-east-1",
            "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
            "SAGEMAKER_USER_CONFIG_OVERRIDE": str(home / "config.yaml"),
            "HOME": str(home),
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=180,
    )


NO_TELEMETRY = """
SchemaVersion: "1.0"
SageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}
"""


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("by", ["script", "recipe"])
def test_model_trainer_trains_in_local_mode(by: str, image: Any, tmp_path: Path) -> None:
    """The SDK's newer interface, which names its own entrypoint for a script, and none for data."""
    (tmp_path / "config.yaml").write_text(NO_TELEMETRY)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/train.py").write_text(TELLS.replace("CHANNEL_TRAIN", "CHANNEL_TRAINING"))
    for number, (data, label) in enumerate(digits(24, 2)):
        file = tmp_path / f"data/class {label}/{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    source = f'SourceCode(source_dir={str(tmp_path / "source")!r}, entry_script="train.py")'
    given = {"script": {"epochs": 5}, "recipe": {"epochs": "1", "size": "32"}}[by]
    code = f"""
from sagemaker_core.helper.session_helper import Session
from sagemaker.modules.configs import Compute, InputData, SourceCode
from sagemaker.modules.train import ModelTrainer
from sagemaker.modules.train.model_trainer import Mode
trainer = ModelTrainer(
    training_image={image.tags[0]!r}, role="arn:aws:iam::123456789012:role/r", base_job_name="job",
    training_mode=Mode.LOCAL_CONTAINER, sagemaker_session=Session(), hyperparameters={given!r},
    source_code={source if by == "script" else None}, local_container_root={str(tmp_path)!r},
    compute=Compute(instance_type="local_cpu", instance_count=1),
)
data = InputData(channel_name="training", data_source={str(tmp_path / "data")!r})
trainer.train(input_data_config=[data], wait=True)
"""
    done = alone(code, tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    expected = {"script": "running", "recipe": "The model is packed."}[by]
    assert expected in done.stdout + done.stderr
