"""What docs/teams.md says, in its order: every line does what is written, and `down` ends it."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest
from aws_account import ACCOUNT, IMAGE, ROLE, Account, Deploy
from faults import Weather
from hosting import Hosting

from deployment.plan.front import CODE

ROOT = Path(__file__).parents[2]

PAGE = (ROOT / "docs/teams.md").read_text("utf-8")

LINE = re.compile(r"^    plumbline deploy ([^>\n]+)", re.MULTILINE)

ALL = f"--image {IMAGE} --model model.tar.gz --role {ROLE}"

FILES = ("model.tar.gz", "better.tar.gz", "cats.tar.gz", "dogs.tar.gz", "cat.jpg")


def lines() -> list[list[str]]:
    """The commands, with what stands for one's own filled in."""
    written = (line.replace("…", ALL) for line in LINE.findall(PAGE))
    known = {"URI": IMAGE, "ROLE": ROLE}
    return [[known.get(word, word) for word in shlex.split(line)] for line in written]


def test_the_page_speaks_of_every_command_of_this_kind() -> None:
    assert {line[0] for line in lines()} >= {"front", "invoke", "models", "register", "up"}
    assert f"{ACCOUNT}:model-package/cats/1" in PAGE


@pytest.mark.usefixtures("sound")
def test_every_line_is_one_that_deploy_py_knows(
    account: Account, deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        Path(name).write_bytes(name.encode())
    answer = {"Body": io.BytesIO(b"[1]"), "ContentType": "application/json"}
    stubs = {**Hosting().stubs, "InvokeEndpoint": lambda _: answer}
    with Weather(stubs=stubs).prevailing():
        for line in lines():
            checked = line[0] in ("up", "models", "register", "update")
            alone = line[1:2] == ["cats"] and line[0] == "up"  # each another cats
            if line[0] == "update":
                kind = () if "--template" in line else ("--component", 2048)
                deploy("down", line[1], "--yes")
                deploy("up", line[1], *shlex.split(ALL), "--no-check", *kind)
            ended = deploy(
                *line,
                *(("--no-check",) if checked else ()),
                *(("--dry-run",) if alone and "--template" not in line else ()),
            )
            assert ended.exit_code == 0, (line, ended.stderr)


def test_the_front_does_what_the_page_says_it_does() -> None:
    for phrase, code in {"constant time": "compare_digest", "401": "answer(401"}.items():
        assert phrase in PAGE
        assert code in CODE
