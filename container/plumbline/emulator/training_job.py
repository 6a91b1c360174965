"""A training job's files and what becomes of them, as SageMaker has it; any program may be the job.

The request has the form of boto3's `create_training_job`, with file:// in the place of s3://. What
SageMaker writes for a job is written here: the files below /opt/ml with their permissions, and
FIFOs that come late for channels in Pipe mode; and what it makes of a job is made of it: the first
1,024 characters of the failure, model.tar.gz and output.tar.gz.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tarfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from plumbline.emulator.training_channels import Request, mode_of, objects, pieces, source
from plumbline.emulator.training_files import documents

GRACE = 120.0
"""Seconds between SIGTERM and SIGKILL."""

LATE = 0.2
"""Seconds after which the FIFO of an epoch appears."""

MOST = 1024
"""Characters of the failure that DescribeTrainingJob shows."""


@dataclass(frozen=True)
class Outcome:
    """What DescribeTrainingJob would say, and where the results are."""

    status: str
    exit_code: int
    failure_reason: str
    model: Path | None
    output: Path | None
    log: str


@dataclass
class Job:
    """A job of a request, below a folder of its own; whoever runs it sets `ended`."""

    request: Request
    folder: Path
    host: str = "algo-1"
    hosts: Sequence[str] = ("algo-1",)
    contained: bool = False
    """Whether a container runs it, in which root does."""
    stopped: bool = False
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def root(self) -> Path:
        """What the container sees as /opt/ml."""
        return self.folder / "ml"

    @property
    def environment(self) -> dict[str, str]:
        """The container's variables."""
        name = str(self.request.get("TrainingJobName", "job"))
        return {
            "TRAINING_JOB_NAME": name,
            "TRAINING_JOB_ARN": f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}",
            "AWS_REGION": "us-east-1",
            **self.request.get("Environment", {}),
        }

    def prepare(self) -> None:
        """Write all that SageMaker writes before it starts the container."""
        config = self.root / "input/config"
        for part in ("input/config", "input/data", "model", "output/data"):
            (self.root / part).mkdir(parents=True, exist_ok=True)
        for name, document in documents(self.request, self.host, self.hosts):
            (config / f"{name}.json").write_text(json.dumps(document), "utf-8")
            (config / f"{name}.json").chmod(0o644)
        for channel in self.request.get("InputDataConfig", ()):
            if mode_of(self.request, channel) != "Pipe":
                self.copy(channel)
        if os.geteuid() == 0 or self.contained:
            config.chmod(0o644)  # as real jobs list it: nobody but root may enter

    def copy(self, channel: Mapping[str, Any]) -> None:
        """The data of a channel in File or FastFile mode, and the list of it beside."""
        name, files = channel["ChannelName"], list(objects(channel, self.host, self.hosts))
        folder = self.root / "input/data" / name
        folder.mkdir(exist_ok=True)
        for file, key in files:
            target = folder / key
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        listed = [{"prefix": source(channel)["S3Uri"]}, *(key for _, key in files)]
        folder.with_name(f"{name}-manifest").write_text(json.dumps(listed), "utf-8")

    def pipes(self) -> list[threading.Thread]:
        """A thread that fills the FIFOs of each channel in Pipe mode."""
        return [
            threading.Thread(target=self.fill, args=(channel,), daemon=True)
            for channel in self.request.get("InputDataConfig", ())
            if mode_of(self.request, channel) == "Pipe"
        ]

    def fill(self, channel: Mapping[str, Any]) -> None:
        """Make one FIFO after the other, as each is read, until the job has ended."""
        epoch = 0
        while not self.ended.wait(LATE):
            fifo = self.root / "input/data" / f"{channel['ChannelName']}_{epoch}"
            os.mkfifo(fifo)
            with contextlib.suppress(BrokenPipeError):
                if (stream := self.opened(fifo)) is None:
                    return
                with stream:
                    for piece in pieces(channel, self.host, self.hosts, epoch):
                        stream.write(piece)
            epoch += 1

    def opened(self, fifo: Path) -> IO[bytes] | None:
        """The FIFO once somebody reads it; None if the job ends before that."""
        while not self.ended.wait(0.02):
            try:
                descriptor = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as exc:
                if exc.errno != errno.ENXIO:
                    raise
                continue
            os.set_blocking(descriptor, True)
            return os.fdopen(descriptor, "wb")
        return None

    def outcome(self, code: int, log: str) -> Outcome:
        """What is made of the job."""
        (self.root / "input/config").chmod(0o755)
        reason = ""
        file = self.root / "output/failure"
        if code and file.is_file():
            reason = file.read_text("utf-8", "replace")[:MOST]
        status = "Stopped" if self.stopped else "Failed" if code else "Completed"
        if status == "Failed":
            reason = f"AlgorithmError: {reason or f'exit code: {code}'}"
        kept = status != "Failed"
        return Outcome(
            status,
            code,
            reason,
            packed(self.root / "model", self.folder / "model.tar.gz") if kept else None,
            packed(self.root / "output/data", self.folder / "output.tar.gz"),
            log,
        )


def packed(folder: Path, archive: Path) -> Path | None:
    """A folder as SageMaker uploads it; nothing if it is empty."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    return archive
