"""Every metric: its name, kind, labels and buckets. docs/metrics.md holds the same table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_SERIES = 600
"""The ceiling for one server, whatever it is asked; a server in use has about 260."""

SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Those of OpenTelemetry's `http.server.request.duration`, wider at both ends."""

BYTES = tuple(4096.0 * 4**power for power in range(8))
"""4 KiB to 64 MiB."""

ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)

ROUTES = ("invocations", "predict", "classify", "regress", "invoke", "models", "other")
OUTCOMES = ("ok", "refused", "busy", "failed")
STAGES = ("wait", "fetch", "decode", "preprocess", "infer", "handler", "encode")
PICTURES = ("ok", "refused")
LOADS = ("ok", "409", "507", "refused", "timed_out")
ENDS = ("hung", "leaked", "killed", "crashed")
MEMORY = ("used", "limit", "peak")

OPEN = ()
"""The values of a label that the tree of errors, the archive or the build names."""


@dataclass(frozen=True)
class Series:
    """One metric. Where `buckets` are given it is a histogram."""

    name: str
    kind: str
    help: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values that each label may have."""
    buckets: tuple[float, ...] = ()
    merged: str = ""
    """How a gauge's values of all processes become one, in the words of prometheus-client; empty
    for what is computed at the scrape."""
    mode: str = "both"
    """Of a server with `one` archive, with `many` models, or of `both`."""


REQUESTS = Series(
    "plumbline_requests_total",
    "counter",
    "Requests served; health checks and scrapes are not counted.",
    {"route": ROUTES, "code": OPEN, "error": OPEN},
)
DURATION = Series(
    "plumbline_request_duration_seconds",
    "histogram",
    "Latency from the complete request to its response, including the queue.",
    {"outcome": OUTCOMES},
    SECONDS,
)
STAGE = Series(
    "plumbline_stage_duration_seconds",
    "histogram",
    "Latency of each stage of a request.",
    {"stage": STAGES},
    SECONDS,
)
SIZE = Series("plumbline_request_bytes", "histogram", "Content-Length of requests.", buckets=BYTES)
PICTURE = Series(
    "plumbline_pictures_total", "counter", "Pictures processed or refused.", {"result": PICTURES}
)
BATCH = Series(
    "plumbline_batch_rows",
    "histogram",
    "Batch sizes (PLUMBLINE_BATCH).",
    buckets=ROWS,
    mode="one",
)
MODEL_LOADS = Series(
    "plumbline_model_loads_total",
    "counter",
    "Attempts to load a model.",
    {"outcome": LOADS},
    mode="many",
)
MODEL_LOAD = Series(
    "plumbline_model_load_seconds",
    "histogram",
    "Load times of models, including the queue.",
    buckets=SECONDS,
    mode="many",
)
UNLOADS = Series(
    "plumbline_model_unloads_total", "counter", "Models that were unloaded.", mode="many"
)
RECORDED = (REQUESTS, DURATION, STAGE, SIZE, PICTURE, BATCH, MODEL_LOADS, MODEL_LOAD, UNLOADS)
"""What each process adds to as it happens."""

GOLDENS = Series(
    "plumbline_golden_pictures",
    "gauge",
    "Golden pictures compared with the reference outputs.",
    merged="livemax",
)
WORST_RATIO = Series(
    "plumbline_golden_worst_ratio",
    "gauge",
    "Largest difference from the reference outputs, relative to the tolerance.",
    merged="livemax",
)
GAUGES = (
    Series(
        "plumbline_requests_inside",
        "gauge",
        "Requests in progress or in the queue.",
        merged="livesum",
    ),
    Series("plumbline_requests_waiting", "gauge", "Requests in the queue.", merged="livesum"),
    Series(
        "plumbline_places",
        "gauge",
        "Capacity: the most requests in progress and in the queue.",
        merged="livesum",
    ),
    Series("plumbline_slots_free", "gauge", "Free slots.", merged="livesum"),
    Series("plumbline_ready", "gauge", "1 once every process is ready.", merged="livemin"),
    Series("plumbline_workers_ready", "gauge", "Processes that are ready.", merged="livesum"),
    Series(
        "plumbline_load_seconds",
        "gauge",
        "Load time of the archive, in the process that loaded it last.",
        merged="livemostrecent",
        mode="one",
    ),
    Series(
        "plumbline_warmup_seconds",
        "gauge",
        "Of these, the first inference.",
        merged="livemostrecent",
        mode="one",
    ),
    GOLDENS,
    WORST_RATIO,
)
"""What each process sets, several times a second and before a scrape."""

MODEL_INFO = Series(
    "plumbline_model_info",
    "gauge",
    "Always 1; the labels describe the models served.",
    dict.fromkeys(("model", "version", "engine", "precision", "task", "archive"), OPEN),
    mode="one",
)
BUILD_INFO = Series(
    "plumbline_build_info",
    "gauge",
    "Always 1; the labels describe the build.",
    dict.fromkeys(("version", "target", "openvino", "tensorflow"), OPEN),
)
STARTED = Series("process_start_time_seconds", "gauge", "Start time in seconds since 1970.")
MEMORY_BYTES = Series(
    "plumbline_memory_bytes",
    "gauge",
    "Memory of the container, from its control group.",
    {"kind": MEMORY},
)
CPU_SECONDS = Series(
    "plumbline_cpu_seconds_total",
    "counter",
    "CPU time of the container, from its control group.",
)
WORKER_ENDS = Series(
    "plumbline_worker_ends_total",
    "counter",
    "Processes that ended unexpectedly.",
    {"reason": ENDS},
)
PARTIAL = Series(
    "plumbline_metrics_partial",
    "gauge",
    "1 without a writable folder: the metrics cover one process only.",
)
LOADED = Series("plumbline_models_loaded", "gauge", "Models that are loaded.", mode="many")
BUSIEST = Series(
    "plumbline_model_requests_total",
    "counter",
    "Requests of the busiest models, as many as PLUMBLINE_METRICS_MODELS.",
    {"model": OPEN},
    mode="many",
)
COMPUTED = (
    *(MODEL_INFO, BUILD_INFO, STARTED, MEMORY_BYTES, CPU_SECONDS, WORKER_ENDS),
    *(PARTIAL, LOADED, BUSIEST),
)
"""What is looked up at a scrape."""

DRIFT_NUMBERS = {
    "top_score": Series(
        "plumbline_top_score",
        "histogram",
        "Highest score of a picture; if the archive has a baseline.",
        mode="one",
    ),
    "detections": Series(
        "plumbline_detections",
        "histogram",
        "Boxes per picture; if the archive has a baseline.",
        mode="one",
    ),
    "brightness": Series(
        "plumbline_input_brightness",
        "histogram",
        "Mean of a picture, 0 to 1; if the archive has a baseline.",
        mode="one",
    ),
    "contrast": Series(
        "plumbline_input_contrast",
        "histogram",
        "Standard deviation of a picture, 0 to 0.5; if the archive has a baseline.",
        mode="one",
    ),
    "megapixels": Series(
        "plumbline_input_megapixels",
        "histogram",
        "Size of a picture in millions of pixels; if the archive has a baseline.",
        mode="one",
    ),
}
"""What a picture is counted as; the archive's baseline says in which buckets."""

PREDICTED = Series(
    "plumbline_predicted_total",
    "counter",
    "Predicted classes: a classifier's top class, a detector's boxes, each class's share of a "
    "segmentation mask.",
    {"class": OPEN},
    mode="one",
)

TABLE = (*RECORDED, *DRIFT_NUMBERS.values(), PREDICTED, *GAUGES, *COMPUTED)
