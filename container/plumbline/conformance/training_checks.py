"""Group J: training jobs, as SageMaker starts and ends them."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.conformance.rules import (
    INFO,
    MUST,
    SHOULD,
    Finding,
    Group,
    Where,
    failed,
    found,
    not_judged,
    passed,
)
from plumbline.conformance.scenes import Scene
from plumbline.conformance.start import watch
from plumbline.conformance.workbench import Workbench
from plumbline.emulator.serving_container import running
from plumbline.emulator.training_job import GRACE, MOST, Job, Outcome
from plumbline.errors import CommandError

TRAINING = Group("J", "Training jobs")

HYPERPARAMETERS = "hyperparameters.json"
"""In the folder of --train: names and values, both text."""

ML = "/opt/ml"

STOPPED_AFTER = 2.0
"""Seconds after which a job is stopped."""

STRICT: dict[str, Any] = {"read_only": True, "tmpfs": {"/tmp": ""}}  # noqa: S108


@dataclass(frozen=True)
class Run:
    """A job that has ended, and how long it took after SIGTERM if that was sent."""

    outcome: Outcome
    failure: str
    """What it wrote to /opt/ml/output/failure."""
    seconds: float

    @property
    def words(self) -> str:
        """How it went, with the end of its log."""
        lines = [line for line in self.outcome.log.splitlines() if line.strip()]
        said = self.failure or (f"its log ends: {lines[-1]}" if lines else "its log is empty")
        return f"{self.outcome.status}, exit status {self.outcome.exit_code}; {said}"


def request(data: Path, isolated: bool = False, **more: str) -> dict[str, Any]:
    """What boto3's create_training_job would be asked: each folder is a channel of its name."""
    channels = sorted(path for path in data.iterdir() if path.is_dir())
    file = data / HYPERPARAMETERS
    try:
        given = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        settings = {name: str(value) for name, value in {**given, **more}.items()}
    except (ValueError, TypeError, AttributeError) as exc:
        raise CommandError(f"{file} must be a JSON object of names and values: {exc}.") from exc
    return {
        "TrainingJobName": "conform",
        "InputDataConfig": [
            {"ChannelName": path.name, "DataSource": {"S3DataSource": source(path)}}
            for path in channels
        ],
        "HyperParameters": settings,
        "EnableNetworkIsolation": isolated,
    }


def source(folder: Path) -> dict[str, str]:
    """A channel's data."""
    return {"S3DataType": "S3Prefix", "S3Uri": f"file://{folder.resolve()}"}


def train(bench: Workbench, asked: dict[str, Any], stop_after: float = 0, **options: Any) -> Run:
    """A job in a container of the image, by Docker's SDK."""
    job = Job(asked, bench.empty(), contained=True, stopped=bool(stop_after))
    job.prepare()
    isolated = {"network_mode": "none"} if asked["EnableNetworkIsolation"] else {}
    given = {
        "command": ["train"],
        "place": ML,
        "mode": "rw",
        "ports": {},
        "hostname": job.host,
        "environment": job.environment,
        **isolated,
        **options,
    }
    for thread in job.pipes():
        thread.start()
    try:
        with bench.serve(job.root, **given) as started:
            begun = time.monotonic()
            if stop_after:
                begun = stopped(started, stop_after)
            code = started.end(GRACE if stop_after else None)
            took, log = time.monotonic() - begun, started.log()
    finally:
        job.ended.set()
        give_back(bench, job.root)
    file = job.root / "output/failure"
    failure = file.read_text("utf-8", "replace") if file.is_file() else ""
    return Run(job.outcome(code, log), failure, took)


def stopped(started: Any, seconds: float) -> float:
    """Send SIGTERM after so many seconds, unless the job has ended; when that was."""
    end = time.monotonic() + seconds
    while started.is_running() and time.monotonic() < end:
        time.sleep(0.1)
    if started.is_running():
        started.container.kill("SIGTERM")
    return time.monotonic()


def give_back(bench: Workbench, folder: Path) -> None:
    """What root has written there could not be removed by whoever runs this."""
    if os.geteuid() == 0:
        return
    owner = ["-R", f"{os.getuid()}:{os.getgid()}", ML]
    with running(
        bench.client, bench.image.id, folder, ML, "rw", owner, entrypoint="chown"
    ) as started:
        started.end()


