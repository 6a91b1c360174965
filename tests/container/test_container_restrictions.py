"""Every restriction that SageMaker may run a container under, and those of careful people."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from running_container import Running

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]


def test_it_serves_as_a_user_without_a_home_and_without_shared_memory(serve, demo) -> None:
    """A read-only disk, no privileges, no network: see test_conform_images.py."""
    homeless = {"HOME": "/nowhere", "SAGEMAKER_BIND_TO_PORT": "9123"}
    server: Running = serve(user="12345", environment=homeless, tmpfs={"/dev/shm": "ro"})

    assert next(iter(server.invoke(demo.pictures["seven"]).scores)) == "seven"


def test_a_gigabyte_is_enough_for_large_pictures(serve, crowd, large_jpeg: bytes, demo) -> None:
    server: Running = serve(mem_limit="1g", memswap_limit="1g")

    answers = [answer.result() for answer in crowd(6, server.invoke, large_jpeg)]

    assert {answer.status for answer in answers} <= {200, 503}
    assert 200 in {answer.status for answer in answers}
    server.container.reload()
    assert not server.container.attrs["State"]["OOMKilled"]
    assert "SIGKILL" not in server.said(), "a worker was killed"
    assert server.invoke(demo.pictures["three"]).status == 200


@pytest.mark.parametrize("cores", [1, 1.5])
def test_the_container_s_own_limits_are_seen(docker_client: Any, image: Any, cores: float) -> None:
    seen = "from plumbline.machine.cgroups import machine; print(machine())"
    limits = {"nano_cpus": int(cores * 1e9), "mem_limit": "1g"}

    said = docker_client.containers.run(
        image.id, ["-c", seen], entrypoint="python3", remove=True, **limits
    )

    found = re.findall(r"[\d.]+", said.decode())
    assert [float(number) for number in found] == [cores, 1024**3]


def test_the_scripts_for_people_serve_and_ask(image: Any, demo, server: Running) -> None:
    script = ROOT / "local_test/serve_local.sh"
    picture = ROOT / "local_test/payloads/digit-three.png"
    isolated = subprocess.run(
        [script, "--isolated", "--image", image.id, "--picture", picture, demo.archive],
        check=False,
        capture_output=True,
        text=True,
    )
    assert isolated.returncode == 0, isolated.stderr
    assert '{"predictions":[{"classes":[{"label":"three",' in isolated.stdout

    predicted = subprocess.run(
        [ROOT / "local_test/predict.sh", picture, f"http://localhost:{server.published}"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert predicted.returncode == 0, predicted.stderr
    assert "three" in predicted.stdout
