"""An archive, looked at by Plumbline's own command line before anything is uploaded."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployment.errors import AnsweredWrong, Misuse
from deployment.terminal.program import CALLED

CONTAINER = Path(__file__).parents[2] / "container"
"""Where the server's package lies in a checkout; an installed one is found without it."""

SECONDS = 600.0

NO_TENSORFLOW = "needs TensorFlow"
"""How the command line says that a model was not compiled, and can't be read here."""

MOST_PICTURES = 10
"""Golden pictures that are sent through an endpoint."""


@dataclass(frozen=True)
class Inspected:
    """What `plumbline inspect` says of an archive."""

    file: Path
    document: Mapping[str, Any]

    @property
    def goldens(self) -> tuple[str, ...]:
        """Where the golden pictures lie in it."""
        return tuple(self.document["golden"]["files"])


def inspect(file: Path) -> Inspected:
    """What is in the archive. Raises `Misuse` for one that the server would not serve."""
    done = plumbline("inspect", str(file), "--json")
    if done.returncode and NO_TENSORFLOW in done.stderr:
        raise Misuse(
            f"{file} can't be looked into here. {told(done)} Install it, or leave the archive "
            "unchecked with --no-check."
        )
    if done.returncode:
        raise Misuse(
            f"{file} can't be served, so nothing was sent to AWS. {told(done)} "
            f"`plumbline inspect {file}` shows what is in an archive."
        )
    return Inspected(file, json.loads(done.stdout))


def golden_pictures(inspected: Inspected) -> dict[str, bytes]:
    """The first golden pictures by their names."""
    if not inspected.goldens:
        return {}
    with tarfile.open(inspected.file) as tar:
        members = {member.name.removeprefix("./"): member for member in tar if member.isfile()}
        found = {
            Path(name).name: tar.extractfile(members[name])
            for name in inspected.goldens[:MOST_PICTURES]
        }
        return {name: stream.read() for name, stream in found.items() if stream}


def compare(file: Path, answers: Path) -> int:
    """How many answers in the folder are as expected. Raises `AnsweredWrong` if one is not.

    Raises `Misuse` where they could not be compared, which says nothing of them.
    """
    done = plumbline("compare", str(file), str(answers), "--json")
    if not done.stdout:
        [*_, last] = told(done).splitlines() or [f"It ended with the status {done.returncode}."]
        raise Misuse(
            f"The answers could not be compared with the golden pictures of {file}. {last} "
            "Nothing is known of them, and nothing was taken back."
        )
    document = json.loads(done.stdout)
    if document["wrong"]:
        raise AnsweredWrong(document["wrong"])
    return len(document["pictures"])


def told(done: subprocess.CompletedProcess[str]) -> str:
    """What a command says is wrong."""
    return done.stderr.strip().removeprefix("Error: ")


def plumbline(
    *arguments: str, shown: bool = False, profile: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Plumbline's command line, run by this Python, on this terminal if `shown`.

    Raises `Misuse` where it can't run, or does not end.
    """
    lacking = [name for name in ("numpy", "orjson", "PIL") if not importlib.util.find_spec(name)]
    if lacking:
        raise Misuse(
            f"This Python lacks {', '.join(lacking)}, which looking into an archive needs: take "
            "the environment that `make venv` makes (.venv/bin/python deploy.py), or leave "
            "archives unchecked with --no-check."
        )
    try:
        return subprocess.run(
            [sys.executable, "-m", "plumbline", *arguments],
            env=environment(profile),
            capture_output=not shown,
            text=True,
            check=False,
            timeout=None if shown else SECONDS,
        )
    except subprocess.TimeoutExpired as exc:
        raise Misuse(
            f"`plumbline {' '.join(arguments)}` did not end within {SECONDS / 60:g} minutes. Give "
            "the same command on a faster machine, or leave archives unchecked with --no-check."
        ) from exc


KEYS = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_DEFAULT_PROFILE"),
)
"""The variables that boto3 heeds before AWS_PROFILE."""


def environment(profile: str | None) -> dict[str, str]:
    """The variables of this process, with Plumbline's place, and with a profile if one is named."""
    paths = [str(CONTAINER), *filter(None, [os.environ.get("PYTHONPATH")])]
    made = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PLUMBLINE_PROGRAM": CALLED.server}
    if not profile:
        return made
    return {**{key: made[key] for key in made if key not in KEYS}, "AWS_PROFILE": profile}