def strictly(scene: Scene) -> Run:
    """The job without a network and on a read-only disk; done once."""
    if "strict" not in scene.facts:
        asked = request(data_of(scene), isolated=True)
        scene.facts["strict"] = train(scene.bench, asked, **STRICT)
    strict: Run = scene.facts["strict"]
    return strict


def data_of(scene: Scene) -> Path:
    """The folder of --train."""
    data = scene.order.train
    if data is None:
        raise CommandError("There is no data to train with; name a folder: --train DIR.")
    return data


@TRAINING.check(
    57,
    MUST,
    Where.TRAINING,
    "`docker run IMAGE train` trains with what is below /opt/ml/input, leaves a model in "
    "/opt/ml/model and ends with 0.",
    "See the job's log; write the model to /opt/ml/model.",
)
def trains(scene: Scene) -> Finding:
    """Without restrictions only where it does not do with them."""
    run = strictly(scene)
    if run.outcome.status != "Completed":
        run = train(scene.bench, request(data_of(scene)))
    if run.outcome.status != "Completed":
        return failed(run.words)
    model = run.outcome.model
    size = f"{model.stat().st_size:,} bytes of model.tar.gz" if model else "no model was left"
    return found(model is not None, f"Completed in {run.seconds:.0f} s, {size}")


@TRAINING.check(
    58,
    SHOULD,
    Where.TRAINING,
    "A job needs neither a network (EnableNetworkIsolation) nor a place to write but /opt/ml and "
    "/tmp.",
    "Put all packages and weights into the image or a channel.",
)
def trains_in_isolation(scene: Scene) -> Finding:
    """Both at once."""
    run = strictly(scene)
    return found(run.outcome.status == "Completed", run.words)


@TRAINING.check(
    59,
    MUST,
    Where.TRAINING,
    "A job that fails ends with another status than 0.",
    "Let the error end the process.",
)
def fails(scene: Scene) -> Finding:
    """Its channels are empty."""
    run = failing(scene)
    return found(run.outcome.exit_code != 0, run.words)


@TRAINING.check(
    60,
    SHOULD,
    Where.TRAINING,
    "The reason for a failure is in /opt/ml/output/failure, of which SageMaker shows 1,024 "
    "characters.",
    "Write a sentence there before ending.",
)
def tells_failure(scene: Scene) -> Finding:
    """Its channels are empty."""
    run = failing(scene)
    if run.outcome.exit_code == 0:
        return not_judged("it did not fail: see J59")
    length = len(run.failure)
    said = f"{length} characters: {run.failure}" if length else "nothing was written there"
    return found(0 < length <= MOST, said)


def failing(scene: Scene) -> Run:
    """A job with no data in its channels; done once."""
    if "failing" not in scene.facts:
        hollow = scene.bench.empty()
        for path in data_of(scene).iterdir():
            if path.is_dir():
                (hollow / path.name).mkdir()
            elif path.name == HYPERPARAMETERS:
                shutil.copy(path, hollow)
        scene.facts["failing"] = train(scene.bench, request(hollow))
    run: Run = scene.facts["failing"]
    return run


@TRAINING.check(
    61,
    MUST,
    Where.TRAINING,
    "StopTrainingJob sends SIGTERM, and SIGKILL 120 s later: a job ends in that time.",
    "Handle SIGTERM: save what there is to /opt/ml/model, and end.",
)
def stops(scene: Scene) -> Finding:
    """Two seconds after its start; sooner if it does not take that long."""
    early = min(STOPPED_AFTER, strictly(scene).seconds / 2)
    try:
        run = train(scene.bench, request(data_of(scene)), early)
    except OSError:
        return failed(f"still running {GRACE:.0f} s after SIGTERM")
    kept = "a model was kept" if run.outcome.model else "no model was kept"
    return passed(f"it ended {run.seconds:.1f} s after SIGTERM; {kept}")


@TRAINING.check(
    62,
    INFO,
    Where.TRAINING,
    "The image also serves the model that it trained.",
    "Let `serve` read what `train` writes.",
)
def serves_what_it_trained(scene: Scene) -> Finding:
    """Until a ping says 200."""
    model = strictly(scene).outcome.model
    if model is None:
        return not_judged("there is no model")
    folder = scene.bench.empty()
    shutil.unpack_archive(model, folder, filter="data")
    with scene.bench.serve(folder) as server:
        start = watch(server, scene.order.starts_within)
        well = start.ready is not None
        return found(well, f"healthy after {start.ready:.1f} s" if well else start.in_words(server))
