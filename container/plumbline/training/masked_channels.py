"""Whether a job's channels hold masks, by a look at the first of their annotations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plumbline.training.boxed_channels import first_line
from plumbline.training.channel_layouts import MANIFEST, TRAIN, found_in
from plumbline.training.job import Channel, Job
from plumbline.training.readers.augmented_manifest import SOURCE

REFERENCE = "-ref"
"""How an attribute of a manifest ends whose value is the address of a file."""

SEGMENTERS_OWN = ("crop_size", "base_size", "backbone", "validation_mini_batch_size")
"""Hyperparameters that AWS's semantic segmentation alone has."""


def masks_in(job: Job) -> str:
    """By what it is known that the job's channels hold masks; nothing where they don't."""
    for name in TRAIN:
        if (annotation := job.channels.get(f"{name}_annotation")) is not None:
            if annotation.mode != "Pipe" and png_files(annotation.path):
                return f"the channel {annotation.name} holds PNG files"
            return ""
        if (channel := job.channels.get(name)) is not None:
            return in_pipe(job, channel) if channel.mode == "Pipe" else in_manifest(channel)
    return ""


def in_pipe(job: Job, channel: Channel) -> str:
    """Of a pipe, which can be read only once: what the job says itself."""
    own = next((name for name in SEGMENTERS_OWN if name in job.hyperparameters), "")
    return f"the channel {channel.name} is a pipe, and {own} is given" if own else ""


def in_manifest(channel: Channel) -> str:
    """Of a manifest: an attribute, besides the picture's, that is the address of a file."""
    if not channel.path.exists():
        return ""
    for file in dict(found_in(channel.path)).get(MANIFEST, ())[:1]:
        for name in first_line(file):
            if name != SOURCE and name.endswith(REFERENCE):
                return f"{file.name} has {name}"
    return ""


def png_files(folder: Path) -> Sequence[Path]:
    """The PNG files below a folder, sorted by path."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() == ".png" and path.is_file() and not path.name.startswith(".")
    )
