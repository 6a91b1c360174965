"""A training job as SageMaker runs it, on this machine: any image, or a command without Docker.

SIGTERM comes 120 s before SIGKILL; the rest is said in `plumbline.emulator.training_job`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

# Any Python runs this, whether or not the package is installed there.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "container"))

from plumbline.emulator.training_job import GRACE, Job, Outcome

__all__ = ["Job", "Outcome", "run_command", "run_image"]


def run(
    job: Job,
    command: Sequence[str],
    stop: Callable[[subprocess.Popen[str]], None],
    after: float | None,
) -> tuple[int, str]:
    """Run a command until it ends: its exit status and its log.

    `stop` sends SIGTERM and later SIGKILL; it is called `after` so many seconds.
    """
    for thread in job.pipes():
        thread.start()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **job.environment, "SAGEMAKER_BASE_DIR": str(job.root)},
        start_new_session=True,
    )
    timer = threading.Timer(after or 0, stop_job, (job, process, stop))
    if after is not None:
        timer.start()
    lines: list[str] = []
    assert process.stdout is not None
    with process.stdout as log:
        for line in log:
            sys.stderr.write(line)
            lines.append(line)
    code = process.wait()
    job.ended.set()
    timer.cancel()
    return (128 - code if code < 0 else code), "".join(lines)


def stop_job(
    job: Job, process: subprocess.Popen[str], stop: Callable[[subprocess.Popen[str]], None]
) -> None:
    """What StopTrainingJob does."""
    job.stopped = True
    stop(process)


def run_command(job: Job, command: Sequence[str], stop_after: float | None = None) -> Outcome:
    """The job by a command of this machine, which finds its files by SAGEMAKER_BASE_DIR."""
    job.prepare()

    def send(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGTERM)
        if not job.ended.wait(GRACE):
            process.kill()

    return job.outcome(*run(job, command, send, stop_after))


def run_image(
    job: Job, image: str, options: Sequence[str] = (), stop_after: float | None = None
) -> Outcome:
    """The job in a container of an image, as SageMaker starts it."""
    job.contained = True
    job.prepare()
    name = f"plumbline-training-{os.getpid()}-{time.monotonic_ns()}"
    given = job.request.get("AlgorithmSpecification", {})
    entrypoint, *rest = given.get("ContainerEntrypoint") or [""]
    arguments = [*rest, *given.get("ContainerArguments", ())] if entrypoint else ["train"]
    isolated = job.request.get("EnableNetworkIsolation")
    command = [
        *("docker", "run", "--rm", "--name", name, "--hostname", job.host),
        *("--volume", f"{job.root}:/opt/ml"),
        *(["--network", "none"] if isolated else []),
        *(["--entrypoint", entrypoint] if entrypoint else []),
        *(f"--env={key}={value}" for key, value in job.environment.items()),
        *options,
        *(image, *arguments),
    ]

    def send(_process: subprocess.Popen[str]) -> None:
        subprocess.run(["docker", "stop", "--time", f"{GRACE:g}", name], check=False)

    try:
        ended = run(job, command, send, stop_after)
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)
        # What root has written there could not be removed by whoever calls this.
        give = ["--entrypoint", "chown", image, "-R", f"{os.getuid()}:{os.getgid()}", "/opt/ml"]
        mounted = ["docker", "run", "--rm", "--volume", f"{job.root}:/opt/ml", *give]
        subprocess.run(mounted, check=False, capture_output=True)
    return job.outcome(*ended)
