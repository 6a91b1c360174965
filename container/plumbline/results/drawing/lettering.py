"""Text in a picture: any text, in one line, in the fonts that are shipped.

DejaVu Sans has Latin, Greek, Cyrillic, Hebrew, Arabic and many signs; what it lacks comes from
Droid Sans Fallback, which has Chinese, Japanese and Korean.
"""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from plumbline.results.task_results import Color

FONTS = Path(__file__).with_name("fonts")
FACES = ("DejaVuSans.ttf", "DroidSansFallback.ttf")
"""The first that has a character shows it."""

PLACEHOLDER = "□"
"""For a character that no font has."""

ELLIPSIS = "…"
"""Where a text was cut off."""

NO_CHARACTER = "\uffff"

RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+(?: [\u0590-\u08ff]+)*")


@lru_cache(maxsize=64)
def font(face: str, size: int) -> ImageFont.FreeTypeFont:
    """One of `FACES`; `size` is the height of an em in pixels.

    Always with Pillow's own layout: with libraqm, which not every machine has, the same answer
    would not be the same bytes everywhere.
    """
    return ImageFont.truetype(FONTS / face, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def face_of(character: str) -> str | None:
    """The first of `FACES` that has this character; `None` where it can't be shown."""
    if unicodedata.category(character) in ("Cc", "Cs"):
        return None
    return next((face for face in FACES if drawn(face, character) != drawn(face)), None)


def drawn(face: str, character: str = NO_CHARACTER) -> bytes:
    """What a font draws for a character; the same for all that it lacks."""
    return bytes(font(face, 16).getmask(character))


def shown(text: str) -> str:
    """What is shown of a text: in one line, composed, `PLACEHOLDER` for what no font has.

    Marks that only steer how others are shown, such as joiners, are left out.
    """
    line = " ".join(unicodedata.normalize("NFC", text).split())
    steering = (unicodedata.category(each) == "Cf" or "\ufe00" <= each <= "\ufe0f" for each in line)
    visible = (each for each, steers in zip(line, steering, strict=True) if not steers)
    return "".join(each if face_of(each) else PLACEHOLDER for each in visible)


def runs(line: str) -> list[tuple[str, str]]:
    """A shown text in pieces of one font each, from left to right: the face, and the characters."""
    visual = RIGHT_TO_LEFT.sub(lambda found: found[0][::-1], line)
    return [(str(face), "".join(run)) for face, run in groupby(visual, key=face_of)]


def width(line: str, size: int) -> int:
    """The pixels that a shown text takes from left to right."""
    return math.ceil(sum(font(face, size).getlength(run) for face, run in runs(line)))


def height(size: int) -> int:
    """The pixels that any line takes from top to bottom."""
    return math.ceil(1.3 * size)


def fitted(text: str, size: int, room: int) -> str:
    """A text as it is shown in `room` pixels: cut with `ELLIPSIS` where it is too long."""
    line = shown(text)
    if width(line, size) <= room:
        return line
    lengths = range(len(line))
    cut = bisect_right(lengths, room, key=lambda length: width(line[:length] + ELLIPSIS, size))
    return line[: cut - 1].rstrip() + ELLIPSIS if cut else ""


def write(image: Image.Image, left: float, top: float, line: str, size: int, color: Color) -> None:
    """Write a shown text onto an image, into the `height` pixels from `top` on."""
    pen = ImageDraw.Draw(image)
    for face, run in runs(line):
        pen.text((left, top + size), run, color, font(face, size), anchor="ls")
        left += font(face, size).getlength(run)


def tag(line: str, size: int, color: Color, ground: Color) -> Image.Image:
    """A shown text on a filled ground, with some room around it."""
    margin = size // 3
    image = Image.new("RGB", (width(line, size) + 2 * margin, height(size)), ground)
    write(image, margin, 0, line, size, color)
    return image
