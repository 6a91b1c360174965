"""The rules of the house: imports point down, and each foreign thing is known in one room."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imports import (
    CONTAINER,
    DRAWN,
    MODULES,
    PAGE,
    ROOT,
    TREES,
    WINGS,
    between_wings,
    circles,
    drawing,
    graph_of,
    imported,
    levels,
    wing_of,
)

DEPLOYMENT = ROOT / "deployment"

MOST_LEVELS = 11

PURE = {"signature", "vision", "spec", "parity", "results", "wire", "tasks"}
"""Wings that know neither clock nor disk, nor network, nor threads."""

FRAMEWORKS = {"tensorflow", "keras", "tf_keras", "openvino", "nncf"}

OUTSIDE_WORLD = {
    "asyncio",
    "concurrent",
    "logging",
    "multiprocessing",
    "os",
    "queue",
    "random",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
}
"""What a pure module has no use for: the clock, the disk, the network, threads, the log."""

READS_A_FILE = {"open", "read_bytes", "read_text", "write_bytes", "write_text", "iterdir", "glob"}

MOST_LINES_OF_A_FUNCTION = 50
MOST_LINES_OF_A_FILE = 300


DEPLOYMENT_TREES = {
    str(file.relative_to(ROOT)): ast.parse(file.read_text("utf-8"))
    for file in [*sorted(DEPLOYMENT.rglob("*.py")), ROOT / "deploy.py"]
    if file.is_file()
}
ALL_TREES = {**TREES, **DEPLOYMENT_TREES}


def imported_at_once(tree: ast.Module) -> Iterator[str]:
    """The modules that are imported when this one is."""
    inside_functions = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in inside_functions:
            yield from imported(node)


def tops(names: Iterator[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public functions and classes, with the public methods of those classes."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node
            yield from (inner for inner in functions(node) if inner in node.body and shown(inner))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and shown(node):
            yield node


def shown(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return not function.name.startswith("_")


def test_every_folder_and_file_has_its_place_in_the_order() -> None:
    assert {wing_of(name) for name in MODULES} == {*WINGS, ""}


def test_imports_point_down() -> None:
    upwards = {
        f"{name} imports from {other}"
        for name, others in between_wings(graph_of(TREES)).items()
        for other in others
        if WINGS.index(other) > WINGS.index(name)
    }
    assert upwards == set()


def test_no_modules_import_each_other() -> None:
    assert circles(graph_of(TREES)) == []


def test_the_house_has_few_levels() -> None:
    assert max(levels(between_wings(graph_of(TREES))).values()) <= MOST_LEVELS


def test_the_map_in_the_docs_is_that_of_the_code() -> None:
    drawn = DRAWN.search(PAGE.read_text("utf-8"))
    assert drawn is not None
    assert drawn[0] == drawing(), "python tests/imports.py draws it anew"


def test_a_folder_says_in_a_sentence_what_lives_there() -> None:
    """The packages below a wing, such as results/drawing, too."""
    folders = [name for name, file in MODULES.items() if file.name == "__init__.py"]
    said = {name: ast.get_docstring(TREES[name]) for name in folders}
    assert [name for name, sentence in said.items() if not sentence] == []
    more = {name for name in folders if len(TREES[name].body) > 1}
    # The one holds its version; the other is what users' scripts import by that name.
    assert more == {"plumbline", "plumbline.training"}


ENDINGS = ("ings", "ing", "ers", "er", "ors", "or", "ions", "ion", "ed", "es", "s", "e")

EVERYWHERE = {"base", "commands", "errors", "loader", "loading", "pack", "packing"}
"""Ports, command lines and branches of the error tree; and what gives its folder the name."""


def without_ending(name: str) -> str:
    return next((name.removesuffix(end) for end in ENDINGS if name.endswith(end)), name)


def test_no_two_modules_are_told_apart_by_an_ending_alone() -> None:
    names = [name.rpartition(".")[2] for name in MODULES]
    stems = [without_ending(name) for name in names if name not in EVERYWHERE]
    assert {stem for stem in stems if stems.count(stem) > 1} == set()


def test_flask_is_known_in_web_only() -> None:
    assert {
        name
        for name, tree in TREES.items()
        if tops(imported(tree)) & {"flask", "werkzeug", "gunicorn"} and wing_of(name) != "web"
    } == set()


def reads_environment(tree: ast.AST) -> bool:
    names = {"environ", "environb", "getenv"}
    return any(
        (isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os" and node.attr in names)
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and names & {alias.name for alias in node.names}
        )
        for node in ast.walk(tree)
    )


def test_the_environment_is_read_in_one_module_only() -> None:
    found = {name for name, tree in TREES.items() if reads_environment(tree)}
    assert found == {"plumbline.settings.environment"}


def test_frameworks_are_known_in_their_engines_and_in_packing_only() -> None:
    knowing = {name for name, tree in TREES.items() if tops(imported(tree)) & FRAMEWORKS}
    assert {wing_of(name) for name in knowing} == {"engines", "packing", "training"}
    openvino = {name for name in knowing if "openvino" in tops(imported(TREES[name]))}
    assert {name for name in openvino if wing_of(name) == "engines"} == {
        "plumbline.engines.openvino_networks"
    }


def test_frameworks_are_imported_when_first_needed() -> None:
    at_once = {name for name, tree in TREES.items() if tops(imported_at_once(tree)) & FRAMEWORKS}
    assert at_once == set()


def called(tree: ast.AST) -> Iterator[str]:
    """The names of what is called; opening a picture from bytes is no reading of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) != "Image.open":
            yield ast.unparse(node.func).rpartition(".")[2]


