"""docs/troubleshooting.md: its messages are in the code, its commands can be given."""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import click
import pytest

from deployment.cli import main as deploy
from plumbline.cli import main as plumbline

ROOT = Path(__file__).parents[2]

TEXT = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")

ROWS = [
    re.split(r"\s*\|\s*", line)[1:-1]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith(("| symptom", "|---"))
]

MESSAGES = [
    found
    for row in ROWS
    for found in row[0].split("`")[1::2]
    if " " in found and not found.startswith(("curl ", "plumbline "))
]
"""What is quoted of messages: code of several words that is no command; … is what varies."""

LINES = sorted(set(re.findall(r"`(plumbline [a-z][^`]*)`", TEXT)))


@cache
def said() -> str:
    """Every text in the code, the parts of a formatted one with … between them."""
    texts = []
    for folder in ("container/plumbline", "deployment"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            texts += [
                node.value
                for node in ast.walk(ast.parse(file.read_text("utf-8")))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
    return "\n".join(texts)


def test_there_are_enough_symptoms_to_be_of_use() -> None:
    assert len(ROWS) >= 25
    assert all(len(row) == 3 for row in ROWS)
    assert len(MESSAGES) >= 20


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_is_one_that_the_code_has(message: str) -> None:
    parts = [part.strip(" :.") for part in message.split("…")]

    assert [part for part in parts if part and part not in said()] == []


@pytest.mark.parametrize("line", LINES)
def test_every_command_and_option_is_there(line: str) -> None:
    _, name, *rest = shlex.split(line)
    group: click.Group = plumbline
    if name == "deploy" and not rest[0].startswith("-"):
        group, name, rest = deploy, rest[0], rest[1:]
    command = group.get_command(click.Context(group), name)

    assert command is not None
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known | {"--help"}
