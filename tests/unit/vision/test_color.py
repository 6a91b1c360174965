"""Grey stays grey, whatever the rounding."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from plumbline.vision.color import GREYS, STRIP, Conversion, libpng_grey

LEVELS = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)


@pytest.mark.parametrize("grey", [*GREYS.values(), libpng_grey])
def test_brightness_is_in_order(grey: Conversion) -> None:
    brightness = [
        int(grey(np.full((2, 3, 3), [r, g, b], np.uint8))[0, 0, 0])
        for r, g, b in [(0, 0, 255), (255, 0, 0), (0, 255, 0), (255, 255, 255)]
    ]
    assert brightness == sorted(brightness)
    assert brightness[-1] >= 254


@pytest.mark.parametrize("name", ["pillow", "opencv"])
def test_grey_stays_what_it_was(name: str) -> None:
    np.testing.assert_array_equal(GREYS[name](LEVELS.repeat(3, axis=2)), LEVELS)


@pytest.mark.parametrize("grey", [*GREYS.values(), libpng_grey])
def test_strips_are_the_whole(grey: Conversion) -> None:
    """Of a picture that is converted in pieces, the last of them short, every row is there."""
    pixels = np.random.default_rng(0).integers(0, 256, (7, STRIP // 3, 3), dtype=np.uint8)
    rows = [grey(row[None]) for row in pixels]
    np.testing.assert_array_equal(grey(pixels), np.concatenate(rows))


@pytest.mark.parametrize("grey", [*GREYS.values(), libpng_grey])
def test_a_large_picture_needs_little_more_memory_than_its_gray(grey: Conversion) -> None:
    pixels = np.zeros((3000, 2000, 3), np.uint8)
    tracemalloc.start()
    try:
        size = grey(pixels).nbytes
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size + 10_000_000
