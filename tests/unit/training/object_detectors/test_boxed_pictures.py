"""Boxes lie where their pictures do: in the network's input, and in the picture as it was sent."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from boxed_layouts import Photo, turned
from plumbline.spec.model_spec import Preprocess
from plumbline.training.decoded_pictures import How
from plumbline.training.errors import DataError
from plumbline.training.object_detectors.annotations import Boxes
from plumbline.training.object_detectors.boxed_pictures import BoxedPictures, Placed
from plumbline.training.readers.entries import Entry

SIZE = (60, 90)
BOX = (12, 20, 42, 70)
"""Left, top, right, bottom of what is white in the picture."""


def picture() -> Photo:
    """A black picture, 80 wide and 100 high, with a white box."""
    pixels = np.zeros((100, 80, 3), np.uint8)
    left, top, right, bottom = BOX
    pixels[top:bottom, left:right] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return Photo(file.getvalue(), (80, 100), ((0, left, top, right - left, bottom - top),))


class Given(Entry[Boxes]):
    """A picture that is no file."""

    __slots__ = ("data",)

    def read(self) -> bytes:
        """Its bytes."""
        data: bytes = self.data
        return data

    def labelled(self, label: object) -> Given:  # type: ignore[override]
        """The same with another label."""
        return given(self.data, label)


def given(data: bytes, label: object) -> Given:
    """An entry of these bytes."""
    entry = Given("a picture", None, label)  # type: ignore[arg-type]
    object.__setattr__(entry, "data", data)
    return entry


def read(data: bytes, label: Boxes, fit: str = "stretch") -> tuple[np.ndarray, Placed]:
    """The picture in the network's input, and its boxes."""
    how = How(Preprocess(fit=fit, resize="pillow-box"), SIZE)
    found = BoxedPictures([given(data, label)], how, 1)
    found.check(0)
    return found.batch([0])[0], found.entries[0].label


def white(pixels: np.ndarray) -> list[float]:
    """Where a picture is white: left, top, right, bottom as shares of its width and height."""
    rows, columns = (np.flatnonzero((pixels[..., 0] > 127).any(axis)) for axis in (1, 0))
    height, width = pixels.shape[:2]
    return [
        columns[0] / width,
        rows[0] / height,
        (columns[-1] + 1) / width,
        (rows[-1] + 1) / height,
    ]


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad", "letterbox", "yolo"])
def test_boxes_go_where_the_picture_goes(fit: str) -> None:
    pixels, label = read(picture().data, Boxes((0,), (BOX,), (80, 100)), fit)
    np.testing.assert_allclose(label.learnt[0][0], white(pixels), atol=1 / min(SIZE))
    np.testing.assert_allclose(label.truth, [[0, 1, *BOX]])


FORMS = [
    (form, orientation)
    for form in ("upright", "stored", "relative", "no size")
    for orientation in range(1, 9)
    # Of a picture that keeps its size, nothing tells a box as it is stored from one upright.
    if form != "stored" or orientation not in (2, 3, 4)
]


@pytest.mark.parametrize(("form", "orientation"), FORMS)
def test_boxes_turn_with_pictures_that_exif_turns(form: str, orientation: int) -> None:
    """As the size of the annotation says, it is of the picture upright, or as it is stored."""
    sent = turned(picture(), orientation)
    stored = np.asarray(Image.open(io.BytesIO(sent.data)))
    height, width = stored.shape[:2]
    place = np.array(white(stored)) * [width, height, width, height]
    label = {
        "upright": Boxes((0,), (BOX,), (80, 100)),
        "stored": Boxes((0,), (tuple(place.tolist()),), (width, height)),  # type: ignore[arg-type]
        "relative": Boxes((0,), ((12 / 80, 0.2, 42 / 80, 0.7),), relative=True),
        "no size": Boxes((0,), (BOX,)),
    }[form]
    pixels, found = read(sent.data, label)
    np.testing.assert_allclose(found.learnt[0][0], white(pixels), atol=1 / min(SIZE))
    np.testing.assert_allclose(found.truth[0, 2:], place, atol=1e-3)


def test_boxes_that_the_fit_cuts_off_are_not_learnt_but_judged() -> None:
    boxes = Boxes((0, 1), ((0, 0, 80, 10), (10, 40, 60, 60)), (80, 100))
    _, found = read(picture().data, boxes, "crop")
    corners, classes = found.learnt
    assert classes.tolist() == [1]
    assert len(found.truth) == 2
    assert corners.min() >= 0
    assert corners.max() <= 1


@pytest.mark.parametrize(
    ("corners", "size", "sentence"),
    [
        ([(10, 10, 10, 20)], None, r"box 1 \(10, 10, 10, 20\) has no size"),
        ([BOX, (30, 10, 20, 20)], None, r"box 2 \(30, 10, 20, 20\) has no size"),
        ([(70, 10, 90, 20)], None, r"box 1 .* reaches out of the picture, which has 80×100 pix"),
        ([(-5, 10, 20, 20)], None, "reaches out of the picture"),
        ([(80, 10, 81, 20)], None, "reaches out of the picture"),
        ([BOX], (640, 480), "its annotation is of a picture of 640×480 pixels, and it has 80×100"),
    ],
)
def test_boxes_that_can_not_be_are_named(
    corners: Sequence[tuple[float, float, float, float]],
    size: tuple[int, int] | None,
    sentence: str,
) -> None:
    label = Boxes((0,) * len(corners), tuple(corners), size)
    with pytest.raises(DataError, match=f"1 of 1 pictures can't be used.*a picture: .*{sentence}"):
        read(picture().data, label)


def test_a_pixel_beyond_the_edge_is_cut_off() -> None:
    _, found = read(picture().data, Boxes((0,), ((-0.7, 10, 81, 20),), (80, 100)))
    np.testing.assert_allclose(found.truth, [[0, 1, 0, 10, 80, 20]])
