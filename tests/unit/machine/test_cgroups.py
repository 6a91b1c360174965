"""Control groups → cores and memory, on trees like those that kernels and Docker make."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plumbline.machine import cgroups
from plumbline.machine.cgroups import Machine, Memory, machine, memory, memory_limits, quotas

GIB = 1024**3

V1_LINES = "4:memory:{0}\n3:cpu,cpuacct:{0}\n1:name=systemd:{0}\n"
V1_UNLIMITED = "9223372036854771712"

TREES: dict[str, tuple[dict[str, str], list[float], list[int]]] = {
    "v2, in a container": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/memory.max": f"{GIB}\n",
        },
        [1.5],
        [GIB],
    ),
    "v2, no limit": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cpu.max": "max 100000\n",
            "sys/fs/cgroup/memory.max": "max\n",
        },
        [],
        [],
    ),
    "v2, limits at ancestors": (
        {
            "proc/self/cgroup": "0::/kubepods/pod1/app\n",
            "sys/fs/cgroup/kubepods/cpu.max": "800000 100000\n",
            "sys/fs/cgroup/kubepods/memory.max": "max\n",
            "sys/fs/cgroup/kubepods/pod1/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/kubepods/pod1/memory.max": f"{2 * GIB}\n",
            "sys/fs/cgroup/kubepods/pod1/app/cpu.max": "max 100000\n",
            "sys/fs/cgroup/kubepods/pod1/app/memory.max": f"{4 * GIB}\n",
        },
        [2.0, 8.0],
        [4 * GIB, 2 * GIB],
    ),
    "v2, the host's path in a container without a namespace": (
        {
            "proc/self/cgroup": "0::/system.slice/docker-abc.scope\n",
            "sys/fs/cgroup/cpu.max": "50000 100000\n",
            "sys/fs/cgroup/memory.max": f"{GIB}\n",
        },
        [0.5],
        [GIB],
    ),
    "v1, in a container": (
        {
            "proc/self/cgroup": V1_LINES.format("/docker/abc"),
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{3 * GIB}\n",
        },
        [2.5],
        [3 * GIB],
    ),
    "v1, mounted by the controller's own name": (
        {
            "proc/self/cgroup": V1_LINES.format("/"),
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "200000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB}\n",
        },
        [2.0],
        [GIB],
    ),
    "v1, no limit": (
        {
            "proc/self/cgroup": V1_LINES.format("/"),
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{V1_UNLIMITED}\n",
        },
        [],
        [],
    ),
    "v1, limits at an ancestor": (
        {
            "proc/self/cgroup": V1_LINES.format("/pods/app"),
            "sys/fs/cgroup/cpu,cpuacct/pods/cpu.cfs_quota_us": "300000\n",
            "sys/fs/cgroup/cpu,cpuacct/pods/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/pods/app/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/pods/app/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/pods/memory.limit_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/memory/pods/app/memory.limit_in_bytes": f"{V1_UNLIMITED}\n",
        },
        [3.0],
        [GIB],
    ),
    "hybrid: v1 limits, v2 for systemd": (
        {
            "proc/self/cgroup": V1_LINES.format("/app") + "0::/app\n",
            "sys/fs/cgroup/unified/app/cgroup.procs": "1\n",
            "sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/app/memory.limit_in_bytes": f"{GIB}\n",
        },
        [1.0],
        [GIB],
    ),
    "a path outside the namespace": (
        {"proc/self/cgroup": "0::/../../other\n", "sys/fs/cgroup/memory.max": f"{GIB}\n"},
        [],
        [GIB],
    ),
    "nonsense": (
        {
            "proc/self/cgroup": "what\n0::/\n\n",
            "sys/fs/cgroup/cpu.max": "much\n",
            "sys/fs/cgroup/memory.max": "\n",
        },
        [],
        [],
    ),
    "no period": (
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 0\n"},
        [],
        [],
    ),
    "no control groups, as on macOS": ({}, [], []),
}


def plant(tree: dict[str, str], root: Path) -> Path:
    for name, text in tree.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(("tree", "cores", "memory"), TREES.values(), ids=TREES)
def test_every_limit_above_the_process_is_found(
    tree: dict[str, str], cores: list[float], memory: list[int], tmp_path: Path
) -> None:
    root = plant(tree, tmp_path)
    assert list(quotas(root)) == cores
    assert list(memory_limits(root)) == memory


def test_the_smallest_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "available_cores", lambda: 96)
    tree, _, _ = TREES["v2, limits at ancestors"]
    assert machine(plant(tree, tmp_path)) == Machine(cores=2.0, memory=2 * GIB)


def test_the_hardware_is_a_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "available_cores", lambda: 1)
    root = plant({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "400000 100000"}, tmp_path)
    assert machine(root).cores == 1.0


def test_without_limits_it_is_the_hardware(tmp_path: Path) -> None:
    hardware = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert machine(tmp_path) == Machine(float(cgroups.available_cores()), hardware)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="macOS has no affinity")
def test_cores_it_may_not_run_on_do_not_count() -> None:
    assert cgroups.available_cores() == len(os.sched_getaffinity(0))


MEMINFO = "MemTotal: 99 kB\nMemFree: 1 kB\nMemAvailable: 4194304 kB\nHugePages_Total: 0\n"

V2_STAT = "anon 300\nfile 700\nfile_mapped 100\ninactive_file 450\nactive_file 250\n"
V1_STAT = (
    "cache 1\nmapped_file 1\ntotal_mapped_file 100\ntotal_inactive_file 450\n"
    "total_active_file 250\nactive_file 1\n"
)

USED = {
    "v2": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": f"{GIB}\n",
            "sys/fs/cgroup/memory.current": "1000\n",
            "sys/fs/cgroup/memory.stat": V2_STAT,
        },
        Memory(GIB, 400),
    ),
    "v1": (
        {
            "proc/self/cgroup": V1_LINES.format("/docker/abc"),
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "1000\n",
            "sys/fs/cgroup/memory/memory.stat": V1_STAT,
        },
        Memory(GIB, 400),
    ),
    "v2, the group above has less left": (
        {
            "proc/self/cgroup": "0::/pod/app\n",
            "sys/fs/cgroup/pod/memory.max": f"{2 * GIB}\n",
            "sys/fs/cgroup/pod/memory.current": f"{2 * GIB - 10}\n",
            "sys/fs/cgroup/pod/app/memory.max": f"{GIB}\n",
            "sys/fs/cgroup/pod/app/memory.current": "1000\n",
        },
        Memory(2 * GIB, 2 * GIB - 10),
    ),
    "mapped files are more than those that were read, as with shared memory": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": f"{GIB}\n",
            "sys/fs/cgroup/memory.current": "1000\n",
            "sys/fs/cgroup/memory.stat": "file_mapped 900\ninactive_file 450\n",
        },
        Memory(GIB, 1000),
    ),
}


@pytest.mark.parametrize(("tree", "expected"), USED.values(), ids=USED)
def test_memory_in_use_leaves_out_what_the_kernel_can_drop(
    tree: dict[str, str], expected: Memory, tmp_path: Path
) -> None:
    assert memory(plant(tree, tmp_path)) == expected


def test_without_groups_the_machine_s_own_memory_counts(tmp_path: Path) -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    root = plant({"proc/meminfo": MEMINFO}, tmp_path)
    assert memory(root) == Memory(total, total - min(total, 4 * GIB))


def test_where_nobody_says_what_is_used_nothing_is(tmp_path: Path) -> None:
    assert memory(tmp_path).used == 0
