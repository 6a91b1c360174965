"""What is printed to be pasted is read back as what it was."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from plumbline.spec.toml_writer import toml_table, toml_value
from strategies import nasty

SCALARS = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")))
)
KEYS = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)


@nasty
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_a_table_is_read_back_as_it_was(values: dict[str, Any]) -> None:
    assert tomllib.loads(toml_table("preprocess", values)) == {"preprocess": values}


def test_equals_signs_stand_in_a_column() -> None:
    assert toml_table("a", {"fit": "crop", "exif": True}) == '[a]\nfit  = "crop"\nexif = true'


def test_small_numbers_keep_all_their_digits() -> None:
    assert toml_value({"scale": 1 / 255}) == "{scale = 0.00392156862745098}"
