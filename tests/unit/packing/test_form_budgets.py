"""Which forms packing keeps: those near enough to the original that also mean what it means."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from plumbline.archive.accelerated_files import FOLDER, FORMS
from plumbline.packing.compilation import Workshop
from plumbline.packing.form_measurements import Observed
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import parse
from plumbline.tasks.task_table import fitted

SIGNATURE = Signature(
    (TensorSpec("picture", (None, 8, 8, 3), "float32"),),
    (TensorSpec("scores", (None, 3), "float32"),),
)


def workshop(root: Path, budget: str) -> Workshop:
    """An archive with this budget and two golden pictures."""
    spec = parse(f'task = "classification"\n[acceleration]\n{budget}\n')
    (root / FOLDER).mkdir()
    for suffix in (".xml", ".bin"):
        (root / FOLDER / FORMS[0].network).with_suffix(suffix).write_bytes(b"12345")
    archive: Any = SimpleNamespace(root=root, spec=spec, goldens=(1, 2))
    original: Any = SimpleNamespace(task=fitted(spec, None, SIGNATURE))
    unused: Any = None
    return Workshop(archive, original, unused, (), unused, frozenset())


@pytest.mark.parametrize(
    ("budget", "largest", "kept"),
    [
        ("max_difference = 0.25\nmin_agreement = 0.5", 0.25, True),
        ("max_difference = 0.25\nmin_agreement = 0.5", 0.26, False),
        ("max_difference = inf\nmin_agreement = 0.75", 9.0, True),
        ("max_difference = inf\nmin_agreement = 0.76", 0.0, False),
    ],
)
def test_a_form_is_kept_within_both_budgets(
    budget: str, largest: float, kept: bool, tmp_path: Path
) -> None:
    """Of four pictures, it means the same by three; of the golden ones, by one of two."""
    truth = Observed([np.array([index]) for index in (0, 1, 2, 0)])
    seen = Observed([np.array([index]) for index in (0, 2, 2, 0)], largest)

    trial = workshop(tmp_path, budget).judged(FORMS[0], truth, seen, 10.0)

    assert (trial.agreement, trial.golden_agreement) == (0.75, 0.5)
    assert (trial.size, trial.largest) == (10, largest)
    assert trial.kept is kept
