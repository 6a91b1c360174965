"""Who imports whom, read from the code itself: the rules are held against it, and the map drawn.

`python tests/imports.py` writes the drawing in docs/architecture.md anew.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONTAINER = ROOT / "container"
PAGE = ROOT / "docs" / "architecture.md"

WINGS = (
    "errors",
    "logs",
    "signature",
    "machine",
    "telemetry",
    "vision",
    "links",
    "spec",
    "parity",
    "results",
    "archive",
    "emulator",
    "conformance",
    "engines",
    "wire",
    "drift",
    "settings",
    "tasks",
    "pipeline",
    "handlers",
    "loading",
    "packing",
    "training",
    "monitoring",
    "hosting",
    "browser_page",
    "web",
    "client",
    "cli",
)
"""From the ground up: a folder imports only from those before it."""

Graph = Mapping[str, set[str]]


def module_name(file: Path, root: Path) -> str:
    """What a file is imported as."""
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files_below(package: Path) -> dict[str, Path]:
    """The modules of a package by their names."""
    return {module_name(file, package.parent): file for file in sorted(package.rglob("*.py"))}


MODULES = files_below(CONTAINER / "plumbline")
TREES = {name: ast.parse(file.read_text("utf-8")) for name, file in MODULES.items()}


def imported(tree: ast.AST, known: Mapping[str, object] = MODULES) -> Iterator[str]:
    """The modules that a tree imports, anywhere in it, as precisely as it says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide what is imported"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else str(node.module)


def graph_of(trees: Mapping[str, ast.AST]) -> dict[str, set[str]]:
    """Of each of these modules those that it imports of them."""
    return {
        name: {other for other in imported(tree, trees) if other in trees and other != name}
        for name, tree in trees.items()
    }


def wing_of(module: str) -> str:
    """The folder right below the package, or the file there; `python -m` is the command line."""
    wing = (*module.split("."), "")[1]
    return "cli" if wing == "__main__" else wing


def between_wings(graph: Graph) -> dict[str, set[str]]:
    """Of each wing those that it imports from; the package itself holds nothing."""
    wings: dict[str, set[str]] = {}
    for name, others in graph.items():
        found = {wing_of(other) for other in others} - {wing_of(name), ""}
        wings.setdefault(wing_of(name), set()).update(found)
    return {name: others for name, others in wings.items() if name}


def circles(graph: Graph) -> list[list[str]]:
    """Ways from a node back to itself; one of each circle at the least."""
    done: set[str] = set()
    found = []

    def visit(node: str, way: tuple[str, ...]) -> None:
        if node in way:
            found.append([*way[way.index(node) :], node])
        elif node not in done:
            for other in sorted(graph[node]):
                visit(other, (*way, node))
            done.add(node)

    for start in graph:
        visit(start, ())
    return found


def levels(graph: Graph) -> dict[str, int]:
    """How far above the ground each node stands: 1 for what imports nothing of the others."""

    @cache
    def level(node: str) -> int:
        return 1 + max((level(other) for other in graph[node]), default=0)

    return {node: level(node) for node in graph}


def reduced(graph: Graph) -> dict[str, set[str]]:
    """The graph without the arrows that others imply."""

    @cache
    def reached(node: str) -> frozenset[str]:
        further = (reached(other) for other in graph[node])
        return frozenset(graph[node]).union(*further)

    return {
        node: {one for one in others if not any(one in reached(other) for other in others - {one})}
        for node, others in graph.items()
    }


def drawing() -> str:
    """The wings and their arrows as Mermaid; an arrow that others imply is left out."""
    arrows = reduced(between_wings(graph_of(TREES)))
    lines = [
        f"    {name} --> {other}"
        for name in reversed(WINGS)
        for other in sorted(arrows[name], key=WINGS.index, reverse=True)
    ]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


DRAWN = re.compile(r"```mermaid\n.*?```", re.DOTALL)


def main() -> None:
    """Draw the map anew."""
    page = PAGE.read_text("utf-8")
    PAGE.write_text(DRAWN.sub(lambda _: drawing(), page, count=1), "utf-8")


if __name__ == "__main__":
    main()
