"""`plumbline train`: a job on this machine."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from plumbline.cli import main

TELLS = """
import os, sys
channels = sorted(name for name in os.environ if name.startswith("SM_CHANNEL_"))
open(os.environ["SM_MODEL_DIR"] + "/told", "w").write(" ".join(channels + sys.argv[1:]))
open(os.environ["SM_OUTPUT_DATA_DIR"] + "/report", "w").write("good")
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "source/train.py"
    file.parent.mkdir()
    file.write_text(TELLS)
    return file


@pytest.mark.parametrize(
    ("folders", "channels"),
    [
        (("cats", "dogs"), "SM_CHANNEL_TRAINING"),
        (("train", "validation"), "SM_CHANNEL_TRAIN SM_CHANNEL_VALIDATION"),
    ],
)
def test_a_folder_is_a_channel_or_holds_some(
    script: Path, tmp_path: Path, folders: tuple[str, ...], channels: str
) -> None:
    for name in folders:
        (tmp_path / "data" / name).mkdir(parents=True)
    out, report = tmp_path / "out/model.tar.gz", tmp_path / "report"
    arguments = [tmp_path / "data", "--script", script, "--set", "epochs=5", "--out", out]

    done = CliRunner().invoke(main, ["train", *map(str, arguments), "--report", str(report)])

    assert done.exit_code == 0, done.output
    with tarfile.open(out) as tar:
        told = tar.extractfile("told")
        assert told is not None
        assert told.read().decode() == f"{channels} --epochs 5"
    assert (report / "report").read_text() == "good"
    assert sorted(path.name for path in script.parent.iterdir()) == ["train.py"]


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(7)", 7), ("", 1)])
def test_where_there_is_no_model_nothing_is_written(
    script: Path, tmp_path: Path, code: str, status: int
) -> None:
    script.write_text(code)
    (tmp_path / "data").mkdir()
    out = tmp_path / "model.tar.gz"
    arguments = [str(tmp_path / "data"), "--script", str(script), "--out", str(out)]
    assert CliRunner().invoke(main, ["train", *arguments]).exit_code == status
    assert not out.exists()
