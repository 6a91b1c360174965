"""Handlers in the real image: what they need is there, or comes from the archive."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running_container import Running, readable, wait_until

from wheels import NAME, wheel

pytestmark = pytest.mark.docker

ZOO = Path(__file__).parents[1] / "handlers_zoo"

IMPORTING = f"""
import boto3, flask, numpy, PIL, requests
from {NAME} import CAT


def output_fn(prediction, accept):
    return f"{{CAT}} {{prediction.argmax()}}", "text/plain"
"""


@pytest.fixture
def handled(model: Path, tmp_path: Path) -> Callable[[Path], Path]:
    """The demo's model, unpacked by hand, with a handler."""

    def make(code: Path) -> Path:
        folder = tmp_path / "model"
        shutil.copytree(model, folder, ignore=shutil.ignore_patterns("manifest.json", "golden"))
        shutil.copytree(code, folder / "code")
        readable(folder)
        return folder

    return make


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A handler that needs what no image has, with its wheel."""
    folder = tmp_path / "code"
    folder.mkdir()
    wheel(folder / "wheels")
    (folder / "inference.py").write_text(IMPORTING)
    (folder / "requirements.txt").write_text(f"numpy\nrequests\n{NAME}==1.2\n")
    return folder


def test_wheels_are_installed_without_a_network_on_a_read_only_disk(
    start, demo, code: Path, handled: Callable[[Path], Path]
) -> None:
    server: Running = start(
        handled(code),
        environment={"PLUMBLINE_INSTALL_REQUIREMENTS": "1", "PIP_NO_INDEX": "1"},
        read_only=True,
        tmpfs={"/tmp": ""},
        user="12345",
    )
    wait_until(server.is_ready)
    answer = server.invoke(demo.pictures["seven"])
    assert (answer.status, answer.body.split()[0]) == (200, b"miaow")


def test_a_leak_does_not_meet_the_kernel(start, handled: Callable[[Path], Path]) -> None:
    options: dict[str, Any] = {"mem_limit": "1g", "memswap_limit": "1g"}
    server: Running = start(handled(ZOO / "dangerous"), **options)
    wait_until(server.is_ready)
    (first,) = server.workers()

    def leaked() -> bool:
        answer = server.invoke(b"leak", "text/plain")
        assert answer.status == 200, answer.body
        return first not in server.workers()

    wait_until(leaked)
    server.container.reload()
    assert not server.container.attrs["State"]["OOMKilled"]
    assert "SIGKILL" not in server.said(), "a worker was killed"
