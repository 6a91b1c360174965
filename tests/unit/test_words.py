"""The words that readers search for: AWS's, Keras's and HTTP's, and none that were coined here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

REPLACED = {
    r"ways? back": "rollback",
    r"(?:kinds?|types?) of machine": "instance type",
    r"(?:spot|warm|old|new|zero|training) machines?": "instance",
    r"(?:number of|how many|fewest|so many) machines": "instance count",
    r"machine hours?": "instance hours",
    r"share of the requests": "traffic weight",
    r"of the spread": "relative",
    r"crowds?": "concurrent requests",
    r"lone callers?": "a single request",
    r"nobody": "the passive voice, or what is missing",
    r"heed(?:s|ed)?": "use, apply, respect",
    r"in the stead of|[a-z]'s stead": "instead of",
    r"asked of AWS": "AWS calls",
    r"surer|surest": "the highest score",
    r"for ever": "always",
    r"away with it": "remove",
    r"of the house|the house's|house's": "Plumbline's",
    r"four inks": "CMYK",
    r"telephones?": "phone",
    r"exif notes?": "EXIF orientation",
    r"is told of": "is notified of",
    r"(?:go|goes|going|went) back to": "roll back to",
    r"anew": "again",
    r"for want of": "without",
    r"answers? rightly": "predicts correctly",
    r"all is well": "OK",
}
"""What stood here once, and what stands there now. It may not come back."""


def shown(file: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module that somebody may read: no names, no docstrings of functions."""
    tree = ast.parse(file.read_text("utf-8"))
    unseen = {id(each) for each in docstrings(tree)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in unseen:
            continue
        if isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def docstrings(tree: ast.AST) -> Iterator[ast.AST]:
    """Those that only developers read: a command's own is its help."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        command = any("command" in ast.dump(each) for each in getattr(node, "decorator_list", []))
        for statement in body:
            if isinstance(statement, ast.Expr) and not command:
                yield statement.value


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

MODULES = [
    file
    for folder in ("container/plumbline", "deployment", "local_test")
    for file in sorted((ROOT / folder).rglob("*.py"))
]


def found(text: str) -> list[str]:
    """Replaced words in a text, each with what to say."""
    flat = " ".join(text.split())
    return [
        f"{match[0]!r}: say {better}"
        for pattern, better in REPLACED.items()
        for match in re.finditer(rf"\b(?:{pattern})\b", flat, re.IGNORECASE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_has_a_replaced_word(page: Path) -> None:
    assert found(page.read_text("utf-8")) == []


def test_no_message_or_help_has_a_replaced_word() -> None:
    bad = [
        f"{module.relative_to(ROOT)}:{line}: {word}"
        for module in MODULES
        for line, text in shown(module)
        for word in found(text)
    ]

    assert bad == []


def test_a_replaced_word_is_seen_across_lines_and_in_any_case() -> None:
    assert found("The old\nmachines, and the WAY back.") == [
        "'WAY back': say rollback",
        "'old machines': say instance",
    ]
