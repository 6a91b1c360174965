"""The pictures that the examples learn from: right, and not the ones that they are judged by."""

from __future__ import annotations

import numpy as np
import pytest

from scenes import BACKGROUND, INK, PAPER, Scene, scenes, source


@pytest.fixture(scope="module")
def found() -> list[Scene]:
    """A few scenes."""
    return list(scenes(12, held_out=True))


def test_the_same_seed_gives_the_same_scenes(found: list[Scene]) -> None:
    for scene, again in zip(found, scenes(12, held_out=True), strict=True):
        assert scene.picture.tobytes() == again.picture.tobytes()
        for array, same in zip(scene[1:], again[1:], strict=True):
            np.testing.assert_array_equal(array, same)

    [other] = scenes(1, held_out=True, seed=1)
    assert other.picture.tobytes() != found[0].picture.tobytes()


def test_no_scan_that_is_held_out_is_learnt_from() -> None:
    learnt, held_out = ({scan.tobytes() for scan in source(part).scans} for part in (False, True))

    assert len(learnt) == 1437
    assert len(held_out) == 360
    assert learnt.isdisjoint(held_out)


def test_no_part_of_a_photograph_that_is_held_out_is_learnt_from() -> None:
    widths = [[photo.width for photo in source(part).photos] for part in (False, True)]

    assert widths == [[427, 427], [213, 213]]


def test_boxes_hold_all_the_ink_and_touch_it_on_every_side(found: list[Scene]) -> None:
    for scene in found:
        ink = scene.mask == INK
        assert len(scene.boxes) == len(scene.digits) > 0
        for left, top, right, bottom in scene.boxes.astype(int):
            part = ink[top:bottom, left:right]
            assert part.any(0)[[0, -1]].all()
            assert part.any(1)[[0, -1]].all()
            ink[top:bottom, left:right] = False
        assert not ink.any()


def test_masks_tell_paper_from_what_lies_below_it(found: list[Scene]) -> None:
    for scene in found:
        assert scene.mask.shape == scene.picture.size[::-1]
        assert set(np.unique(scene.mask)) == {BACKGROUND, PAPER, INK}
        levels = np.asarray(scene.picture.convert("L"), float)
        paper, ink = (levels[scene.mask == surface].mean() for surface in (PAPER, INK))
        assert paper > 150 > ink
