"""The script that a job names, and its code in /opt/ml/code."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from plumbline.archive import tarball
from plumbline.errors import ArchiveError
from plumbline.training import object_store
from plumbline.training.errors import TrainingError
from plumbline.training.job import Job, inside

PROGRAM, DIRECTORY = "sagemaker_program", "sagemaker_submit_directory"
"""Hyperparameters; variables of the same names in capitals do as well."""

CHANNEL = "code"
"""Where SDK v2 puts the code under network isolation; others may do likewise."""

USUAL = "train.py"
"""The program of a channel of code, if the job names none."""

ARCHIVES = ("sourcedir.tar.gz", "source.tar.gz")

Kind = Literal["python", "package", "shell"]


@dataclass(frozen=True)
class Script:
    """The program, by its path below the folder of code, and where the code came from."""

    program: str
    folder: Path
    source: str

    @property
    def kind(self) -> Kind:
        """How it is run, by the rules of AWS's training toolkit."""
        if self.program.endswith(".sh"):
            return "shell"
        if (self.folder / "setup.py").is_file():
            return "package"
        return "python" if self.program.endswith(".py") else "shell"


def named(job: Job) -> str:
    """The program that the job names; empty if it has none, so that a recipe is meant."""
    given = job.decoded.get(PROGRAM) or job.environment.get(PROGRAM.upper())
    if given:
        return str(given)
    code = job.channels.get(CHANNEL)
    return USUAL if code is not None and (code.path / USUAL).is_file() else ""


def source_of(job: Job) -> str:
    """Where the code is: a place in S3, a folder or an archive; the folder of code by itself."""
    given = job.decoded.get(DIRECTORY) or job.environment.get(DIRECTORY.upper())
    if given:
        return str(given)
    code = job.channels.get(CHANNEL)
    if code is None:
        return str(job.code)
    packed = (code.path / name for name in ARCHIVES)
    return str(next((file for file in packed if file.is_file()), code.path))


def fetch(job: Job) -> Script:
    """Put the code in its place, unless something is there. Raises `TrainingError`."""
    program, source = named(job), source_of(job)
    job.code.mkdir(parents=True, exist_ok=True)
    if not any(job.code.iterdir()):
        place(job, source)
    script = Script(program, job.code, source)
    file = (job.code / program).resolve()
    module = job.code.joinpath(*program.removesuffix(".py").split("."))
    if not file.is_relative_to(job.code.resolve()):
        raise TrainingError(f"{PROGRAM}={program} leads out of the folder of code.")
    if not file.is_file() and not (script.kind == "package" and is_module(module)):
        raise TrainingError(
            f"{PROGRAM}={program}: there is no such file in {source}, which holds "
            f"{listed(path.name for path in job.code.iterdir())}."
        )
    return script


def is_module(path: Path) -> bool:
    """Whether `python -m` finds something there."""
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def listed(names: Iterable[str]) -> str:
    """Some of the names."""
    found = sorted(names)
    return ", ".join(found[:8]) + (f" and {len(found) - 8} more" if found[8:] else "") or "nothing"


def place(job: Job, source: str) -> None:
    """Copy or unpack the code. Raises `TrainingError`."""
    if source.startswith("s3://"):
        with tempfile.TemporaryDirectory(prefix="plumbline-code-") as folder:
            archive = Path(folder, Path(urlsplit(source).path).name or "source.tar.gz")
            object_store.download(source, archive, job.environment)
            unpack(archive, job.code, source)
        return
    path = inside(job.root, Path(source.removeprefix("file://")))
    if path.is_dir():
        if path.resolve() != job.code.resolve():
            shutil.copytree(path, job.code, dirs_exist_ok=True)
    elif path.is_file():
        unpack(path, job.code, source)
    else:
        raise TrainingError(f"{DIRECTORY}={source}: there is no such file or folder.")


def unpack(archive: Path, folder: Path, source: str) -> None:
    """Unpack what holds nothing but files and folders. Raises `TrainingError`."""
    try:
        tarball.unpack(archive, folder)
    except ArchiveError as exc:
        raise TrainingError(f"{DIRECTORY}={source}: {exc.message}") from exc
