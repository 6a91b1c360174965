"""The images' files that can be read without building them: locks, licences, the Dockerfile."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from plumbline.settings.environment import read

ROOT = Path(__file__).parents[2]

sys.path.insert(0, str(ROOT / "images"))
import inventory  # noqa: E402

LOCKS = ("server", "slim", "gpu")

IMAGE = {
    "platform_machine": "x86_64",
    "sys_platform": "linux",
    "python_version": "3.13",
    "python_full_version": "3.13.5",
    "extra": "",
}
"""Where the lines of a lock are for, as far as they ask."""


def locked(name: str) -> dict[str, str]:
    """What an image is installed from, for x86_64: names → versions."""
    text = (ROOT / f"requirements/{name}.txt").read_text("utf-8")
    lines = re.findall(r"^([a-z0-9][^\\\n]*==[^\\\n]*?) ?\\$", text, re.MULTILINE)
    wanted = [Requirement(line) for line in lines]
    return {
        each.name: str(each.specifier).removeprefix("==")
        for each in wanted
        if each.marker is None or each.marker.evaluate(IMAGE)
    }


def rows() -> dict[str, tuple[str, set[str]]]:
    """The table of docs/licences.md: names → licence, images."""
    text = (ROOT / "docs/licences.md").read_text("utf-8")
    text = text.partition("|---|---|---|\n")[2]
    found = re.findall(r"^\| ([a-z0-9-]+) \| (.*) \| ([a-z, ]+) \|$", text, re.MULTILINE)
    return {name: (licence, set(images.split(", "))) for name, licence, images in found}


@pytest.mark.parametrize("name", LOCKS)
def test_the_licence_of_everything_that_is_locked_is_on_the_page(name: str) -> None:
    listed = {package for package, (_, images) in rows().items() if name in images}

    assert listed == set(locked(name)), "images/licences.py writes docs/licences.md anew"


def test_the_licences_are_those_that_the_packages_name() -> None:
    here = {each.name: ", ".join(each.licences) for each in inventory.python_packages()}
    told = {name: licence for name, (licence, _) in rows().items()}
    wanted = {
        name: here[name] for name, number in locked("server").items() if is_here(name, number)
    }

    assert len(wanted) > 30
    assert {name: told[name] for name in wanted} == wanted


def is_here(name: str, number: str) -> bool:
    """Whether this very version is installed."""
    try:
        return version(name) == number
    except PackageNotFoundError:
        return False


def test_the_gpu_s_lock_has_the_versions_of_the_server_s() -> None:
    server, gpu = locked("server"), locked("gpu")

    assert {name: gpu[name] for name in server if name in gpu} == {
        name: number for name, number in server.items() if name in gpu
    }
    assert set(server) - set(gpu) == {"tensorflow-cpu"}
    assert gpu["tensorflow"] == server["tensorflow-cpu"]
    assert {"nvidia-cudnn-cu12", "nvidia-cublas-cu12"} < set(gpu)


def stage(name: str) -> str:
    """A stage of the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    return re.split(r"^FROM ", text.partition(f" AS {name}\n")[2], flags=re.MULTILINE)[0]


def test_the_image_for_gpus_computes_batches_in_one_process() -> None:
    variables = dict(re.findall(r"\b([A-Z0-9_]+)=(\S+)", stage("gpu").partition("ENV ")[2]))

    chosen = read(variables)

    assert (chosen.engine, chosen.workers) == ("tensorflow", 1)
    assert (chosen.most_together, chosen.parallel_batches) == (32, 2)
    assert variables["NVIDIA_TF32_OVERRIDE"] == "0"


@pytest.mark.parametrize("name", LOCKS)
def test_each_image_holds_its_inventory(name: str) -> None:
    assert re.search(
        r"^COPY --from=\S*inventory \S+ /usr/share/doc/plumbline$", stage(name), re.MULTILINE
    )
