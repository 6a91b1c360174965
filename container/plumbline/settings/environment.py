"""The environment, read once. Nothing else in the house looks at it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from plumbline.archive import tuning_file
from plumbline.machine import cgroups
from plumbline.machine.program_name import program_name
from plumbline.settings import tf_serving_variables
from plumbline.settings.server_settings import Settings
from plumbline.settings.variable_values import checked

FRAMEWORKS = {"TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow"}
"""What the frameworks read themselves: only errors in the log, and Keras over TensorFlow."""

PROGRAM = "PLUMBLINE_PROGRAM"
"""Tells processes that are started what the command line was called; no setting."""


def read(environ: Mapping[str, str]) -> Settings:
    """The settings of an environment. Raises `SettingError`."""
    chosen = dict(given(environ))
    return Settings(**{**(batch_defaults() if chosen.get("batch") else {}), **chosen})


def batch_defaults() -> dict[str, Any]:
    """What is otherwise in a batch transform: long bodies, many at once, and nobody who waits."""
    return {
        entry.name: entry.metadata["read"](entry.metadata["batch"])
        for entry in fields(Settings)
        if entry.metadata["batch"] is not None
    }


def given(environ: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """The settings that the environment holds, by field."""
    for entry in fields(Settings):
        name = name_in(entry, environ)
        if name is not None:
            yield entry.name, checked(name, environ[name], entry.metadata["read"])


def name_in(entry: Field[Any], environ: Mapping[str, str]) -> str | None:
    """The variable that sets this, if one does; an empty one counts as none."""
    return next((name for name in entry.metadata["names"] if environ.get(name)), None)


def from_environment(model_dir: Path | None = None) -> Settings:
    """The settings of this process; what the archive was tuned to is where nothing is set.

    The archive is the one that is served, or that in `model_dir`. Raises `SettingError`.
    """
    machine = cgroups.machine()
    found = tuning_file.read(model_dir or read(os.environ).model_dir, machine.cores)
    return read({**found, **tf_serving_variables.translated(os.environ, machine), **os.environ})


def ignored() -> list[str]:
    """The variables of SageMaker's TensorFlow Serving container that change nothing here."""
    return tf_serving_variables.ignored(os.environ, many=read(os.environ).multi_model)


def untuned(model_dir: Path) -> Settings:
    """The settings of this process for that model, without what its archive was tuned to."""
    return read({**os.environ, "PLUMBLINE_MODEL_DIR": str(model_dir)})


def for_bulk() -> Settings:
    """The settings of this process, with the defaults of a batch transform."""
    return read({"SAGEMAKER_BATCH": "true", **os.environ})


def shown(
    environ: Mapping[str, str] = os.environ,
) -> Iterator[tuple[tuple[str, ...], str | None, str]]:
    """Of every setting its variables, its text (None: the machine decides), and what it does."""
    for entry in fields(Settings):
        name = name_in(entry, environ)
        text = environ[name] if name else entry.metadata["default"]
        yield entry.metadata["names"], text, entry.metadata["help"]


def environment_for(model_dir: Path, port: int) -> dict[str, str]:
    """The environment of a server started from this process, threads of BLAS as in `serve`."""
    chosen = {"PLUMBLINE_MODEL_DIR": str(model_dir), "SAGEMAKER_BIND_TO_PORT": str(port)}
    chosen[PROGRAM] = program()
    return {"OPENBLAS_NUM_THREADS": "1", **os.environ, **chosen}


def program() -> str:
    """What the command line is called here, or in the process that has started this one."""
    return os.environ.get(PROGRAM) or program_name()


def child_environment(folder: Path) -> dict[str, str]:
    """The environment of a process that packing starts, its temporary files in `folder`.

    The fixed seed gives names and orders that are the same every time.
    """
    return {**FRAMEWORKS, **os.environ, "PYTHONHASHSEED": "0", "TMPDIR": str(folder)}


def variables() -> dict[str, str]:
    """The variables of this process, for a training job, whose names are not known beforehand."""
    return dict(os.environ)


def for_program(chosen: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program that a training job runs."""
    return {**FRAMEWORKS, **os.environ, **chosen}


@contextmanager
def lent(name: str, value: str) -> Iterator[None]:
    """Let a library that asks the environment find a value there, for as long as it must."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def quiet_frameworks() -> None:
    """Set what TensorFlow and Keras read from the environment, where the user has not."""
    for name, value in FRAMEWORKS.items():
        os.environ.setdefault(name, value)
