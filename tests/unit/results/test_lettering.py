"""Text in a picture: whatever it is, it is shown, and as wide as it may be."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from plumbline.results.drawing import lettering
from plumbline.results.drawing.lettering import (
    ELLIPSIS,
    FACES,
    FONTS,
    PLACEHOLDER,
    fitted,
    shown,
    tag,
    width,
)
from strategies import nasty

BLACK, WHITE = (0, 0, 0), (255, 255, 255)

any_text = st.text(st.characters())
"""Surrogates too, which a JSON of labels can hold."""

text_sizes = st.integers(13, 40)


def drawn(text: str, size: int = 20) -> np.ndarray:
    return np.asarray(tag(fitted(text, size, 1000), size, BLACK, WHITE))


@pytest.mark.parametrize("character", "aäößÅčşøñếžĐαΩψжЩїґאبあカ漢字猫鸟鳥한글고양→♥½€😀")
def test_the_writing_of_the_world_is_shown(character: str) -> None:
    assert shown(character) == character
    blank, placeholder = drawn(" "), drawn(PLACEHOLDER)
    assert not np.array_equal(drawn(character), placeholder)
    assert drawn(character).min() < 100 < blank.min()


def test_characters_that_look_different_are_drawn_differently() -> None:
    letters = "aäöüoußžзжαβ猫狗鳥한국글あい"
    assert len({drawn(letter).tobytes() for letter in letters}) == len(letters)


@pytest.mark.parametrize("text", ["Bäckerei", "ế", "고양이", "がぎぐ", "ἄνθρωπος", "ёлка"])
def test_letters_in_parts_are_composed(text: str) -> None:
    """Names of files come so from macOS."""
    parts = unicodedata.normalize("NFD", text)
    assert parts != text
    assert shown(parts) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("  ", ""),
        ("dog\nline\ttab\u2028end", "dog line tab end"),
        ("bell\x07", "bell□"),
        ("nul\x00", "nul□"),
        ("half\ud800", "half□"),
        ("a car 🚗", "a car □"),
        ("ไทย", "□□□"),
        ("no\u200bwidth, \u202eturned\u202c", "nowidth, turned"),
        ("\u2764\ufe0f", "\u2764"),
    ],
)
def test_what_cannot_be_shown_is_seen_to_be_missing(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_hebrew_and_arabic_run_from_right_to_left() -> None:
    left_to_right = "".join(piece for _, piece in lettering.runs("dog כלב גדול 7"))
    assert left_to_right == "dog לודג בלכ 7"


@given(any_text, text_sizes, st.integers(0, 400))
def test_any_text_fits_into_its_room(text: str, size: int, room: int) -> None:
    line = fitted(text, size, room)
    assert width(line, size) <= room
    assert len(line.splitlines()) <= 1
    assert line == shown(text) or line.endswith(ELLIPSIS) or not line


@given(any_text, text_sizes)
def test_any_text_is_drawn_on_a_ground_of_one_height(text: str, size: int) -> None:
    image = tag(fitted(text, size, 300), size, BLACK, WHITE)
    assert image.height == lettering.height(size)
    assert image.width <= 300 + size


@given(st.text(st.sampled_from("abc äö猫 한Щ"), min_size=100, max_size=1000), st.integers(40, 300))
def test_a_long_name_is_cut_where_the_room_ends(text: str, room: int) -> None:
    line = fitted(text, 16, room)
    kept = line.removesuffix(ELLIPSIS)
    assert line.endswith(ELLIPSIS)
    assert shown(text).startswith(kept)
    assert width(shown(text)[: len(kept) + 2] + ELLIPSIS, 16) > room


@nasty
@given(st.text(st.characters(max_codepoint=0x17F, exclude_categories=["C"]), max_size=30))
def test_latin_is_as_wide_as_pillow_says(text: str) -> None:
    line = shown(text)
    font = ImageFont.truetype(FONTS / FACES[0], 17, layout_engine=ImageFont.Layout.BASIC)
    assert 0 <= width(line, 17) - font.getlength(line) < 1


@pytest.mark.parametrize("face", FACES)
def test_every_font_has_its_license_beside_it(face: str) -> None:
    text = (FONTS / face).with_suffix(".LICENSE.txt").read_text("utf-8")
    assert face in text
    assert "copyright" in text.lower()
