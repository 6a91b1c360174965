"""The folders of deployment/ are layers: imports point down, and nothing goes round in a circle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ORDER = (
    *("errors", "names", "grants", "policy"),
    *("plan", "aws", "current", "terminal", "proof", "flows", "commands"),
    "cli",
)
"""From the ground to the door."""

FILES = sorted((ROOT / "deployment").rglob("*.py"))


def module(file: Path) -> str:
    """plan.endpoint for deployment/plan/endpoint.py."""
    return ".".join(file.relative_to(ROOT / "deployment").with_suffix("").parts)


MODULES = {module(file): ast.parse(file.read_text("utf-8")) for file in FILES}


def imported(name: str) -> set[str]:
    """The modules of the package that one imports, anywhere in it."""
    found = set()
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("deployment"):
            for alias in node.names:
                place = str(node.module).removeprefix("deployment").removeprefix(".")
                inner = f"{place}.{alias.name}".removeprefix(".")
                found.add(inner if inner in MODULES else place)
    return found


def height(name: str) -> int:
    """How far above the ground."""
    return ORDER.index(name.partition(".")[0])


@pytest.mark.parametrize("name", [each for each in MODULES if not each.endswith("__init__")])
def test_imports_point_down(name: str) -> None:
    assert {other for other in imported(name) if height(other) > height(name)} == set()


def test_no_file_needs_itself() -> None:
    list(TopologicalSorter({name: imported(name) for name in MODULES}).static_order())


def test_a_folder_says_in_one_sentence_what_lives_there_and_nothing_else() -> None:
    for name, tree in MODULES.items():
        if name.endswith("__init__"):
            [only] = tree.body
            assert isinstance(only, ast.Expr)
            assert str(ast.get_docstring(tree)).count(".") <= 2  # deploy.py has one


def test_plans_ask_nothing_and_read_nothing() -> None:
    plans = {name for name in MODULES if name.startswith("plan.")}
    outside = {"boto3", "botocore", "click", "os", "rich", "subprocess", "sys", "time"}
    for name in plans:
        tops = {
            alias.name.partition(".")[0]
            for node in ast.walk(MODULES[name])
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {
            str(node.module).partition(".")[0]
            for node in ast.walk(MODULES[name])
            if isinstance(node, ast.ImportFrom)
        }
        assert tops & outside == set(), name
