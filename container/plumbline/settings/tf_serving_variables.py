"""The settings of SageMaker's TensorFlow Serving container → ours, and those that change nothing.

They are those that its `serve` reads, by the beginnings of their names (`PREFIXES`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from plumbline.machine.cgroups import Machine
from plumbline.machine.sizing import MEMORY_PER_WORKER
from plumbline.settings.variable_values import boolean, checked, log_level, whole

DEFAULT_MODEL = "SAGEMAKER_TFS_DEFAULT_MODEL_NAME"
"""Which of several models answers a request that names none."""

WORKERS = ("SAGEMAKER_GUNICORN_WORKERS", "SAGEMAKER_TFS_INSTANCE_COUNT")
THREADS = "SAGEMAKER_GUNICORN_THREADS"
TIMEOUTS = ("SAGEMAKER_GUNICORN_TIMEOUT_SECONDS", "SAGEMAKER_NGINX_PROXY_READ_TIMEOUT_SECONDS")
BATCHING, BATCH = "SAGEMAKER_TFS_ENABLE_BATCHING", "SAGEMAKER_TFS_MAX_BATCH_SIZE"
LOG_LEVEL = "SAGEMAKER_GUNICORN_LOGLEVEL"

LONGEST = 3600
"""Seconds: as long as a request may take at all."""

LARGEST_BATCH = 256

ANY = whole(1, 10**9)


def patience(text: str) -> int:
    """Seconds; 0 is for ever."""
    return min(whole(0, 10**9)(text) or LONGEST, LONGEST)


READERS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        **dict.fromkeys(WORKERS, ANY),
        THREADS: whole(1, 1024),
        **dict.fromkeys(TIMEOUTS, patience),
        BATCHING: boolean,
        BATCH: ANY,
        LOG_LEVEL: log_level,
    }
)
"""What is heeded, and what its text may be."""

PREFIXES = ("SAGEMAKER_TFS_", "SAGEMAKER_GUNICORN_", "SAGEMAKER_NGINX_")


def translated(environ: Mapping[str, str], machine: Machine) -> dict[str, str]:
    """Our variables with the same meaning. Raises `SettingError`."""
    asked = {
        name: checked(name, environ[name], read)
        for name, read in READERS.items()
        if environ.get(name)
    }
    found = {
        "PLUMBLINE_WORKERS": processes(asked, machine),
        "PLUMBLINE_SLOTS": asked.get(THREADS),
        "PLUMBLINE_DEADLINE_SECONDS": largest(asked, TIMEOUTS),
        "PLUMBLINE_BATCH": batch(asked),
        "PLUMBLINE_LOG_LEVEL": asked.get(LOG_LEVEL),
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def processes(asked: Mapping[str, Any], machine: Machine) -> int | None:
    """As many as are asked for, and as there are cores, and memory: each holds a model."""
    wanted = largest(asked, WORKERS)
    most = min(math.ceil(machine.cores), machine.memory // MEMORY_PER_WORKER)
    return None if wanted is None else max(1, min(wanted, most))


def batch(asked: Mapping[str, Any]) -> int | None:
    """How many instances are computed together; one, where that is switched off."""
    if not asked.get(BATCHING, True):
        return 1
    return min(asked[BATCH], LARGEST_BATCH) if BATCH in asked else None


def largest(asked: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The largest of the values that are there."""
    return max((asked[name] for name in names if name in asked), default=None)


ALONE = (*WORKERS, DEFAULT_MODEL)
"""What has a meaning only where there are not many models, each loaded by its name."""


def ignored(environ: Mapping[str, str], *, many: bool = False) -> list[str]:
    """The variables of that container that are set and change nothing here."""
    heeded = {*READERS, DEFAULT_MODEL} - {*(ALONE if many else ())}
    return sorted(name for name in environ if name.startswith(PREFIXES) and name not in heeded)
