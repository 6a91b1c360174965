"""What the kernel and the installation say of a server: its beginning, memory, CPU time, build."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import plumbline
from plumbline.machine import cgroups

LOADED = time.time()

PEAKS = (
    ("memory.max", "memory.peak"),
    ("memory.limit_in_bytes", "memory.max_usage_in_bytes"),
)
"""The files of a group that hold its limit, and the most that it has used."""


def started(pid: int, root: Path = Path("/")) -> float:
    """When a process began, in seconds since 1970; this module's import where nobody says."""
    boot = [line.split() for line in cgroups.read(root / "proc/stat").splitlines()]
    booted = next((int(words[1]) for words in boot if words[:1] == ["btime"]), None)
    fields = cgroups.read(root / f"proc/{pid}/stat").rpartition(")")[2].split()
    if booted is None or len(fields) < 20:
        return LOADED
    return booted + int(fields[19]) / os.sysconf("SC_CLK_TCK")


def memory(root: Path = Path("/")) -> Iterator[tuple[str, int]]:
    """Bytes by their kind: `used`, `limit`, and that group's `peak` where the kernel keeps it."""
    found = cgroups.memory(root)
    yield "used", found.used
    yield "limit", found.limit
    for folder in cgroups.folders(root, "memory"):
        for limit, peak in PEAKS:
            text = cgroups.read(folder / peak)
            if text.isdigit() and cgroups.read(folder / limit) == str(found.limit):
                yield "peak", int(text)
                return


def cpu_seconds(root: Path = Path("/")) -> float | None:
    """CPU time of this process's group; None where the kernel does not say."""
    for folder in (*cgroups.folders(root, "cpu"), *cgroups.folders(root, "cpuacct")):
        words = cgroups.read(folder / "cpu.stat").split()
        said = dict(zip(words[::2], words[1::2], strict=False))
        if "usage_usec" in said:
            return int(said["usage_usec"]) / 1e6
        if (text := cgroups.read(folder / "cpuacct.usage")).isdigit():
            return int(text) / 1e9
    return None


@cache
def build() -> dict[str, str]:
    """The versions of what computes; `target` is the image that has them."""
    tensorflow = installed("tensorflow-cpu") or installed("tensorflow")
    return {
        "version": plumbline.__version__,
        "target": "server" if tensorflow else "slim",
        "openvino": installed("openvino"),
        "tensorflow": tensorflow,
    }


def installed(package: str) -> str:
    """A package's version; empty where it isn't installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
