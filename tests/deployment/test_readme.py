"""The commands of README and docs/deploy.md, word for word, in moto's AWS."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from aws_account import ACCOUNT, IMAGE, Account, Deploy, inventory

from deployment import policy
from deployment.policy import Place

ROOT = Path(__file__).parents[2]

PAGES = {name: (ROOT / name).read_text("utf-8") for name in ("README.md", "docs/deploy.md")}

LINE = re.compile(r"^    (?:\.venv/bin/)?python deploy\.py (.+)$", re.MULTILINE)

MADE_UP = {"URI": IMAGE, "ROLE": f"arn:aws:iam::{ACCOUNT}:role/plumbline"}

CHANGES = ("update", "rollback", "weights", "transform")
"""What looks at an endpoint before anything is planned: carried out in test_update_docs.py."""


def commands(page: str) -> list[list[str]]:
    """The lines for deploy.py, with what stands for one's own filled in."""
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


def test_the_role_is_made_as_the_documentation_makes_it(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGES["docs/deploy.md"], re.DOTALL)
    names: dict[str, Any] = {}

    exec(block, names)

    assert capsys.readouterr().out == f"arn:aws:iam::{ACCOUNT}:role/plumbline\n"
    found = account("iam").get_role_policy(RoleName="plumbline", PolicyName="serve")
    assert found["PolicyDocument"] == policy.role(Place("eu-central-1", ACCOUNT))
    trusted = account("iam").get_role(RoleName="plumbline")["Role"]["AssumeRolePolicyDocument"]
    assert trusted == json.loads(json.dumps(policy.TRUST))


@pytest.mark.parametrize("page", PAGES)
def test_every_option_of_the_script_that_is_written_of_is_there(page: str) -> None:
    script = (ROOT / "build_and_push.sh").read_text("utf-8")

    lines = re.findall(r"\./build_and_push\.sh (--.+)", PAGES[page])

    assert lines
    for option in re.findall(r"--[a-z]+", " ".join(lines)):
        assert f"\n        {option}) need" in script