def test_the_core_is_pure() -> None:
    core = {name: tree for name, tree in TREES.items() if wing_of(name) in PURE}
    impure = {
        name: found
        for name, tree in core.items()
        if (found := tops(imported(tree)) & OUTSIDE_WORLD | {*called(tree)} & READS_A_FILE)
    }
    assert impure == {}


def test_deployment_and_container_do_not_know_each_other() -> None:
    strangers = {
        name
        for name, tree in ALL_TREES.items()
        if ("plumbline" if name in DEPLOYMENT_TREES else "deployment") in tops(imported(tree))
    }
    assert strangers == set()


def test_everything_public_says_what_it_is() -> None:
    silent = {
        f"{name}: {getattr(node, 'name', 'the module')}"
        for name, tree in ALL_TREES.items()
        for node in (tree, *public(tree))
        if not ast.get_docstring(node)
    }
    assert silent == set()


def test_functions_and_files_are_short() -> None:
    long = {
        f"{name}: {node.name}"
        for name, tree in ALL_TREES.items()
        for node in functions(tree)
        if (node.end_lineno or 0) - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    }
    files = {name: MODULES.get(name, ROOT / name) for name in ALL_TREES}
    long |= {
        name
        for name, file in files.items()
        if len(file.read_text("utf-8").splitlines()) > MOST_LINES_OF_A_FILE
    }
    assert long == set()


def written() -> list[Path]:
    """What people read, and what they install from."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "model").rglob("*.md")]
    return [*pages, *(file for file in (ROOT / "requirements").glob("*") if file.is_file())]


@pytest.mark.parametrize("file", written(), ids=lambda file: str(file.relative_to(ROOT)))
def test_no_page_names_a_package_index_or_the_machine_it_was_written_on(file: Path) -> None:
    text = file.read_text("utf-8")
    found = re.findall(
        r"--(?:extra-)?index-url|https?://[^\s)]*/simple\b|(?<![\w.])/(?:work|home|root)/", text
    )
    assert found == []


@pytest.mark.parametrize(
    "module",
    ["plumbline.web.app", "plumbline.pipeline.stages", "plumbline.loading.loader", "plumbline.cli"],
)
def test_importing_the_server_imports_no_framework(module: str) -> None:
    code = f"import sys, {module}; print(*{sorted(FRAMEWORKS)!r} & sys.modules.keys())"
    code = code.replace(f"*{sorted(FRAMEWORKS)!r}", f"*set({sorted(FRAMEWORKS)!r})")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(CONTAINER)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists a process's threads")
def test_what_the_arbiter_imports_starts_no_thread() -> None:
    """Its workers are forked from it, and a thread would not come along."""
    code = """
import os
from plumbline.engines import openvino_networks
from plumbline.web import wsgi
openvino_networks.preload()
print(*os.listdir("/proc/self/task"), os.getpid())
"""
    environment = {**os.environ, "PYTHONPATH": str(CONTAINER), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        check=True,
        timeout=60,
        text=True,
    )
    task, process = done.stdout.split()
    assert task == process


def test_no_two_modules_that_tests_import_have_the_same_name() -> None:
    """Pytest imports modules by their names alone, from the folders of its `pythonpath` too."""
    folders = (
        (ROOT / "tests").rglob("*.py"),
        *((ROOT / name).glob("*.py") for name in ("benchmarks", "model/examples")),
    )
    names = [file.name for files in folders for file in files]
    doubled = {name for name in names if names.count(name) > 1}
    assert doubled <= {"conftest.py", "inference.py"}
