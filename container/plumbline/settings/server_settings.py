"""What a server can be told: each setting, the variables that set it, its default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from plumbline.archive import accelerated_files
from plumbline.links.policy import Allowlist, read_allowlist
from plumbline.machine.cgroups import Machine
from plumbline.machine.sizing import MOST_CHANGES, MOST_TOGETHER, Contents, Sizes, plan
from plumbline.settings import tf_serving_variables
from plumbline.settings.variable_values import (
    MEBIBYTE,
    boolean,
    engine_name,
    formats,
    log_format,
    log_level,
    model_name,
    names,
    seconds,
    switch,
    whole,
)
from plumbline.vision.images import Limits


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
        "Processes, each with its own copy of the model. By itself one for every 4 cores; one for "
        "each core where `plumbline pack` has accelerated a small model; as far as memory allows.",
        "PLUMBLINE_WORKERS",
        "SAGEMAKER_MODEL_SERVER_WORKERS",
    )
    slots: int | None = setting(
        None,
        whole(1, 1024),
        "Requests of one process that are at work at a time; by itself 8 for each of its cores, 2 "
        "where the model is accelerated, as far as memory allows. A body of 1 MiB or more counts "
        "for 8.",
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
    default_model: str = setting(
        "",
        model_name,
        "Which of several models answers where none is named; by itself the first by its name.",
        tf_serving_variables.DEFAULT_MODEL,
    )
    image_formats: tuple[str, ...] = setting(
        ",".join(Limits.formats),
        formats,
        "Picture formats that are decoded; AVIF may be named, too.",
        "PLUMBLINE_IMAGE_FORMATS",
    )
    allow_ops: tuple[str, ...] = setting(
        "",
        names,
        "Operations that the graph of a SavedModel may have beside those that only compute, such "
        "as ReadFile, with commas between them; others are refused when it is loaded.",
        "PLUMBLINE_ALLOW_OPS",
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
    program: str = setting(
        "", str, "The handler's file in code/, if it is not inference.py.", "SAGEMAKER_PROGRAM"
    )
    submit_directory: str = setting(
        "", str, "The handler's folder, if it is not code/.", "SAGEMAKER_SUBMIT_DIRECTORY"
    )
    install_requirements: bool = setting(
        "false",
        switch,
        "Whether what code/requirements.txt names may be installed at the start (true, or 1).",
        "PLUMBLINE_INSTALL_REQUIREMENTS",
    )
    default_accept: str = setting(
        "",
        str,
        "What a request without Accept, or with */*, is answered as; JSON, if this is empty.",
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
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
        """How the machine is used for what lies in the model folder.

        Many models are behind one process that hands on to theirs.
        """
        if self.multi_model:
            alone = plan(machine, self.max_body, 1, self.slots, self.queue)
            return replace(alone, changes=2 * MOST_CHANGES)
        contents = Contents(
            None if self.engine == "tensorflow" else accelerated_files.weight(self.model_dir),
            handled=(self.model_dir / "code").is_dir(),
        )
        return plan(machine, self.max_body, self.workers, self.slots, self.queue, contents)
