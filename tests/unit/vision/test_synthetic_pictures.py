"""Pictures that nobody took."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from plumbline.vision import synthetic_pictures
from plumbline.vision.images import Limits


@pytest.mark.parametrize("form", Limits.formats)
def test_they_are_pictures_in_every_form_that_is_decoded(form: str) -> None:
    for picture in synthetic_pictures.pictures(form):
        with Image.open(io.BytesIO(picture)) as image:
            assert (image.format, image.size[::-1]) == (form, synthetic_pictures.SIZE)


def test_they_are_the_same_every_time_and_no_two_alike() -> None:
    pictures = synthetic_pictures.pictures("PNG")
    assert pictures == synthetic_pictures.pictures("PNG")
    assert len(set(pictures)) == len(pictures)


def test_most_use_the_whole_range_and_are_smooth_as_photographs_are() -> None:
    for picture in synthetic_pictures.pictures("PNG")[: synthetic_pictures.PHOTOGRAPHS]:
        pixels = np.asarray(Image.open(io.BytesIO(picture)), np.int16)
        assert (pixels.min(), pixels.max()) == (0, 255)
        assert np.abs(np.diff(pixels, axis=1)).mean() < 10
