"""Boxes: their formats, how far they overlap, which of them are kept."""

from __future__ import annotations

FORMATS = (
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
)
"""As Keras names them: corners or a corner and a size; `rel_` for 0..1, else pixels of the input."""
