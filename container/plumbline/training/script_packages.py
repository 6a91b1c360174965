"""What a script needs beside what the image has: requirements.txt or setup.py, installed by pip."""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path

from plumbline.archive.handler_errors import HandlerError
from plumbline.handlers import requirements
from plumbline.training import supervision
from plumbline.training.errors import TrainingError
from plumbline.training.job import ROOT, Job
from plumbline.training.script_program import Script
from plumbline.training.stopping import EXIT_STATUS, Stop

FILE = "requirements.txt"

WHEELS = "wheels"
"""A folder beside requirements.txt with what it names, for jobs without a network."""

CODEARTIFACT = "CA_REPOSITORY_ARN"
"""Names a private index in AWS's training toolkit."""

OPTIONS = ("install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off")

OFFLINE = (
    f"The job has no network (EnableNetworkIsolation): put wheels of all that {FILE} names into "
    f"{WHEELS}/ beside it (pip wheel --wheel-dir {WHEELS} -r {FILE})"
)


def install(job: Job, script: Script, environment: Mapping[str, str], stop: Stop) -> Path | None:
    """Install what the script asks for. Raises `TrainingError`, `Stopped` if the job is to end.

    Where the environment of Python can't be changed, or is no container's, it goes into a folder of
    its own, which is the result.
    """
    wanted = ["."] if script.kind == "package" else []
    if (script.folder / FILE).is_file():
        wanted += ["--requirement", FILE]
    if not wanted:
        return None
    if job.environment.get(CODEARTIFACT):
        raise TrainingError(
            f"{CODEARTIFACT} is set, and this image can't log in to CodeArtifact: put wheels into "
            f"{WHEELS}/ beside {FILE}, or name the index with its token in PIP_INDEX_URL."
        )
    options = [*OPTIONS, *wanted, *where_from(job, script)]
    prefix = None if is_changeable(job) else Path(tempfile.mkdtemp(prefix="plumbline-packages-"))
    if prefix:
        (prefix / "constraints.txt").write_text(here(), "utf-8")
        options += ["--prefix", str(prefix), "--constraint", str(prefix / "constraints.txt")]
    name = f"pip {' '.join([OPTIONS[0], *wanted])}"
    print(f"Installing: {name}", flush=True)  # noqa: T201 - the job's log
    program = supervision.Program(
        name, [sys.executable, *pip(), *options], script.folder, environment, whole_group=True
    )
    ended = supervision.run(program, stop)
    if stop.requested:
        raise Stopped
    if ended.status:
        raise TrainingError(f"{ended.sentence} {remedy(job)}")
    return prefix


class Stopped(Exception):
    """SIGTERM came before the script was started."""

    status = EXIT_STATUS


def is_changeable(job: Job) -> bool:
    """Whether this is a job's own container, and its Python may be changed."""
    return job.root == ROOT and os.access(sysconfig.get_path("purelib"), os.W_OK)


def where_from(job: Job, script: Script) -> list[str]:
    """The options of pip: wheels that came with the code; nothing else without a network."""
    wheels = script.folder / WHEELS
    beside = ["--find-links", WHEELS] if wheels.is_dir() else []
    if not job.isolated:
        return beside
    if not beside and (lacking := unmet(script)):
        raise TrainingError(f"{FILE} names {', '.join(lacking)}, which the image lacks. {OFFLINE}.")
    return ["--no-index", *beside]


def unmet(script: Script) -> list[str]:
    """What requirements.txt names and the image has not."""
    file = script.folder / FILE
    try:
        return requirements.missing(file, script.folder) if file.is_file() else []
    except HandlerError as exc:
        raise TrainingError(exc.message) from exc


def remedy(job: Job) -> str:
    """What helps where pip could not."""
    if job.isolated:
        return f"{OFFLINE}."
    return (
        f"Without a network, pip needs wheels: put them into {WHEELS}/ beside {FILE}. What is "
        f"here already is listed by `pip list`."
    )


def here() -> str:
    """What keeps pip from taking other versions than those that can't be replaced."""
    return requirements.constraints(requirements.versions(sys.path))


def pip() -> list[str]:
    """The arguments with which Python runs pip. Raises `TrainingError`."""
    try:
        return requirements.pip()
    except HandlerError as exc:
        raise TrainingError(f"{FILE} can't be installed: there is no pip here.") from exc


def paths(prefix: Path) -> tuple[Path, Path]:
    """Where modules and programs are that were installed into a folder of their own."""
    variables = {"base": str(prefix), "platbase": str(prefix)}
    return (
        Path(sysconfig.get_path("purelib", vars=variables)),
        Path(sysconfig.get_path("scripts", vars=variables)),
    )
