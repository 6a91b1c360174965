"""What to do with outputs that a task does not read: how its errors end."""

from __future__ import annotations

RAW = 'With task = "raw" the outputs are answered as they are.'

WRAPPER = (
    "A wrapper of a few lines gives them that form, and is packed instead of the model "
    "(docs/archive.md, Other outputs)."
)

OTHER_FORM = f"{WRAPPER} {RAW}"
"""Where the outputs have another form than the task reads."""

FORMATS_IN_WORDS = (
    '"ssd" reads one output [batch, priors, 4 + classes + 8] of offsets, class scores, prior and '
    'variances; "boxes" reads outputs of boxes [batch, n, 4] and scores; "builtin" reads one '
    "output [batch, n, 6] of class, score, xmin, ymin, xmax, ymax; "
    '"yolo" reads one output [batch, 4 + classes, n] of boxes and class scores, as YOLOv8 and '
    'later are exported, and "yolov5" one [batch, n, 5 + classes]'
)
