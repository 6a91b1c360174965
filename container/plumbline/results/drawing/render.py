"""Results as pictures: classes with bars, boxes with tags, masks with a legend."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from plumbline.errors import NotAcceptable
from plumbline.results import palette
from plumbline.results.drawing import lettering
from plumbline.results.drawing.canvas import GROUND, Canvas
from plumbline.results.drawing.panels import INK, Bar, Entry, bars, legend
from plumbline.results.drawing.tags import tag_places
from plumbline.results.palette import DISTINCT
from plumbline.results.png_files import png
from plumbline.results.task_results import Classes, Color, Detections, Failure, Result, Segments
from plumbline.vision import masks
from plumbline.vision.arrays import Pixels
from plumbline.vision.masks import Mask

UNSEEN_COLOR: Color = (128, 128, 128)

MOST_TAGS = 200
"""Of the surest boxes; among so many the rest could not be read."""

OPACITY = 0.5
"""Of a mask over its picture; where its classes meet, nothing shines through."""


@singledispatch
def draw(result: Result, pixels: Pixels) -> Image.Image:  # noqa: ARG001
    """A result drawn on its picture: RGB, with a panel below for what doesn't lie in the picture.

    `pixels` is the upright picture `[height, width, 3]` uint8. No side of it is drawn longer than
    `canvas.LONGEST`. Raises `NotAcceptable` where there is nothing to draw.
    """
    raise NotAcceptable(
        "This model answers with plain numbers, which can't be drawn; ask for application/json."
    )


@draw.register
def _(result: Failure, pixels: Pixels) -> Image.Image:  # noqa: ARG001
    raise NotAcceptable(f"This picture could not be answered: {result.error.message}")


@draw.register
def _(result: Classes, pixels: Pixels) -> Image.Image:
    canvas = Canvas.of(pixels)
    if not result.class_ids:
        return captioned(canvas, "No classes")
    scores = np.nan_to_num(result.scores.astype(np.float64))
    full = max(1.0, scores.max())
    classes = [
        Bar(label, in_words(result.scores[index], 3), min(1.0, max(0.0, scores[index] / full)))
        for label, index in zip(result.labels, result.class_ids, strict=True)
    ]
    return canvas.above(bars(classes, canvas.image.width, canvas.text_size))


@draw.register
def _(result: Detections, pixels: Pixels) -> Image.Image:
    canvas = Canvas.of(pixels)
    if not len(result.boxes):
        return captioned(canvas, "No detections")
    boxes = canvas.boxes(result.upright_boxes)
    colors = class_colors(result)
    for box, color in reversed(list(zip(boxes, colors, strict=True))):
        outline(canvas, box, color)
    tags = [
        tag(canvas, box, label, in_words(score, 2), color)
        for box, label, score, color in islice(
            zip(boxes, result.labels, result.scores, colors, strict=True), MOST_TAGS
        )
    ]
    places = tag_places(boxes, [each.size for each in tags], canvas.image.size)
    for place, each in reversed(list(zip(places.tolist(), tags, strict=True))):
        canvas.image.paste(each, tuple(place))
    return canvas.image


@draw.register
def _(result: Segments, pixels: Pixels) -> Image.Image:
    canvas = Canvas.of(pixels)
    overlay(canvas, canvas.mask(result.mask), result.palette)
    return canvas.above(legend(entries(result), canvas.image.width, canvas.text_size))


def mask_png(mask: Mask, colors: Sequence[Color]) -> bytes:
    """A mask `[height, width]` as a PNG file with a palette.

    Its values are the classes, as `np.asarray(Image.open(file))` gives them back; its palette has
    their `colors`, and gray for `masks.UNSEEN`.
    """
    return png(painted(mask, colors))


def painted(mask: Mask, colors: Sequence[Color]) -> Image.Image:
    """A mask `[height, width]` as a picture with a palette."""
    table = [*colors[: masks.UNSEEN]]
    table += [UNSEEN_COLOR] * (masks.UNSEEN + 1 - len(table))
    image = Image.fromarray(mask)
    image.putpalette([value for color in table for value in color])
    return image


def captioned(canvas: Canvas, words: str) -> Image.Image:
    """The picture with a few words in its lower left corner."""
    written = lettering.tag(words, canvas.text_size, INK, GROUND)
    canvas.image.paste(written, (0, canvas.image.height - written.height))
    return canvas.image


def in_words(score: float, digits: int) -> str:
    """A score with so many digits after the point, and never long, however large it is."""
    return f"{score:.{digits}f}" if abs(score) < 10_000 else f"{score:.1e}"


# -- boxes --------------------------------------------------------------------------------------


def class_colors(result: Detections) -> list[Color]:
    """The colour of each box: that of its class, and never black, which is for backgrounds."""
    _, *table = palette.colors(DISTINCT)
    return [table[index % len(table)] for index in result.class_ids.astype(int).tolist()]


def outline(canvas: Canvas, box: NDArray[np.intp], color: Color) -> None:
    """A box in its colour, with a line on either side that is seen where the colour is not."""
    left, top, right, bottom = box.tolist()
    halo = max(1, canvas.text_size // 14)
    line = max(2, canvas.text_size // 6)
    pen = ImageDraw.Draw(canvas.image)
    right, bottom = max(left, right - 1), max(top, bottom - 1)
    around = (left - halo, top - halo, right + halo, bottom + halo)
    pen.rectangle(around, outline=palette.readable_on(color), width=line + 2 * halo)
    pen.rectangle((left, top, right, bottom), outline=color, width=line)


def tag(canvas: Canvas, box: NDArray[np.intp], label: str, score: str, color: Color) -> Image.Image:
    """The label and the score on the colour; a long label is cut, the score never."""
    size = canvas.text_size
    room = min(canvas.image.width, max(box[2] - box[0], canvas.image.width // 3, 12 * size))
    left = room - lettering.width(f" {score}", size) - size
    line = f"{lettering.fitted(label, size, left)} {score}".lstrip()
    ink = palette.readable_on(color)
    return ImageOps.expand(lettering.tag(line, size, ink, color), max(1, size // 14), ink)


# -- masks --------------------------------------------------------------------------------------


def overlay(canvas: Canvas, mask: Mask, colors: Sequence[Color]) -> None:
    """Lay a mask of the picture's drawn size over it."""
    place = (canvas.left, canvas.top)
    paint = painted(mask, colors).convert("RGB")
    picture = canvas.image.crop((*place, canvas.left + mask.shape[1], canvas.top + mask.shape[0]))
    mixed = Image.blend(picture, paint, OPACITY)
    mixed.paste(paint, mask=borders(mask, max(1, canvas.text_size // 10)))
    canvas.image.paste(mixed, place)


def borders(mask: Mask, thickness: int) -> Image.Image:
    """Where classes meet: so many pixels on either side."""
    meet = np.zeros(mask.shape, bool)
    for classes, border in ((mask, meet), (mask.T, meet.T)):
        for distance in range(1, thickness + 1):
            differ = classes[distance:] != classes[:-distance]
            border[distance:] |= differ
            border[:-distance] |= differ
    return Image.fromarray(meet)


def entries(result: Segments) -> list[Entry]:
    """The classes that are there, the largest first, and what the model did not see."""
    counts = Image.fromarray(result.mask).histogram()
    named = dict(enumerate(zip(result.names, result.palette, strict=True)))
    named[masks.UNSEEN] = ("(not seen)", UNSEEN_COLOR)
    found = sorted((index for index in named if counts[index]), key=lambda index: -counts[index])
    return [
        Entry(named[index][0], share(counts[index] / result.mask.size), named[index][1])
        for index in found
    ]


def share(part: float) -> str:
    """A part of the whole in per cent; never 0 for what is there."""
    return f"{part:.1%}" if part >= 0.001 else "<0.1%"
