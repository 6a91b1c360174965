"""Whether an accelerated form's answers to the golden pictures still mean the same."""

from __future__ import annotations

from plumbline.archive.accelerated_files import GISTS, Accelerated, Form
from plumbline.archive.contents import Archive, read_outputs
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import GoldenMismatch
from plumbline.pipeline.inference import Predictor

ROUNDING = 1e-6
"""What agreement may be less by, as it is written with so many digits."""


def check_agreement(
    predictor: Predictor, archive: Archive, found: Accelerated, form: Form, time_left: TimeLeft
) -> None:
    """Raise `GoldenMismatch` if the form agrees less with the original than the budget allows.

    On the golden pictures alone it need not agree more than it did when it was packed.
    """
    needed = min(found.forms[form], archive.spec.acceleration.min_agreement)
    gists = read_outputs(found.folder / GISTS)
    pairs = [
        (gists[golden.name], predictor.gist(golden.picture, time_left))
        for golden in archive.goldens
    ]
    agreement = predictor.task.agreement(pairs)
    if agreement < needed - ROUNDING:
        raise GoldenMismatch(
            f"Its answers to the golden pictures agree with the original's to {agreement:.2%}, "
            f"and {needed:.2%} is needed."
        )
