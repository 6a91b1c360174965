"""Drawings as pictures, on a light ground."""

from __future__ import annotations

from functools import singledispatch

from PIL import Image, ImageDraw

from plumbline.results.drawing import lettering
from plumbline.results.task_results import Color
from plumbline.training.reports.shapes import Box, Drawing, Line, Role, Shape, Text

GROUND: Color = (255, 255, 255)

COLORS: dict[Role, Color] = {
    "ink": (27, 30, 36),
    "quiet": (91, 99, 112),
    "grid": (222, 226, 232),
    "training": (0, 110, 175),
    "validation": (205, 85, 0),
    "right": (70, 155, 220),
    "wrong": (245, 130, 48),
    "on": (15, 17, 21),
}

FINER = 2
"""So many times finer are lines drawn than they are shown: Pillow's have hard edges."""


def raster(drawing: Drawing, width: int) -> Image.Image:
    """A drawing as an RGB image of this width."""
    scale = width / drawing.width
    size = width, round(drawing.height * scale)
    fine = Image.new("RGB", (size[0] * FINER, size[1] * FINER), GROUND)
    for shape in drawing.shapes:
        put(shape, fine, scale * FINER)
    image = fine.reduce(FINER)
    for shape in drawing.shapes:
        if isinstance(shape, Text):
            write(shape, image, scale)
    return image


@singledispatch
def put(shape: Shape, image: Image.Image, scale: float) -> None:
    """Draw a shape; text comes later, its edges are soft already."""


@put.register
def _(shape: Line, image: Image.Image, scale: float) -> None:
    pen = ImageDraw.Draw(image)
    color, width = COLORS[shape.role], max(1, round(shape.width * scale))
    points = [(x * scale, y * scale) for x, y in shape.points]
    if len(points) == 1:
        pen.circle(points[0], width / 2, color)
    else:
        pen.line(points, color, width, joint="curve")


@put.register
def _(shape: Box, image: Image.Image, scale: float) -> None:
    left, top = round(shape.left * scale), round(shape.top * scale)
    right = round((shape.left + shape.width) * scale)
    bottom = round((shape.top + shape.height) * scale)
    color = mixed(COLORS[shape.role], shape.opacity)
    ImageDraw.Draw(image).rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), color)


def mixed(color: Color, opacity: float) -> Color:
    """The colour over the ground."""
    red, green, blue = (
        round(opacity * over + (1 - opacity) * under)
        for over, under in zip(color, GROUND, strict=True)
    )
    return red, green, blue


def write(shape: Text, image: Image.Image, scale: float) -> None:
    """Write a text where it belongs."""
    size = max(6, round(shape.size * scale))
    line = lettering.fitted(shape.words, size, round(shape.room * scale))
    length = lettering.width(line, size)
    before = {"start": 0.0, "middle": length / 2, "end": float(length)}[shape.anchor]
    if not shape.upright:
        place = shape.x * scale - before, shape.y * scale - size
        lettering.write(image, *place, line, size, COLORS[shape.role])
    elif length:
        mask = Image.new("RGB", (length, lettering.height(size)))
        lettering.write(mask, 0, 0, line, size, (255, 255, 255))
        turned = mask.getchannel(0).transpose(Image.Transpose.ROTATE_90)
        left = round(shape.x * scale) - size
        top = round(shape.y * scale + before) - length
        image.paste(COLORS[shape.role], (left, top), turned)
