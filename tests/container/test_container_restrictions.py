"""Every restriction that SageMaker may run a container under, and those of careful people."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from running_container import ASK, Running, wait_until

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]

RESTRICTIONS: dict[str, dict[str, Any]] = {
    "a read-only disk": {"read_only": True, "tmpfs": {"/tmp": ""}},
    "another user without a home": {"user": "12345", "environment": {"HOME": "/nowhere"}},
    "no shared memory": {"ipc_mode": "none", "read_only": True, "tmpfs": {"/tmp": ""}},
    "read-only shared memory": {"tmpfs": {"/dev/shm": "ro"}},
    "another port": {"environment": {"SAGEMAKER_BIND_TO_PORT": "9123"}},
    "no privileges": {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]},
}


@pytest.mark.parametrize("options", RESTRICTIONS.values(), ids=RESTRICTIONS)
def test_it_serves_under(serve, demo, options: dict[str, Any]) -> None:
    server: Running = serve(**options)

    assert next(iter(server.invoke(demo.pictures["seven"]).scores)) == "seven"


def test_it_serves_without_network(start, demo, docker_client: Any) -> None:
    server: Running = start(network_mode="none")

    def ask(path: str, kind: str = "", file: str = "/dev/null") -> list[str]:
        command = f"python3 -c '{ASK}' {path} '{kind}' 8080 < {file}"
        _, output = server.container.exec_run(["sh", "-c", command])
        return str(output.decode()).split("\n", 1)

    wait_until(lambda: ask("/ping")[0] == "200")
    picture = "/opt/ml/model/golden/seven.png"
    status, body = ask("/invocations", "image/png", picture)

    assert status == "200"
    assert json.loads(body)["predictions"][0]["classes"][0]["label"] == "seven"


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
def test_the_container_s_own_limits_are_seen(start, cores: float) -> None:
    server: Running = start(nano_cpus=int(cores * 1e9), mem_limit="1g")
    seen = "from plumbline.machine.cgroups import machine; print(machine())"

    found = re.findall(r"[\d.]+", server.run("python3", "-c", seen))

    assert [float(number) for number in found] == [cores, 1024**3]


def test_the_scripts_for_people_serve_and_ask(image: Any, demo, server: Running) -> None:
    script = ROOT / "local_test/serve_local.sh"
    isolated = subprocess.run(
        [script, "--isolated", "--image", image.id, demo.archive],
        check=False,
        capture_output=True,
        text=True,
    )
    assert isolated.returncode == 0, isolated.stderr
    assert '"predictions"' in isolated.stdout

    picture = ROOT / "local_test/payloads/digit-three.png"
    predicted = subprocess.run(
        [ROOT / "local_test/predict.sh", picture, f"http://localhost:{server.published}"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert predicted.returncode == 0, predicted.stderr
    assert "three" in predicted.stdout
