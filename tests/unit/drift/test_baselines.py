"""Baselines: how pictures become bins, and what of a damaged file is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageStat

from plumbline.drift import baseline
from plumbline.drift.baseline import MOST_BINS, MOST_CLASSES, Baseline
from plumbline.drift.looks import look
from plumbline.drift.picture_summary import Observation, Share
from plumbline.errors import ArchiveError


def of(*values: float) -> Baseline:
    return baseline.of("raw", [Observation({"brightness": each}) for each in values])


@given(st.lists(st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6), min_size=1))
def test_every_value_lies_within_the_bins_between_the_outer_ones(values: list[float]) -> None:
    found = of(*values).numbers["brightness"]

    assert list(found.edges) == sorted(set(found.edges))
    assert len(found.edges) < MOST_BINS
    assert found.shares[-1] == 0, "beyond the largest"
    assert sum(found.shares) == pytest.approx(1, abs=1e-2)
    assert found.edges[-1] >= max(values)
    if found.edges[0] < min(values):
        assert found.shares[0] == 0


def test_bins_hold_about_as_many_pictures_each() -> None:
    found = of(*np.random.default_rng(0).normal(0.5, 0.1, 400)).numbers["brightness"]

    assert len(found.edges) == MOST_BINS - 1
    assert found.shares[1:-1] == pytest.approx([1 / 8] * 8, abs=0.01)
    assert (found.low, found.middle, found.high) == pytest.approx((0.335, 0.5, 0.665), abs=0.03)


def test_what_all_pictures_have_alike_is_told_from_less_and_from_more() -> None:
    edges = np.array(of(3.0, 3.0, 3.0).numbers["brightness"].edges)

    assert [int(np.searchsorted(edges, each)) for each in (2.9, 3.0, 3.1)] == [0, 1, 2]


def test_the_commonest_classes_are_told_and_the_rest_together() -> None:
    seen = [Observation({}, [Share(k, f"class {k}", 1.0)] * (40 - k)) for k in range(30)]

    found = baseline.of("detection", seen)

    assert [one.class_id for one in found.classes] == list(range(MOST_CLASSES))
    assert found.other == pytest.approx(sum(40 - k for k in range(20, 30)) / 765, abs=1e-3)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    seen = [
        Observation({"top_score": k / 10, "megapixels": 2.0}, [Share(k % 3, "\ud800<b>" * k, 1.0)])
        for k in range(10)
    ]
    made = baseline.of("classification", seen)

    baseline.write(tmp_path, made)

    assert baseline.read(tmp_path) == made
    assert baseline.read(tmp_path / "elsewhere") is None


DAMAGE: dict[str, Any] = {
    "a list": [],
    "no numbers": {"task": "raw", "pictures": 1, "classes": []},
    "numbers that are none": {"task": "raw", "pictures": 1, "classes": [], "numbers": []},
    "classes without labels": {"task": "raw", "pictures": 1, "classes": [{}], "numbers": {}},
    "too large a number": {"task": "raw", "pictures": 1e999, "classes": [], "numbers": {}},
    **{
        f"bins {edges}": {
            "task": "raw",
            "pictures": 1,
            "classes": [],
            "numbers": {
                "contrast": {"edges": edges, "shares": shares, "low": 0, "middle": 0, "high": 0}
            },
        }
        for edges, shares in (
            ([2, 1], [0, 1, 0]),
            ([1], [1]),
            (["a"], [0, 1]),
            ([float("nan")], [0, 1]),
            (list(range(5000)), [0] * 5001),
            ([1], [-1, 2]),
        )
    },
}


@pytest.mark.parametrize("document", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_one_is_refused_in_a_sentence(tmp_path: Path, document: Any) -> None:
    (tmp_path / "baseline.json").write_text(json.dumps(document))

    with pytest.raises(ArchiveError, match=r"^baseline.json is not as `plumbline pack` writes it"):
        baseline.read(tmp_path)


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (400, 300)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_picture_looks_as_pillow_says(mode: str, size: tuple[int, int]) -> None:
    smooth = np.random.default_rng(2).integers(0, 256, (4, 4, 4), np.uint8)
    picture = Image.fromarray(smooth, "RGBA").resize(size, Image.Resampling.BICUBIC).convert(mode)
    pixels = np.asarray(picture).reshape(size[1], size[0], -1)
    colours = Image.fromarray(
        np.asarray(picture.convert("RGB" if mode != "L" else "L")).reshape(-1)
    )

    found = look(pixels)

    stat = ImageStat.Stat(colours)
    assert found.brightness == pytest.approx(stat.mean[0] / 255, abs=0.01)
    assert found.contrast == pytest.approx(stat.stddev[0] / 255, abs=0.01)
    assert found.megapixels == size[0] * size[1] / 1e6


def test_sixteen_bits_look_like_the_eight_above_them() -> None:
    eight = np.random.default_rng(3).integers(0, 256, (20, 20, 1), np.uint8)

    assert look(eight.astype(np.uint16) * 257) == pytest.approx(look(eight), rel=1e-4)
