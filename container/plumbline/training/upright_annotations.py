"""Which way up annotations are, boxes and masks alike."""

from __future__ import annotations

from plumbline.vision.geometry import Geometry, Size


def turned_by(size: Size, geometry: Geometry) -> int | None:
    """By which EXIF orientation an annotation of this size (height, width) is to be turned upright.

    People and tools see pictures upright, so that it is 1, unless the size can only be that of the
    picture as it is stored; None where it is of neither.
    """
    if size == geometry.upright:
        return 1
    return geometry.orientation if size == geometry.source else None
