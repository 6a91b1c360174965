"""The files that people keep labels in → the labels, in the file's own numbering if it has one.

What a file is, its content says: packing gives it another name.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from typing import Any

from plumbline.errors import ArchiveError
from plumbline.spec.labels import NumberedLabels

Labels = tuple[str, ...]

READ = (
    "Labels are read from a text file with one label a line, in the order of the classes; from a "
    'label map (item {id: 1 name: "cat"}); from JSON, as ["cat", "dog"], {"cat": 0, "dog": 1} '
    '(Keras\'s class_indices) or {"0": "cat", "1": "dog"}; or from CSV with a column of the '
    "classes' numbers."
)

ITEM = re.compile(r"item\s*:?\s*[{<]((?:[^{}]|\{[^{}]*\})*?)[}>]\s*(?=item\b|\Z)", re.DOTALL)
INNER = re.compile(r"\w+\s*:?\s*\{[^{}]*\}")
FIELD = re.compile(r"""(\w+)\s*:\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[-\w.]+)""")
COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)

LABEL_COLUMNS = ("display_name", "label", "name", "class", "class_name", "label_name")

FOREIGN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\s*<"), "HTML or XML"),
    (re.compile(r"\s*[{\[]"), "neither JSON nor a label map, though it begins like one"),
    (re.compile(r"(?m)^\s*(?:names|classes|labels)\s*:\s*(?:$|[\[{-])"), "YAML"),
    (re.compile(r"version https://git-lfs"), "a Git LFS pointer; run git lfs pull"),
)
"""What is no list of labels, though it could be read as one; and what it is."""


def read(text: str, name: str) -> Labels:
    """The labels in the text of the file `name`. Raises `ArchiveError`, which names the forms."""
    stripped = COMMENT.sub("", text).strip()
    if re.match(r"item\s*:?\s*[{<]", stripped):
        return of_label_map(stripped, name)
    if stripped.startswith(("{", "[")):
        return of_json(text, name)
    for pattern, what in FOREIGN:
        if pattern.match(text) or (what == "YAML" and pattern.search(text)):
            raise refused(name, f"it is {what}")
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise refused(name, "it is empty")
    return of_table(lines, name) or of_numbered_lines(lines) or tuple(lines)


def refused(name: str, why: str) -> ArchiveError:
    """The error for what is none of the forms."""
    return ArchiveError(f"The labels in {name} can't be read: {why}. {READ}")


def numbered(pairs: Sequence[tuple[int, str]], name: str) -> Labels:
    """Labels with their numbers. Raises `ArchiveError` if they don't make a numbering."""
    if not pairs:
        raise refused(name, "there are none in it")
    found = dict(pairs)
    if len(found) != len(pairs) or min(found) < 0:
        raise refused(name, "two labels have the same number, or one is below 0")
    return NumberedLabels.of(found)


def of_label_map(text: str, name: str) -> Labels:
    """The Object Detection API's `label_map.pbtxt`; `display_name` is what people read."""
    pairs = []
    for match in ITEM.finditer(text):
        fields = dict(FIELD.findall(INNER.sub("", match[1])))
        label = unquoted(fields.get("display_name") or fields.get("name") or "")
        if not label or not fields.get("id", "").isdecimal():
            raise refused(name, "an item of the label map has no id or no name")
        pairs.append((int(fields["id"]), label))
    if len(pairs) != len(re.findall(r"(?m)(?:^|[}>\s])item\s*:?\s*[{<]", text)):
        raise refused(name, "an item of the label map is not closed")
    return numbered(pairs, name)


def unquoted(value: str) -> str:
    """A text of a protocol buffer, without its quotes; its escapes are C's."""
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] in ("'", '"') else value


def of_json(text: str, name: str) -> Labels:
    """A list of labels, or an object of them and their numbers, either way round."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise refused(name, "it begins like JSON, and is none") from exc
    if isinstance(document, list) and document and all(isinstance(one, str) for one in document):
        return tuple(document)
    if isinstance(document, dict):
        for form in (by_label, by_number):
            if pairs := form(document):
                return numbered(pairs, name)
    raise refused(name, "its JSON is of another form")


def by_label(document: dict[str, Any]) -> list[tuple[int, str]] | None:
    """`{"cat": 0, "dog": 1}`."""
    if not all(type(value) is int for value in document.values()):
        return None
    return [(value, label) for label, value in document.items()]


def by_number(document: dict[str, Any]) -> list[tuple[int, str]] | None:
    """`{"0": "cat"}`, or `{"0": ["n02123045", "cat"]}`, as `keras.applications` has them."""
    labels = [
        value[-1] if isinstance(value, list) and value else value for value in document.values()
    ]
    if not all(key.isdecimal() for key in document) or not all(
        isinstance(one, str) for one in labels
    ):
        return None
    return [(int(key), label) for key, label in zip(document, labels, strict=True)]


def of_table(lines: Sequence[str], name: str) -> Labels | None:
    """CSV in which one column numbers the classes; None if it is none."""
    for delimiter in ",;\t":
        rows = [row for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if row]
        if len({len(row) for row in rows}) == 1 and len(rows[0]) > 1:
            head = None if any(is_number(cell) for cell in rows[0]) else rows[0]
            body = rows[1:] if head else rows
            number = numbering_column(body, head)
            if number is not None:
                column = label_column(body, head, number, name)
                return numbered([(int(row[number]), row[column].strip()) for row in body], name)
    return None


def is_number(cell: str) -> bool:
    """Whether a cell holds a whole number from 0 on."""
    return cell.strip().isdecimal()


def numbering_column(rows: Sequence[Sequence[str]], head: Sequence[str] | None) -> int | None:
    """The column in which every row has a number of its own."""
    places = range(len(rows[0])) if rows else ()
    found = [
        place
        for place in places
        if all(is_number(row[place]) for row in rows)
        and len({int(row[place]) for row in rows}) == len(rows)
    ]
    named = [place for place in found if head and head[place].strip().lower() in ("id", "class_id")]
    return next(iter(named or found), None)


def label_column(
    rows: Sequence[Sequence[str]], head: Sequence[str] | None, number: int, name: str
) -> int:
    """The column of the labels: the other one, or that whose head says so."""
    others = [place for place in range(len(rows[0])) if place != number]
    titles = [cell.strip().lower() for cell in head or ()]
    named = [titles.index(title) for title in LABEL_COLUMNS if title in titles]
    found = [place for place in named if place != number] or others
    if len(others) > 1 and not named:
        raise refused(name, "it is a table, and no head says which column holds the labels")
    return found[0]


def of_numbered_lines(lines: Sequence[str]) -> Labels | None:
    """`0 cat`, `1 dog`, as Teachable Machine writes them: every line with its own number."""
    matches = [re.fullmatch(r"(\d+)[:\s]\s*(\S.*)", line) for line in lines]
    found = [(int(match[1]), match[2]) for match in matches if match]
    numbers = [number for number, _ in found]
    alike = len({label for _, label in found}) == len(lines)
    return NumberedLabels.of(dict(found)) if alike and numbers == [*range(len(lines))] else None
