"""The environment, read once and frozen. Nothing else in the house looks at it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from plumbline import cgroups, tuned
from plumbline.cgroups import Machine
from plumbline.errors import SettingError
from plumbline.images import Limits
from plumbline.link_policy import Allowlist, read_allowlist
from plumbline.sizing import MOST_CHANGES, MOST_TOGETHER, Sizes, plan
from plumbline.variables import (
    MEBIBYTE,
    boolean,
    engine_name,
    formats,
    log_format,
    log_level,
    seconds,
    whole,
)

FRAMEWORKS = {"TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow"}
"""What the frameworks read themselves: only errors in the log, and Keras over TensorFlow."""


def setting(
    default: str | None,
    read: Callable[[str], Any],
    text: str,
    *names: str,
    batch: str | None = None,
) -> Any:
    """A field of `Settings`: the variables that set it (the first wins) and what it does.

    `default` is written as in a variable; None lets the machine decide. `batch` is the default
    in a batch transform, where it is another.
    """
    value = None if default is None else read(default)
    if batch is not None:
        text = f"{text} In a batch transform {batch}."
    metadata = {"names": names, "read": read, "default": default, "help": text, "batch": batch}
    return field(default=value, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """What the environment asks for; sizes that are None follow the machine."""

    model_dir: Path = setting("/opt/ml/model", Path, "The model folder.", "PLUMBLINE_MODEL_DIR")
    batch: bool = setting(
        "false",
        boolean,
        "Whether this is a batch transform; SageMaker says so. It changes some defaults.",
        "SAGEMAKER_BATCH",
    )
    port: int = setting("8080", whole(1, 65535), "The port.", "SAGEMAKER_BIND_TO_PORT")
    multi_model: bool = setting(
        "false",
        boolean,
        "Whether models are loaded and unloaded as they are asked for; SageMaker says so.",
        "SAGEMAKER_MULTI_MODEL",
    )
    load_seconds: float = setting(
        "360",
        seconds,
        "Seconds that the loading of one model may take, where there are many.",
        "PLUMBLINE_LOAD_SECONDS",
    )
    workers: int | None = setting(
        None,
        whole(1, 256),
        "Processes, each with its own copy of the model. By itself one for every 4 cores, "
        "as far as memory allows.",
        "PLUMBLINE_WORKERS",
        "SAGEMAKER_MODEL_SERVER_WORKERS",
    )
    slots: int | None = setting(
        None,
        whole(1, 1024),
        "Requests of one process that are at work at a time; by itself 8 for each of its cores, as "
        "far as memory allows. A body of 1 MiB or more counts for 8.",
        "PLUMBLINE_SLOTS",
    )
    queue: int | None = setting(
        None,
        whole(0, 10_000),
        "Requests of one process that may wait; more are answered with 503 and Retry-After. "
        "By itself 4 to 64, as memory allows.",
        "PLUMBLINE_QUEUE",
        batch="100",
    )
    deadline: float = setting(
        "60",
        seconds,
        "Seconds that a request may take, its waiting included; then it is answered with 503.",
        "PLUMBLINE_DEADLINE_SECONDS",
        "SAGEMAKER_MODEL_SERVER_TIMEOUT",
        batch="600",
    )
    max_body: int = setting(
        "25",
        whole(1, 1024, MEBIBYTE),
        "Largest body in MiB; a larger one is answered with 413 before it is read.",
        "PLUMBLINE_MAX_BODY_MB",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB",
        batch="100",
    )
    max_pixels: int = setting(
        str(Limits.pixels),
        whole(1, 1_000_000_000),
        "Most pixels of a picture; one with more is answered with 413 before it is decoded.",
        "PLUMBLINE_MAX_PIXELS",
    )
    max_side: int = setting(
        str(Limits.side),
        whole(1, 1_000_000),
        "Longest side of a picture in pixels; likewise.",
        "PLUMBLINE_MAX_SIDE",
    )
    max_instances: int = setting(
        "64",
        whole(1, 1_000_000),
        "Most pictures of one request, or instances of one JSON body.",
        "PLUMBLINE_MAX_INSTANCES",
        batch="100000",
    )
    engine: str = setting(
        "auto",
        engine_name,
        "What computes the model: auto (the fastest that answers rightly), openvino or tensorflow.",
        "PLUMBLINE_ENGINE",
    )
    streams: int | None = setting(
        None,
        whole(1, 256),
        "Requests of a crowd that OpenVINO computes at a time, each on its share of the cores.",
        "PLUMBLINE_STREAMS",
    )
    most_together: int = setting(
        str(MOST_TOGETHER),
        whole(1, 256),
        "Instances of several requests that TensorFlow computes together; 1 for each alone.",
        "PLUMBLINE_BATCH",
    )
    image_formats: tuple[str, ...] = setting(
        ",".join(Limits.formats),
        formats,
        "Picture formats that are decoded.",
        "PLUMBLINE_IMAGE_FORMATS",
    )
    url_allow: Allowlist = setting(
        "",
        read_allowlist,
        "Pictures that may be fetched by link, such as s3://bucket/photos/* and "
        "https://example.com/photos/*, with commas or spaces between them.",
        "PLUMBLINE_URL_ALLOW",
    )
    url_timeout: float = setting(
        "10",
        seconds,
        "Seconds that the fetching of one picture by its link may take.",
        "PLUMBLINE_URL_TIMEOUT_SECONDS",
    )
    failure_grace: float = setting(
        "30",
        seconds,
        "Seconds between a model's failing to load and the server's exit, in which /ping says why.",
        "PLUMBLINE_FAILURE_GRACE_SECONDS",
    )
    drain: float = setting(
        "20",
        seconds,
        "Seconds that requests in flight have to finish after SIGTERM.",
        "PLUMBLINE_DRAIN_SECONDS",
    )
    log_level: str = setting(
        "info",
        log_level,
        "Least level of what is logged: debug, info, warning, error, critical (or 10 to 50).",
        "PLUMBLINE_LOG_LEVEL",
        "SAGEMAKER_CONTAINER_LOG_LEVEL",
    )
    log_format: str = setting(
        "auto",
        log_format,
        "json (a line of JSON each), text, or auto: text on a terminal, JSON elsewhere.",
        "PLUMBLINE_LOG_FORMAT",
    )

    @property
    def limits(self) -> Limits:
        """What a picture may be."""
        return Limits(self.max_pixels, self.max_side, self.image_formats)

    def sizes(self, machine: Machine) -> Sizes:
        """How the machine is used; many models are behind one process that hands on to theirs."""
        if not self.multi_model:
            return plan(machine, self.max_body, self.workers, self.slots, self.queue)
        alone = plan(machine, self.max_body, 1, self.slots, self.queue)
        return replace(alone, changes=2 * MOST_CHANGES)


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
            yield entry.name, value_of(entry, name, environ[name])


def name_in(entry: Field[Any], environ: Mapping[str, str]) -> str | None:
    """The variable that sets this, if one does; an empty one counts as none."""
    return next((name for name in entry.metadata["names"] if environ.get(name)), None)


def value_of(entry: Field[Any], name: str, text: str) -> Any:
    """One setting's value."""
    try:
        return entry.metadata["read"](text.strip())
    except ValueError as exc:
        raise SettingError(f"{name}={text}: it must be {exc}.") from exc


def from_environment(model_dir: Path | None = None) -> Settings:
    """The settings of this process; what the archive was tuned to is where nothing is set.

    The archive is the one that is served, or that in `model_dir`. Raises `SettingError`.
    """
    found = tuned.read(model_dir or read(os.environ).model_dir, cgroups.machine().cores)
    return read({**found, **os.environ})


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
    return {"OPENBLAS_NUM_THREADS": "1", **os.environ, **chosen}


def child_environment(folder: Path) -> dict[str, str]:
    """The environment of a process that packing starts, its temporary files in `folder`.

    The fixed seed gives names and orders that are the same every time.
    """
    return {**FRAMEWORKS, **os.environ, "PYTHONHASHSEED": "0", "TMPDIR": str(folder)}


def quiet_frameworks() -> None:
    """Set what TensorFlow and Keras read from the environment, where the user has not."""
    for name, value in FRAMEWORKS.items():
        os.environ.setdefault(name, value)
