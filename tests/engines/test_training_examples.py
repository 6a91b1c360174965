"""The examples that train as jobs, each in one command, shortened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from trained_models import note

import bees
import bulk
import training_in_process
import unet
from plumbline.archive.contents import Archive, open_archive
from plumbline.archive.tarball import unpack
from scenes import DIGITS, SURFACES

pytestmark = pytest.mark.tensorflow


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their commands run in this process."""
    training_in_process.recipes_here(monkeypatch)
    for example in (bees, bulk, unet):
        monkeypatch.setattr(example, "plumbline", training_in_process.plumbline)


def opened(out: Path) -> Archive:
    """What the job has handed over, unpacked."""
    unpack(out / "model.tar.gz", out / "served")
    return open_archive(out / "served")


def answers(out: Path) -> Iterator[dict[str, Any]]:
    """A line for each picture."""
    for line in (out / "answers/predictions.jsonl").read_text().splitlines():
        yield json.loads(line)


def test_labels_become_a_detector_and_its_answers_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bees, "SETTINGS", {**bees.SETTINGS, "size": 64})

    bees.main(["--out", str(tmp_path), "--scenes", "20", "--epochs", "1"])

    archive = opened(tmp_path)
    assert archive.labels == DIGITS
    assert archive.spec.task == "detection"
    assert {
        side: found["pictures"] for side, found in note(tmp_path / "served")["data"].items()
    } == {
        "train": 16,
        "validation": 4,
    }
    found = list(answers(tmp_path))
    assert len(found) == bees.SHOWN
    assert all(len(each["detections"]) <= 3 for each in found)
    assert all(box["score"] > 0.2 for each in found for box in each["detections"])
    with Image.open(tmp_path / "drawn.png") as drawn:
        assert drawn.size[1] == 2 * (240 + 12) + 12  # two rows
    assert (tmp_path / "report/report.png").is_file()


def test_a_script_trains_a_u_net_whose_answers_are_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    unet.main(["--out", str(tmp_path), "--scenes", "16", "--epochs", "1"])

    assert "mean IoU: 0." in capfd.readouterr().out
    archive = opened(tmp_path)
    assert archive.labels == SURFACES
    assert archive.accelerated is not None
    assert len(archive.goldens) == unet.GOLDEN
    found = list(answers(tmp_path))
    assert len(found) == unet.SHOWN
    for each in found:
        assert {segment["label"] for segment in each["segments"]} <= {*SURFACES}
    assert (tmp_path / "drawn.png").is_file()


def test_a_batch_transform_answers_with_the_accuracy_that_the_job_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bulk.main(["--out", str(tmp_path), "--pictures", "160", "--epochs", "2"])

    reported = note_of(tmp_path)["metrics"]["validation:accuracy"]
    assert f"{reported:.2%} of 160 answers are right" in capsys.readouterr().out
    found = list(answers(tmp_path))
    assert len(found) == 160
    for each in found:
        assert len(each["prediction"]) == len(DIGITS)
        assert sum(each["prediction"]) == pytest.approx(1, abs=1e-5)
    pixels = np.asarray(Image.open(tmp_path / "drawn.png"))
    assert pixels.shape[0] == 2 * (240 + 12) + 12


def note_of(out: Path) -> dict[str, Any]:
    """What the job says of itself."""
    opened(out)
    return note(out / "served")
