"""Tests whose processes are forked from one that has imported what they need."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

import pytest

from made_once import made_once
from warm_processes import WarmProcesses


@contextmanager
def forking(
    tmp_path_factory: pytest.TempPathFactory, kind: str, *modules: ModuleType
) -> Iterator[WarmProcesses]:
    """Processes of that kind; those that the modules start by `subprocess.Popen` are such, too."""
    found = WarmProcesses(made_once(tmp_path_factory, f"warm-{kind}", lambda _: None), kind)
    starting = SimpleNamespace(**{**vars(subprocess), "Popen": found.popen})
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            patch.setattr(module, "subprocess", starting)
        yield found
    found.close()
