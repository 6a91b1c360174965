"""A training job as SageMaker describes it in files below /opt/ml, read once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from plumbline.training.cluster import Cluster, read_cluster
from plumbline.training.errors import TrainingError
from plumbline.training.raw_values import decoded, text_of

ROOT = Path("/opt/ml")

ROOT_VARIABLE = "SAGEMAKER_BASE_DIR"
"""Names another root, as AWS's training toolkit has it."""

TUNING = "_tuning_objective_metric"
"""What automatic model tuning adds to the hyperparameters of each of its jobs."""

PLATFORM = "sagemaker_"
"""How hyperparameters begin that the SDK adds for the container; none of them is the model's."""

MODES = ("File", "FastFile", "Pipe")


@dataclass(frozen=True)
class Channel:
    """One entry of InputDataConfig, and where its data lies.

    In File and FastFile mode `path` is a folder (or, on a laptop, a file). In Pipe mode nothing is
    there: `pipes.open_epoch` reads the FIFOs `<path>_0`, `<path>_1` and so on.
    """

    name: str
    path: Path
    mode: str = "File"
    content_type: str = ""
    record_wrapper: str = "None"
    distribution: str = "FullyReplicated"

    @property
    def framed(self) -> bool:
        """Whether SageMaker wraps each object, or each attribute, into a RecordIO record."""
        return self.record_wrapper == "RecordIO"

    @property
    def sharded(self) -> bool:
        """Whether this host has only its share of the data."""
        return self.distribution == "ShardedByS3Key"


@dataclass(frozen=True)
class Job:
    """What is to be trained, on what, and where the results go."""

    root: Path = ROOT
    given: Mapping[str, Any] = field(default_factory=dict)
    """The hyperparameters as they are in the file: SageMaker makes all of them texts."""
    channels: Mapping[str, Channel] = field(default_factory=dict)
    cluster: Cluster = field(default_factory=Cluster)
    checkpoints: Path | None = None
    """Where checkpoints go that survive the container; None where the job keeps none."""
    name: str = ""
    isolated: bool = False
    """Whether SageMaker says that there is no network."""
    spot: bool = False
    input_config: Mapping[str, Any] = field(default_factory=dict)
    """inputdataconfig.json as it is."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The container's variables, among them those of the job's Environment."""

    @property
    def hyperparameters(self) -> dict[str, str]:
        """The texts that a recipe reads: without what SageMaker and its SDK add for themselves."""
        return {
            name: text_of(value)
            for name, value in self.given.items()
            if not name.startswith(PLATFORM) and name != TUNING
        }

    @property
    def decoded(self) -> dict[str, Any]:
        """All hyperparameters as AWS's training toolkit decodes them for a script."""
        return {name: decoded(value) for name, value in self.given.items()}

    @property
    def tuned(self) -> bool:
        """Whether this is one of the jobs of a tuning job."""
        return TUNING in self.given

    @property
    def model(self) -> Path:
        """What is here becomes model.tar.gz."""
        return self.root / "model"

    @property
    def output(self) -> Path:
        """What is here becomes output.tar.gz."""
        return self.root / "output/data"

    @property
    def failure(self) -> Path:
        """The file with the reason of a failure."""
        return self.root / "output/failure"

    @property
    def code(self) -> Path:
        """Where a script and what it comes with are unpacked."""
        return self.root / "code"

    @property
    def config(self) -> Path:
        """Where SageMaker's files about the job are."""
        return self.root / "input/config"

    @property
    def data(self) -> Path:
        """Where the channels are."""
        return self.root / "input/data"


def root_of(environment: Mapping[str, str]) -> Path:
    """Where SageMaker's files are: /opt/ml, unless the environment names another place."""
    return Path(environment.get(ROOT_VARIABLE) or ROOT)


def read_job(root: Path, environment: Mapping[str, str]) -> Job:
    """The job whose files are below `root`. Raises `TrainingError`."""
    config = root / "input/config"
    given = read_document(config, "hyperparameters.json")
    inputs = read_document(config, "inputdataconfig.json")
    request = read_document(config, "trainingjobconfig.json")
    name = environment.get("TRAINING_JOB_NAME") or str(request.get("TrainingJobName") or "")
    return Job(
        root=root,
        given=MappingProxyType(given),
        channels=MappingProxyType(read_channels(root / "input/data", inputs)),
        cluster=read_cluster(read_document(config, "resourceconfig.json", "resourceConfig.json")),
        checkpoints=read_checkpoints(root, config, name if TUNING in given else ""),
        name=name,
        isolated=request.get("EnableNetworkIsolation") is True,
        spot=request.get("EnableManagedSpotTraining") is True,
        input_config=MappingProxyType(inputs),
        environment=MappingProxyType(dict(environment)),
    )


def read_document(config: Path, *names: str) -> dict[str, Any]:
    """The object in the first of these files that is there; empty where none is."""
    for name in names:
        try:
            text = (config / name).read_text("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as exc:
            raise TrainingError(
                f"{config / name} can't be read by this user. SageMaker runs training containers "
                "as root: remove USER from the Dockerfile, or --user from docker run."
            ) from exc
        return parsed(text, config / name)
    return {}


def parsed(text: str, file: Path) -> dict[str, Any]:
    """The object that a file holds; an empty file counts as an empty one."""
    try:
        document = json.loads(text) if text.strip() else {}
    except ValueError as exc:
        raise TrainingError(f"{file} is not JSON: {exc}.") from exc
    if not isinstance(document, dict):
        raise TrainingError(f"{file} must hold a JSON object, and holds {text.strip()[:40]!r}.")
    return document


def read_channels(data: Path, inputs: Mapping[str, Any]) -> dict[str, Channel]:
    """The channels by name: as declared, or the folders that are there if nothing is declared."""
    if inputs:
        return {name: read_channel(data, name, entry) for name, entry in sorted(inputs.items())}
    folders: Sequence[Path] = sorted(data.iterdir()) if data.is_dir() else ()
    return {path.name: Channel(path.name, path) for path in folders if path.is_dir()}


def read_channel(data: Path, name: str, entry: Any) -> Channel:
    """One channel. Raises `TrainingError`."""
    entry = entry if isinstance(entry, dict) else {}
    mode = entry.get("TrainingInputMode") or "File"
    if mode not in MODES:
        raise TrainingError(
            f"The channel {name} has TrainingInputMode {mode}; known are {', '.join(MODES)}."
        )
    return Channel(
        name=name,
        path=data / name,
        mode=mode,
        content_type=entry.get("ContentType") or "",
        record_wrapper=entry.get("RecordWrapperType") or "None",
        distribution=entry.get("S3DistributionType") or "FullyReplicated",
    )


def read_checkpoints(root: Path, config: Path, tuned: str) -> Path | None:
    """The folder that SageMaker keeps in step with S3, if the job has one.

    All jobs of a tuning job have one folder in S3, so each has its own below it, named `tuned`.
    """
    if not (config / "checkpointconfig.json").exists():
        return None
    local = read_document(config, "checkpointconfig.json").get("LocalPath")
    return inside(root, Path(local or ROOT / "checkpoints")) / tuned


def inside(root: Path, path: Path) -> Path:
    """A path that a job names below /opt/ml, where the job's files really are."""
    return root / path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
