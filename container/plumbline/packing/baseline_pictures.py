"""The pictures that a model is packed with → baseline.json, which later ones are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from plumbline.drift import baseline
from plumbline.drift.looks import Look
from plumbline.drift.picture_summary import Observation, said
from plumbline.loading.golden_check import time_left
from plumbline.packing.progress_bar import Reporter
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Timing
from plumbline.results.task_results import Result


def write(folder: Path, pipeline: Pipeline, pictures: Sequence[Path], reporter: Reporter) -> None:
    """Write the baseline of what the model answers to `pictures` into the archive's folder.

    There is none where there are no pictures, or where a handler answers them its own way.
    """
    if not pictures or pipeline.incomparable:
        return
    seen: list[Observation] = []

    def tally(look: Look | None, result: Result) -> None:
        seen.append(said(result).with_look(look))

    counting = replace(pipeline.bare, tally=tally)
    with reporter.stage("The baseline for drift", len(pictures), "pictures") as done:
        for picture in pictures:
            list(counting.chunk_results([picture.read_bytes()], {}, Timing(time_left)))
            done(picture.name)
    if seen:
        baseline.write(folder, baseline.of(pipeline.spec.task, seen))
