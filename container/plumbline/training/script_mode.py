"""Script mode: the user's own program, run as AWS's training toolkit runs it."""

from __future__ import annotations

import os
import shlex
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from plumbline.settings import environment
from plumbline.training import (
    handover,
    script_packages,
    script_program,
    script_variables,
    supervision,
)
from plumbline.training.errors import TrainingError
from plumbline.training.failure import report
from plumbline.training.job import Job
from plumbline.training.script_program import Script
from plumbline.training.stopping import Stop

HOSTS = 900.0
"""Seconds until the names of the other hosts must be known; AWS's toolkit waits as long."""

UNSUPPORTED = {
    "sagemaker_mpi_enabled": "MPI (Horovod)",
    "sagemaker_distributed_dataparallel_enabled": "SageMaker's data parallel library",
    "sagemaker_parameter_server_enabled": "A parameter server",
}


def run(job: Job, stop: Stop) -> int:
    """The exit status of the script. Raises `TrainingError` where it could not be started."""
    refuse_what_is_not_here(job)
    script = script_program.fetch(job)
    for folder in (job.model, job.output):
        folder.mkdir(parents=True, exist_ok=True)
    variables = script_variables.variables(job, script)
    try:
        prefix = script_packages.install(job, script, environment.for_program(variables), stop)
    except script_packages.Stopped as stopped:
        say("The job was stopped before its script was started.")
        return stopped.status
    wait_for_hosts(job, stop)
    return trained(job, script, whole(job, variables, script, prefix), stop)


def refuse_what_is_not_here(job: Job) -> None:
    """Raise `TrainingError` for ways of distribution that the image has not."""
    for name, what in UNSUPPORTED.items():
        if job.decoded.get(name):
            raise TrainingError(
                f"{what} is not in this image ({name}). Several hosts train with "
                "tf.distribute.MultiWorkerMirroredStrategy, whose TF_CONFIG is set."
            )


def whole(
    job: Job, variables: Mapping[str, str], script: Script, prefix: Path | None
) -> dict[str, str]:
    """The environment of the script: its code comes first among what can be imported."""
    before = job.environment
    modules, programs = [str(script.folder)], before.get("PATH", os.defpath)
    if prefix:
        imported, installed = script_packages.paths(prefix)
        modules.append(str(imported))
        programs = os.pathsep.join([str(installed), programs])
    if before.get("PYTHONPATH"):
        modules.append(before["PYTHONPATH"])
    own = {"PYTHONPATH": os.pathsep.join(modules), "PATH": programs, "PYTHONUNBUFFERED": "1"}
    return environment.for_program({**variables, **script_variables.tf_config(job), **own})


def command(script: Script, given: Sequence[str]) -> list[str]:
    """What is run. A shell is replaced by the program, so that signals reach it."""
    if script.kind == "python":
        return [sys.executable, "--", script.program, *given]
    if script.kind == "package":
        return [sys.executable, "-m", script.program.removesuffix(".py"), *given]
    (script.folder / script.program).chmod(0o755)
    return ["/bin/sh", "-c", f"exec ./{shlex.quote(script.program)} {shlex.join(given)}"]


def trained(job: Job, script: Script, variables: Mapping[str, str], stop: Stop) -> int:
    """Run the script and see to what it leaves; its exit status."""
    given = script_variables.arguments(job)
    say(f"Running {script.program} {shlex.join(given)}")
    program = supervision.Program(
        script.program,
        command(script, given),
        script.folder,
        variables,
        whole_group=script.kind == "shell",
    )
    ended = supervision.run(program, stop)
    if stop.requested:
        say(f"The job was stopped; {script.program} ended with exit status {ended.status}.")
    elif ended.status:
        report(job.failure, ended.sentence)
        return ended.status
    handover.finish(job, stop, say)
    return ended.status


def wait_for_hosts(job: Job, stop: Stop) -> None:
    """Wait until the other hosts' names are known, which takes a while. Raises `TrainingError`."""
    deadline = time.monotonic() + HOSTS
    for host in job.cluster.hosts if len(job.cluster.hosts) > 1 else ():
        while not is_known(host):
            if time.monotonic() > deadline:
                raise TrainingError(f"The host {host} was not found within {HOSTS:g} s.")
            if stop.wait(1.0):
                return


def is_known(host: str) -> bool:
    """Whether a host's name leads to an address."""
    try:
        socket.gethostbyname(host)
    except OSError:
        return False
    return True


def say(line: str) -> None:
    """A line of the job's log."""
    print(line, flush=True)  # noqa: T201
