"""The reason of a failure, as DescribeTrainingJob shows it."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from plumbline.training import failure
from plumbline.training.errors import TrainingError


def test_it_is_one_line_of_as_many_characters_as_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "output/failure"
    failure.report(file, "a\n  b " + "é" * 2000)
    said = file.read_text("utf-8")
    assert said.startswith("a b é")
    assert said.endswith("…")
    assert len(said) == 1024


def test_it_is_on_standard_error_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failure.report(tmp_path / "failure", "No data.")
    assert capsys.readouterr().err == "Training failed: No data.\n"


def test_what_a_script_has_written_stays(tmp_path: Path) -> None:
    file = tmp_path / "failure"
    file.write_text("mine")
    failure.report(file, "ours")
    assert file.read_text() == "mine"


def test_an_output_that_cant_be_written_is_no_second_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "output").write_text("a file where a folder is expected")
    failure.report(tmp_path / "output/failure", "No data.")
    assert "No data." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TrainingError("As it is."), "As it is."),
        (OSError(errno.ENOSPC, "No space left on device", "/opt/ml/model/x"), "VolumeSizeInGB"),
        (OSError(errno.EROFS, "Read-only file system", "/opt/ml/model"), "/opt/ml and /tmp"),
        (PermissionError(errno.EACCES, "Permission denied", "/opt/ml/model"), "as root"),
        (
            shutil.Error([("a", "/opt/ml/code/a", "[Errno 28] No space left on device: 'a'")]),
            "/opt/ml/code/a: No space left on device. The disk is full",
        ),
        (MemoryError(), "because memory ran out"),
        (KeyError("x"), "KeyError: 'x' (the traceback is in the log)."),
    ],
)
def test_what_an_exception_is_told_as(error: Exception, said: str, tmp_path: Path) -> None:
    def work() -> int:
        raise error

    assert failure.attempted(tmp_path / "failure", work) == 1
    assert said in (tmp_path / "failure").read_text("utf-8")
