"""What is in the image, and what it says of itself."""

from __future__ import annotations

from typing import Any

import pytest
from running_container import Running

pytestmark = pytest.mark.docker

CAPABILITIES = "com.amazonaws.sagemaker.capabilities."


def test_the_entry_point_is_in_exec_form(image: Any) -> None:
    entry_point = image.attrs["Config"]["Entrypoint"]
    assert entry_point[0] not in ("/bin/sh", "sh")
    assert not image.attrs["Config"]["Cmd"]  # a job without a command would serve


def test_the_capabilities_are_labelled(image: Any) -> None:
    labels = {name: value for name, value in image.labels.items() if CAPABILITIES in name}
    assert labels == {
        f"{CAPABILITIES}accept-bind-to-port": "true",
        f"{CAPABILITIES}multi-models": "true",
    }


@pytest.mark.parametrize("program", ["gcc", "cc", "g++", "make", "tini"])
def test_the_image_is_without(server: Running, program: str) -> None:
    found = f"! command -v {program}"
    server.run("sh", "-c", found)


@pytest.mark.parametrize("program", ["pip", "pip3"])
def test_scripts_find_pip_for_the_servers_python(server: Running, program: str) -> None:
    """SageMaker's ModelTrainer looks for it before it runs anything."""
    assert server.run(program, "--version").startswith("pip ")
    assert "Version: " in server.run(program, "show", "pillow")


def test_the_image_holds_no_leftovers(server: Running) -> None:
    assert server.run("sh", "-c", "ls -A /var/lib/apt/lists /var/cache/apt /root/.cache 2>&1 || :")
    assert server.run("find", "/var/lib/apt/lists", "/var/cache/apt", "-type", "f") == ""
    assert server.run("sh", "-c", "find / -xdev -name 'pip' -path '*-packages*' -type d") == ""


def test_the_first_process_is_the_server_itself(server: Running) -> None:
    assert "gunicorn" in server.run("cat", "/proc/1/cmdline")
