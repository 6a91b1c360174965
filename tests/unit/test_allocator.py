"""The collector of cycles, kept out of what can have none."""

from __future__ import annotations

import gc

import pytest

from plumbline.allocator import uncollected


def test_the_collector_rests_inside_and_goes_on_after_an_error() -> None:
    def read() -> None:
        with uncollected():
            assert not gc.isenabled()
            raise ValueError("broken off")

    assert gc.isenabled()
    with pytest.raises(ValueError, match="broken off"):
        read()
    assert gc.isenabled()
