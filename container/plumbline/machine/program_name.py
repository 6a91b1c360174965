"""What the command line is called here, so that what it tells to type can be pasted."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import plumbline

NAME = "plumbline"
"""What messages call it, and what it is called where it is on PATH."""

VERSION = f"{NAME}, version {plumbline.__version__}"
"""What --version prints, of every script."""

COMMANDS = (
    *("bench", "compare", "conform", "deploy", "drift", "find-preprocess", "init", "inspect"),
    *("pack", "page", "predict", "recipe", "serve", "settings", "train", "transform", "tune"),
)

SCRIPT = "python deploy.py"
"""`plumbline deploy`, where that is not installed."""

HINT = re.compile(rf"(?<![\w./-]){NAME} (?=(?:{'|'.join(COMMANDS)})\b)")


def program_name() -> str:
    """What was typed to start this process; `plumbline`, where that was something else."""
    script = Path(sys.argv[0])
    if script.name == "__main__.py" and script.parent.name == NAME:
        return f"{shlex.quote(sys.orig_argv[0])} -m {NAME}"
    if script.name != NAME:
        return NAME
    found = shutil.which(NAME)
    if found and Path(found).resolve() == script.resolve():
        return NAME
    return shlex.quote(str(script))


def installing(package: str) -> str:
    """What to type to install a package where this process would find it, with pip or without."""
    python = shlex.quote(sys.executable)
    if find_spec("pip"):
        return f"{python} -m pip install {package}"
    return f"uv pip install --python {python} {package}"


def as_called(text: str, name: str) -> str:
    """The text, its hints naming the program as it was called."""
    return HINT.sub(lambda _: f"{name} ", text.replace(SCRIPT, f"{NAME} deploy"))
