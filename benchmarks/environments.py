"""A virtual environment for each peer, made once and again when its requirements change."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from contenders import Contender

FAILED_LINES = 3


class NotAvailable(Exception):
    """A contender can't be measured here; the message says why."""


def bin_folder(contender: Contender, out: Path) -> Path:
    """Where its Python is; our own for what has no requirements.

    Raises `NotAvailable` where a program that it needs is missing, or pip fails.
    """
    missing = [program for program in contender.needs if not shutil.which(program)]
    if missing:
        raise NotAvailable(f"{', '.join(missing)} is not installed")
    if not contender.peer:
        return Path(sys.executable).parent
    return environment(out / "envs" / contender.name, contender.requirements) / "bin"


def environment(folder: Path, requirements: Path) -> Path:
    """The environment in `folder`, up to date. Raises `NotAvailable`."""
    stamp = folder / "complete"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return folder
    print(f"installing {requirements.parent.name} into {folder}", flush=True)
    run(sys.executable, "-m", "venv", "--clear", str(folder))
    pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet")
    run(*pip, "--disable-pip-version-check", "--requirement", str(requirements))
    stamp.write_text(digest)
    return folder


def run(*command: str) -> None:
    """Run a command to its end. Raises `NotAvailable` with its last words."""
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        last = (said or done.stderr.splitlines())[-FAILED_LINES:]
        raise NotAvailable(f"it can't be installed: {' '.join(last)}")
