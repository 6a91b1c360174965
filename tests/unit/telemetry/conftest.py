"""Meters as the processes of a server have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.settings import environment
from plumbline.telemetry.meter import FOLDER_VARIABLE, Meter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the processes of one server keep their values."""
    return tmp_path / "metrics"


@pytest.fixture
def sit(folder: Path) -> Callable[..., Meter]:
    """What a process counts with that has this seat: `sit(0)`."""

    def meter(seat: int, *, many: bool = False) -> Meter:
        with environment.lent(FOLDER_VARIABLE, str(folder)):
            return Meter(folder, seat, many=many)

    return meter
