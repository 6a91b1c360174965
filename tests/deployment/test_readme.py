"""The commands of README and docs/deploy.md, word for word, in moto's AWS."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from aws_account import ACCOUNT, IMAGE, Account, Deploy, inventory

ROOT = Path(__file__).parents[2]

PAGES = {name: (ROOT / name).read_text("utf-8") for name in ("README.md", "docs/deploy.md")}

LINE = re.compile(r"^    plumbline deploy (.+)$", re.MULTILINE)

MADE_UP = {"URI": IMAGE, "ROLE": f"arn:aws:iam::{ACCOUNT}:role/plumbline"}

CHANGES = ("update", "rollback", "weights", "transform")
"""What looks at an endpoint before anything is planned: carried out in test_update_docs.py."""


def commands(page: str) -> list[list[str]]:
    """The lines for `plumbline deploy`, with what stands for one's own filled in."""
    lines = [shlex.split(line, comments=True) for line in LINE.findall(PAGES[page])]
    return [[MADE_UP.get(word, word) for word in line] for line in lines]


def command(page: str, name: str) -> list[str]:
    """The first of that name."""
    return next(line for line in commands(page) if line[0] == name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as `make demo` leaves it."""
    pictures = tmp_path / "build" / "demo" / "pictures"
    pictures.mkdir(parents=True)
    (pictures / "three.png").write_bytes(b"a picture")
    (tmp_path / "build" / "demo" / "model.tar.gz").write_bytes(b"an archive")
    for name in ("bees/a.png", "wasps/a.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True)
        (tmp_path / "photos" / name).write_bytes(b"a picture")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_deploying_and_removing_leaves_nothing(
    page: str, folder: Path, account: Account, deploy: Deploy
) -> None:
    made = deploy(*command(page, "up"), "--no-check")  # the archive is none
    there = inventory(account)
    asked = deploy(*command(page, "invoke"), "--dry-run")
    removed = deploy(*command(page, "down"), "--yes")

    assert made.exit_code == 0, made.stderr
    assert there["endpoints"] == ["digits"]
    assert asked.exit_code == 0, asked.stderr
    assert removed.exit_code == 0, removed.stderr
    assert inventory(account) == {}


@pytest.mark.parametrize("page", PAGES)
def test_every_line_is_one_that_deploy_py_knows(
    page: str, folder: Path, account: Account, deploy: Deploy
) -> None:
    lines = commands(page)

    assert {line[0] for line in lines} >= {"up", "invoke", "down"}
    for line in lines:
        if "…" not in line and line[0] not in CHANGES:
            done = deploy(*line, "--dry-run")
            assert (line, done.exit_code) == (line, 0), done.stderr


def test_every_line_about_training_is_one_that_deploy_py_knows(
    folder: Path, account: Account, deploy: Deploy
) -> None:
    page = (ROOT / "docs/training.md").read_text("utf-8").replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in LINE.findall(page)]

    assert [line[0] for line in lines].count("train") >= 6
    assert "search" in [line[0] for line in lines]
    for line in lines:
        given = [MADE_UP.get(word, word) for word in line]
        done = deploy(*given, "--dry-run")
        alone = {"--stop", "--resume"} & {*line}  # these look for a job first
        assert (line, done.exit_code) == (line, 4 if alone else 0), done.stderr
