"""What the kernel says of a container, on trees like those that kernels make, and on this one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from plumbline.telemetry import container_facts

GIB = 1024**3


def tree(root: Path, files: dict[str, str]) -> Path:
    """The files below `root`."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


V2 = {
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/memory.max": f"{GIB // 64}\n",
    "sys/fs/cgroup/memory.current": "3000000\n",
    "sys/fs/cgroup/memory.peak": "5000000\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n",
}

V1 = {
    "proc/self/cgroup": "4:memory:/docker/a\n3:cpu,cpuacct:/docker/a\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB // 64}\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": "3000000\n",
    "sys/fs/cgroup/memory/memory.max_usage_in_bytes": "5000000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n",
    "sys/fs/cgroup/cpu,cpuacct/cpuacct.usage": "2500000000\n",
}


@pytest.mark.parametrize("files", [V2, V1], ids=["v2", "v1"])
def test_memory_and_cpu_time_are_those_of_the_control_group(
    files: dict[str, str], tmp_path: Path
) -> None:
    root = tree(tmp_path, files)

    assert dict(container_facts.memory(root)) == {
        "used": 3_000_000,
        "limit": GIB // 64,
        "peak": 5_000_000,
    }
    assert container_facts.cpu_seconds(root) == 2.5


def test_without_a_limit_no_peak_of_another_group_is_told(tmp_path: Path) -> None:
    files = {**V2, "sys/fs/cgroup/memory.max": "max\n"}

    assert set(dict(container_facts.memory(tree(tmp_path, files)))) == {"used", "limit"}


def test_where_the_kernel_says_nothing_nothing_is_told(tmp_path: Path) -> None:
    assert container_facts.cpu_seconds(tmp_path) is None
    assert container_facts.started(1, tmp_path) == container_facts.LOADED


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux has /proc")
def test_a_process_began_before_now() -> None:
    """The name of a process may hold blanks and brackets; ours does not, and is read alike."""
    begun = container_facts.started(os.getpid())

    assert begun <= time.time() + 1
    assert begun > container_facts.started(os.getppid()) - 1
