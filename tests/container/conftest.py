"""The image, built as README says; the demo archive; Keras's own answers to compare with."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from running_container import Running, readable, running, wait_until

from made_once import made_once
from plumbline.archive.tarball import unpack

ROOT = Path(__file__).parents[2]

IMAGE = "plumbline-test"

LOCK = ROOT / "build/test-images.lock"
"""Who builds holds it; whoever waited for it finds every layer built."""


@pytest.fixture(scope="session")
def docker_client() -> Iterator[Any]:
    """A client of the Docker engine."""
    import docker

    client = docker.from_env(timeout=120)
    yield client
    client.close()


@pytest.fixture(scope="session")
def image(docker_client: Any) -> Any:
    """The image, built from the Dockerfile by `make image`."""
    return built(docker_client, IMAGE, "server")


@pytest.fixture(scope="session")
def slim_image(docker_client: Any) -> Any:
    """The image without TensorFlow."""
    return built(docker_client, f"{IMAGE}-slim", "slim")


def built(docker_client: Any, name: str, target: str) -> Any:
    """One of the Dockerfile's images."""
    variables = ("DOCKER_BUILD_FLAGS", "BASE_IMAGE")
    given = [f"{name}={os.environ[name]}" for name in variables if os.environ.get(name)]
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            ["make", "image", f"IMAGE={name}", f"TARGET={target}", *given],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return docker_client.images.get(name)


@dataclass(frozen=True)
class Demo:
    """What the demo leaves behind."""

    archive: Path
    keras: Path
    pictures: dict[str, bytes]
    """PNG files by label."""


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo's model; trained here unless `make demo` has done it."""
    folder = ROOT / "build/demo"
    if not (folder / "model.tar.gz").exists():
        folder = made_once(tmp_path_factory, "demo", train)
    pictures = {file.stem: file.read_bytes() for file in folder.glob("pictures/*.png")}
    return Demo(folder / "model.tar.gz", folder / "digits.keras", pictures)


def train(folder: Path) -> None:
    """Make the demo's model in the folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "container")}
    command = [sys.executable, "model/examples/digits.py", "--out", folder]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)


@pytest.fixture(scope="session")
def model(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's archive, unpacked as SageMaker does."""
    folder = tmp_path_factory.mktemp("model")
    unpack(demo.archive, folder)
    readable(folder)
    return folder


@pytest.fixture(scope="session")
def expect(demo: Demo) -> Callable[[bytes], np.ndarray]:
    """Keras's own probabilities for a picture, by the notebook's own preprocessing."""
    import keras

    network = keras.models.load_model(demo.keras)

    def predict(picture: bytes) -> np.ndarray:
        small = Image.open(io.BytesIO(picture)).convert("RGB").resize((32, 32), Image.BILINEAR)
        return network.predict(np.asarray(small, np.float32)[np.newaxis] / 255, verbose=0)[0]

    return predict


Start = Callable[..., Running]


@pytest.fixture
def start(docker_client: Any, image: Any, model: Path) -> Iterator[Start]:
    """Start a container: `start(read_only=True)`, the options being those of the Docker SDK."""
    with ExitStack() as stack:

        def run(model_folder: Path = model, **options: Any) -> Running:
            started = running(docker_client, image.id, model_folder, **options)
            return stack.enter_context(started)

        yield run


@pytest.fixture
def serve(start: Start) -> Start:
    """Start a container and wait until it is ready."""

    def ready(**options: Any) -> Running:
        server = start(**options)
        wait_until(server.is_ready)
        return server

    return ready


@pytest.fixture(scope="session")
def server(docker_client: Any, image: Any, model: Path) -> Iterator[Running]:
    """One container for all tests that leave it as it was."""
    with running(docker_client, image.id, model) as started:
        wait_until(started.is_ready)
        yield started


@pytest.fixture
def crowd() -> Iterator[Callable[..., list[Future[Any]]]]:
    """Do something many times at once: `crowd(6, server.invoke, picture)`."""
    with ThreadPoolExecutor(32) as pool:
        yield lambda count, act, *args: [pool.submit(act, *args) for _ in range(count)]


@pytest.fixture(scope="session")
def broken_model(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's model without its variables."""
    folder = tmp_path_factory.mktemp("broken") / "model"
    shutil.copytree(model, folder, ignore=shutil.ignore_patterns("variables"))
    readable(folder)
    return folder


def as_jpeg(picture: bytes) -> bytes:
    """The picture as a JPEG file."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def jpeg() -> Callable[[bytes], bytes]:
    """A converter to JPEG."""
    return partial(as_jpeg)


@pytest.fixture(scope="session")
def large_jpeg() -> bytes:
    """A JPEG of 48 megapixels: as many as are decoded by default."""
    buffer = io.BytesIO()
    Image.new("RGB", (8000, 6000), (90, 120, 150)).save(buffer, "JPEG")
    return buffer.getvalue()
