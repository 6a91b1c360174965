"""The kernel's control groups → the cores and the memory this container really has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

UNLIMITED = 1 << 60
"""Control groups v1 write "no limit" as a number near 2⁶³."""


@dataclass(frozen=True)
class Machine:
    """What there is to work with: `cores` may be a fraction, `memory` is in bytes."""

    cores: float
    memory: int


@dataclass(frozen=True)
class Memory:
    """Bytes that may be used, and that are; what the kernel only keeps of files is not used."""

    limit: int
    used: int


def memory(root: Path = Path("/")) -> Memory:
    """The memory of the group, or of the machine, that has the least left."""
    found = [*group_memory(root), *machine_memory(root)]
    return min(found, key=lambda one: one.limit - one.used)


def group_memory(root: Path) -> Iterator[Memory]:
    """What every limited group above this process may use, and does."""
    for folder in folders(root, "memory"):
        for limit_name, use_name, prefix in (
            ("memory.max", "memory.current", ""),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
        ):
            limit, used = read(folder / limit_name), read(folder / use_name)
            if limit.isdigit() and 0 < int(limit) < UNLIMITED and used.isdigit():
                yield Memory(int(limit), int(used) - droppable(folder, prefix))


def droppable(folder: Path, prefix: str) -> int:
    """Bytes of files that the kernel keeps and no process has mapped: it drops them when asked."""
    lines = (line.partition(" ") for line in read(folder / "memory.stat").splitlines())
    stat = {name: int(value) for name, _, value in lines if value.isdigit()}
    of_files = sum(stat.get(f"{prefix}{name}", 0) for name in ("active_file", "inactive_file"))
    mapped = stat.get(f"{prefix}file_mapped", stat.get(f"{prefix}mapped_file", 0))
    return max(0, of_files - mapped)


def machine_memory(root: Path) -> Iterator[Memory]:
    """What the machine has, and what of that is used; macOS does not say the latter."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    lines = (line.split() for line in read(root / "proc/meminfo").splitlines())
    said = {words[0]: int(words[1]) * 1024 for words in lines if len(words) == 3}
    yield Memory(total, total - min(total, said.get("MemAvailable:", total)))


def machine(root: Path = Path("/")) -> Machine:
    """The smaller of what the hardware has and what the control groups allow."""
    cores = [float(available_cores()), *quotas(root)]
    memory = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *memory_limits(root)]
    return Machine(min(cores), min(memory))


def resident(root: Path = Path("/")) -> int:
    """Bytes of memory that this process occupies; 0 where the kernel does not say."""
    _, _, rest = read(root / "proc/self/statm").partition(" ")
    pages = rest.partition(" ")[0]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") if pages.isdigit() else 0


def available_cores() -> int:
    """The cores this process may run on; macOS has no affinity."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quotas(root: Path) -> Iterator[float]:
    """Every CPU quota above this process, in cores."""
    for folder in folders(root, "cpu"):
        quota, period = (
            v2_quota(folder) if (folder / "cpu.max").exists() else v1_quota(folder)
        ) or (0, 0)
        if quota > 0 and period > 0:
            yield quota / period


def v2_quota(folder: Path) -> tuple[int, int] | None:
    """Quota and period in microseconds, as version 2 writes them: "150000 100000"."""
    quota, _, period = read(folder / "cpu.max").partition(" ")
    return (int(quota), int(period)) if quota.isdigit() and period.isdigit() else None


def v1_quota(folder: Path) -> tuple[int, int] | None:
    """The same as version 1 writes them, in two files; -1 is no quota."""
    quota, period = read(folder / "cpu.cfs_quota_us"), read(folder / "cpu.cfs_period_us")
    return (int(quota), int(period)) if quota.isdigit() and period.isdigit() else None


def memory_limits(root: Path) -> Iterator[int]:
    """Every memory limit above this process, in bytes."""
    for folder in folders(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = read(folder / name)
            if limit.isdigit() and 0 < int(limit) < UNLIMITED:
                yield int(limit)


def folders(root: Path, controller: str) -> Iterator[Path]:
    """The folders that limit this process: its own group's, and those above it.

    Inside a container its own group is usually mounted as the top, so the top always counts.
    """
    for line in read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controller in controllers.split(","):
            mount = root / "sys/fs/cgroup" / controllers
            mount = mount if mount.exists() else root / "sys/fs/cgroup" / controller
        elif not controllers:
            mount = root / "sys/fs/cgroup"
        else:
            continue
        inner = PurePosixPath(group.lstrip("/"))
        for path in (inner, *inner.parents):
            yield mount / path


def read(file: Path) -> str:
    """The text of a kernel file; empty where there is none."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""
