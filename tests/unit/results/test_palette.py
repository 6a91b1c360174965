"""Colours that are told apart, and text that can be read on them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, rgb2lab

from plumbline.results.palette import colors, readable_on
from plumbline.results.task_results import Color

channel = st.integers(0, 255)


def test_the_background_is_black_and_all_255_classes_differ() -> None:
    found = colors(255)
    assert found[0] == (0, 0, 0)
    assert len(set(found)) == 255
    assert np.array(found).min() >= 0
    assert np.array(found).max() <= 255


def test_a_class_has_its_colour_however_many_there_are() -> None:
    everything = colors(2000)
    assert len(everything) == 2000
    for classes in range(2001):
        assert colors(classes) == everything[:classes]


def test_no_class_but_the_first_is_black() -> None:
    assert (0, 0, 0) not in colors(700)[1:]


def test_twenty_classes_are_told_apart_at_a_glance() -> None:
    """By CIEDE2000, where 2.3 is the least difference that people notice."""
    lab = rgb2lab(np.array([colors(21)]) / 255)[0]
    gaps = deltaE_ciede2000(lab[:, None], lab[None])
    assert gaps[~np.eye(21, dtype=bool)].min() > 12


@pytest.mark.parametrize(
    ("color", "ink"),
    [
        ((255, 255, 255), (0, 0, 0)),
        ((0, 0, 0), (255, 255, 255)),
        ((255, 225, 25), (0, 0, 0)),
        ((0, 0, 128), (255, 255, 255)),
        ((117, 117, 117), (255, 255, 255)),
        ((118, 118, 118), (0, 0, 0)),
    ],
)
def test_ink_is_black_or_white(color: Color, ink: Color) -> None:
    assert readable_on(color) == ink


@given(st.tuples(channel, channel, channel))
def test_ink_has_the_contrast_that_accessible_text_needs(color: Color) -> None:
    """WCAG 2's level AA asks for 4.5 to 1."""
    shares = np.array([color, readable_on(color)]) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    dark, light = sorted(linear @ [0.2126, 0.7152, 0.0722])
    assert (light + 0.05) / (dark + 0.05) > 4.5
