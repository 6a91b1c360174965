"""Whether a job's channels hold boxes, by a look at the first of their labels."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

from plumbline.errors import PlumblineError
from plumbline.training.channel_layouts import FOLDERS, LISTINGS, MANIFEST, RECORDS, TRAIN, found_in
from plumbline.training.job import Channel, Job
from plumbline.training.readers import picture_records

ANNOTATIONS = "annotations.json"
"""Beside the pictures of the TensorFlow algorithm."""

BOXES = "annotations"
"""The key that has a list of boxes, in the labels of Ground Truth and of the MXNet algorithm."""

DETECTORS_OWN = ("base_network", "nms_threshold", "overlap_threshold", "label_width")
"""Hyperparameters that AWS's object detection alone has."""

HEADER, LEAST_WIDTH = 2, 5
"""Of a packed label of boxes: the numbers before them, and the fewest numbers of each."""


def boxes_in(job: Job) -> str:
    """By what it is known that the job's channels hold boxes; nothing where they don't."""
    for name in TRAIN:
        if (annotation := job.channels.get(f"{name}_annotation")) is not None:
            return in_annotations(annotation)
        if (channel := job.channels.get(name)) is not None:
            return in_pipe(job, channel) if channel.mode == "Pipe" else in_channel(channel)
    return ""


def in_annotations(channel: Channel) -> str:
    """Of a channel beside that with the pictures: files of JSON."""
    found = channel.mode != "Pipe" and next(iter(channel.path.rglob("*.json")), None)
    return f"the channel {channel.name} holds JSON files" if found else ""


def in_pipe(job: Job, channel: Channel) -> str:
    """Of a pipe, which can be read only once: what the job says itself."""
    own = next((name for name in DETECTORS_OWN if name in job.hyperparameters), "")
    return f"the channel {channel.name} is a pipe, and {own} is given" if own else ""


def in_channel(channel: Channel) -> str:
    """Of a channel of pictures and labels."""
    if (channel.path / ANNOTATIONS).is_file():
        return f"the channel {channel.name} holds {ANNOTATIONS}"
    layouts = dict(found_in(channel.path)) if channel.path.exists() else {}
    for file in layouts.get(MANIFEST, ())[:1]:
        if any(map(is_boxes, first_line(file).values())):
            return f"{file.name} has boxes"
    for file in layouts.get(RECORDS, ())[:1]:
        if is_packed(first_numbers(file)):
            return f"{file.name} has labels of boxes"
    return ""


def classes_in(job: Job) -> str:
    """By what it is known that the channels hold classes of whole pictures, boxes or not."""
    for name in TRAIN:
        if f"{name}_lst" in job.channels:
            return f"the channel {name}_lst"
        if (channel := job.channels.get(name)) is not None and channel.path.is_dir():
            layouts = dict(found_in(channel.path))
            if LISTINGS in layouts:
                return f"{layouts[LISTINGS][0].name} in the channel {name}"
            if FOLDERS in layouts and not (channel.path / ANNOTATIONS).exists():
                return f"folders in the channel {name}"
    return ""


def first_line(file: Path) -> dict[str, Any]:
    """The first line of a manifest; nothing if it is no JSON."""
    try:
        with file.open(encoding="utf-8-sig") as stream:
            found = json.loads(next((line for line in stream if line.strip()), "{}"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def is_boxes(label: Any) -> bool:
    """Whether a label of a manifest is a list of boxes."""
    return isinstance(label, dict) and BOXES in label


def first_numbers(file: Path) -> tuple[float, ...]:
    """The label of the first record; none if it can't be read."""
    try:
        with file.open("rb") as stream:
            found = next(islice(picture_records.entries(stream, file), 1), None)
    except (OSError, PlumblineError):
        return ()
    return found.label if found else ()


def is_packed(numbers: tuple[float, ...]) -> bool:
    """Whether they are boxes as `im2rec.py --pack-label` packs them."""
    return len(numbers) > HEADER and numbers[0] >= HEADER and numbers[1] >= LEAST_WIDTH
