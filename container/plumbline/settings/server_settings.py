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
    dimension,
    engine_name,
    formats,
    log_format,
    log_level,
    metrics_form,
    model_name,
    names,
    receiver,
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
        "Whether this is a batch transform; SageMaker sets it. It changes some defaults.",
        "SAGEMAKER_BATCH",
    )
    port: int = setting("8080", whole(1, 65535), "The port.", "SAGEMAKER_BIND_TO_PORT")
    multi_model: bool = setting(
        "false",
        boolean,
        "Whether this is a multi-model endpoint; SageMaker sets it.",
        "SAGEMAKER_MULTI_MODEL",
    )
    load_seconds: float = setting(
        "360",
        seconds,
        "Multi-model: the most seconds that loading a model may take.",
        "PLUMBLINE_LOAD_SECONDS",
    )
    workers: int | None = setting(
        None,
        whole(1, 256),
        "Processes, each with its own copy of the model. The default is one per 4 cores, or one "
        "per core if `plumbline pack` has accelerated a small model, as far as memory allows.",
        "PLUMBLINE_WORKERS",
        "SAGEMAKER_MODEL_SERVER_WORKERS",
    )
    slots: int | None = setting(
        None,
        whole(1, 1024),
        "Concurrent requests per process. The default is 8 for each of its cores, 2 if the model "
        "is accelerated, as far as memory allows. A body of 1 MiB or more counts as 8.",
        "PLUMBLINE_SLOTS",
    )
    queue: int | None = setting(
        None,
        whole(0, 10_000),
        "Length of the queue of a process; further requests get 503 and Retry-After. The default "
        "is 64, with fewer large bodies where memory is short.",
        "PLUMBLINE_QUEUE",
        batch="100",
    )
    deadline: float = setting(
        "60",
        seconds,
        "Request timeout in seconds, including time in the queue; then the response is 503.",
        "PLUMBLINE_DEADLINE_SECONDS",
        "SAGEMAKER_MODEL_SERVER_TIMEOUT",
        batch="600",
    )
    max_body: int = setting(
        "25",
        whole(1, 1024, MEBIBYTE),
        "Largest payload in MiB; a larger one gets 413 before it is read.",
        "PLUMBLINE_MAX_BODY_MB",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB",
        batch="100",
    )
    max_pixels: int = setting(
        str(Limits.pixels),
        whole(1, 1_000_000_000),
        "Most pixels of a picture; one with more gets 413 before it is decoded.",
        "PLUMBLINE_MAX_PIXELS",
    )
    max_side: int = setting(
        str(Limits.side),
        whole(1, 1_000_000),
        "Longest side of a picture in pixels; a longer one gets 413, too.",
        "PLUMBLINE_MAX_SIDE",
    )
    max_instances: int = setting(
        "64",
        whole(1, 1_000_000),
        "Most pictures in a request, or instances in a JSON body.",
        "PLUMBLINE_MAX_INSTANCES",
        batch="100000",
    )
    engine: str = setting(
        "auto",
        engine_name,
        "The engine: auto (the fastest with the right outputs), openvino or tensorflow.",
        "PLUMBLINE_ENGINE",
    )
    streams: int | None = setting(
        None,
        whole(1, 256),
        "Concurrent requests that OpenVINO computes, each on its share of the cores.",
        "PLUMBLINE_STREAMS",
    )
    most_together: int = setting(
        str(MOST_TOGETHER),
        whole(1, 256),
        "Batch size: instances of several requests that TensorFlow computes together.",
        "PLUMBLINE_BATCH",
    )
    parallel_batches: int | None = setting(
        None,
        whole(1, 256),
        "Batches that TensorFlow computes at a time; by itself one for each core of the process, "
        "in the image for GPUs 2.",
        "PLUMBLINE_PARALLEL_BATCHES",
    )
    default_model: str = setting(
        "",
        model_name,
        "Which of several models is the default; otherwise the alphabetically first.",
        tf_serving_variables.DEFAULT_MODEL,
    )
    image_formats: tuple[str, ...] = setting(
        ",".join(Limits.formats),
        formats,
        "Picture formats that are decoded; AVIF may be added, and HEIF with pillow-heif.",
        "PLUMBLINE_IMAGE_FORMATS",
    )
    allow_ops: tuple[str, ...] = setting(
        "",
        names,
        "Operations that a model's graph may contain in addition to those that only compute, "
        "such as ReadFile, separated by commas; others are refused when it is loaded.",
        "PLUMBLINE_ALLOW_OPS",
    )
    url_allow: Allowlist = setting(
        "",
        read_allowlist,
        "URLs from which pictures may be fetched, such as s3://bucket/photos/* and "
        "https://example.com/photos/*, separated by commas or spaces.",
        "PLUMBLINE_URL_ALLOW",
    )
    url_timeout: float = setting(
        "10",
        seconds,
        "Timeout in seconds for fetching a picture by URL.",
        "PLUMBLINE_URL_TIMEOUT_SECONDS",
    )
    failure_grace: float = setting(
        "30",
        seconds,
        "Seconds from a failed load to the server's exit, during which /ping says why.",
        "PLUMBLINE_FAILURE_GRACE_SECONDS",
    )
    drain: float = setting(
        "20",
        seconds,
        "Seconds that requests in flight have after SIGTERM.",
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
        "Whether pip installs code/requirements.txt at every start (true, or 1).",
        "PLUMBLINE_INSTALL_REQUIREMENTS",
    )
    default_accept: str = setting(
        "",
        str,
        "The content type for requests without Accept, or with */*; JSON if empty.",
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
    )
    page: bool = setting(
        "false",
        boolean,
        "Whether / is a web page to try the model; `plumbline serve` sets it, the image does not.",
        "PLUMBLINE_PAGE",
    )
    log_level: str = setting(
        "info",
        log_level,
        "Log level: debug, info, warning, error, critical (or 10 to 50).",
        "PLUMBLINE_LOG_LEVEL",
        "SAGEMAKER_CONTAINER_LOG_LEVEL",
    )
    metrics: str = setting(
        "prometheus",
        metrics_form,
        "prometheus (GET /metrics), or emf: also a log line every minute for CloudWatch, for "
        "endpoints that are not scraped (serverless and asynchronous).",
        "PLUMBLINE_METRICS",
    )
    metrics_models: int = setting(
        "0",
        whole(0, 25),
        "Multi-model: how many of the busiest models the metrics list by name.",
        "PLUMBLINE_METRICS_MODELS",
    )
    endpoint: str = setting(
        "unnamed",
        dimension,
        "The endpoint's name in the metrics for CloudWatch; SageMaker does not pass it on.",
        "PLUMBLINE_ENDPOINT",
    )
    variant: str = setting(
        "", dimension, "The production variant's name, for the same purpose.", "PLUMBLINE_VARIANT"
    )
    server_timing: bool = setting(
        "false",
        boolean,
        "Whether answers have a Server-Timing header with the stages, which browsers show.",
        "PLUMBLINE_SERVER_TIMING",
    )
    traces: str = setting(
        "",
        receiver,
        "Where a span for each request is sent by OTLP, such as http://127.0.0.1:4318; needs the "
        "packages named in docs/metrics.md, Traces.",
        "PLUMBLINE_TRACES",
    )
    log_format: str = setting(
        "auto",
        log_format,
        "Log format: json, text, or auto (text on a terminal, JSON elsewhere).",
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
