"""Archive → engine → pipeline → golden check, and how far that has come."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from plumbline import manifest
from plumbline.accelerated import Accelerated
from plumbline.archive import Archive, GoldenPicture, open_archive
from plumbline.discovery import ModelFile
from plumbline.engines.base import Engine
from plumbline.engines.loaders import load_engine
from plumbline.engines.openvino import load_network
from plumbline.errors import (
    ArchiveError,
    EngineError,
    GoldenMismatch,
    ImageError,
    InputRefused,
    ModelNotReady,
    PlumblineError,
)
from plumbline.gathering import Fetch, no_links
from plumbline.images import Limits
from plumbline.inputs import check_pictures
from plumbline.parity import Difference, mismatch
from plumbline.pipeline import Pipeline
from plumbline.registry import LoadedModel, Registry
from plumbline.suspects import explain
from plumbline.tasks import fitted, suited

log = logging.getLogger("plumbline.loading")

Say = Callable[[str], None]

PACED = 10
"""How often each of several forms is timed before one is chosen."""

LOAD_SECONDS = 480.0
"""SageMaker gives a container eight minutes to become healthy."""


@dataclass(frozen=True)
class Terms:
    """How models are served, whatever archive they come from."""

    limits: Limits = field(default_factory=Limits)
    max_instances: int = 64
    cores: int = 1
    fetch: Fetch = no_links
    max_fetched: int = 0
    """Bytes of the pictures behind one request's links."""
    engine: str = "auto"
    """One of `variables.ENGINES`."""


@dataclass(frozen=True)
class Status:
    """`state` is "loading", "ready" or "failed"; `reason` says it in a sentence."""

    state: str
    reason: str
    models: Registry | None = None


class ServedModel:
    """An archive whose models load in the background and answer once all are ready."""

    def __init__(self, load: Callable[[Say], Registry]) -> None:
        self._load = load
        self.status = Status("loading", "The model is waiting to be loaded.")

    def models(self) -> Registry:
        """What answers requests. Raises `ModelNotReady`."""
        status = self.status
        if status.models is not None:
            return status.models
        if status.state == "failed":
            raise ModelNotReady("The model failed to load; the server's log says why.", 30)
        raise ModelNotReady(status.reason, 2)

    def start(self, on_failure: Callable[[], None]) -> threading.Thread:
        """Load in a thread of its own; `on_failure` is called if that fails."""
        thread = threading.Thread(
            target=self.load, args=(on_failure,), name="plumbline-load", daemon=True
        )
        thread.start()
        return thread

    def load(self, on_failure: Callable[[], None]) -> None:
        """Load, and say how it went."""
        try:
            models = self._load(self._say)
        except Exception as exc:  # the one place where any failure becomes a status
            reason = f"The model failed to load: {reason_of(exc)}"
            log.exception(reason)
            self.status = Status("failed", one_line(reason))
            on_failure()
        else:
            log.info("The model is ready.")
            self.status = Status("ready", "The model is ready.", models)

    def _say(self, reason: str) -> None:
        log.info(reason)
        self.status = Status("loading", reason)


def reason_of(error: Exception) -> str:
    """Why loading failed, for whoever deployed the model."""
    if isinstance(error, PlumblineError):
        return error.message
    return f"{type(error).__name__}: {error}"


def one_line(text: str, most: int = 600) -> str:
    """The text without line breaks, cut to what a health check shows."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[:most] + " …"


def load_models(root: Path, terms: Terms, say: Say) -> Registry:
    """Every model of the archive in the folder `root`, ready to answer. Raises a `ModelError`.

    The golden pictures are those of the default model.
    """
    if manifest.verify(root):
        log.info("Every file of the archive is as it was packed.")
    archive = open_archive(root)
    loaded = []
    for model in archive.models:
        say(f"The model {model.name}/{model.version} ({model.path.name}) is loading.")
        pipeline = accelerated(archive, terms) if model is archive.model else None
        if pipeline is None:
            pipeline = make_pipeline(archive, load(archive, model, terms), terms)
            say(f"The model {model.name}/{model.version} is warming up.")
            warm_up(pipeline)
            if model is archive.model:
                count = len(archive.goldens)
                name = f"{model.name}/{model.version}"
                say(f"{name} is being checked against {count} golden pictures.")
                check_goldens(pipeline, archive)
        loaded.append(LoadedModel(model.name, model.version, pipeline))
    models = Registry(tuple(loaded))
    log.info("Served are %s; the default is %s.", ", ".join(map(str, loaded)), models.default)
    return models


def accelerated(archive: Archive, terms: Terms) -> Pipeline | None:
    """The default model in the fastest form that answers rightly on this machine, if one does.

    Raises `EngineError` where it must not be served otherwise.
    """
    found = archive.accelerated
    forms: dict[str, Pipeline] = {}
    if found is not None and terms.engine != "tensorflow":
        for precision in found.precisions:
            try:
                forms[precision] = proven(archive, found, precision, terms)
            except Exception as exc:  # whatever it is, TensorFlow may still do
                log.warning("OpenVINO in %s is not used here: %s", precision, reason_of(exc))
    if forms:
        one, *others = forms
        fastest = min(forms, key=lambda name: pace(forms[name])) if others else one
        log.info("OpenVINO computes the model, in %s.", fastest)
        return forms[fastest]
    if terms.engine == "openvino":
        raise EngineError(
            "PLUMBLINE_ENGINE=openvino, but the archive has no form of the model that OpenVINO "
            "computes rightly on this machine; pack it again, or leave the engine to the server."
        )
    return None


def proven(archive: Archive, found: Accelerated, precision: str, terms: Terms) -> Pipeline:
    """One accelerated form, once its golden pictures have come out within the budget."""
    engine = load_network(found.network, found.signature, precision, terms.cores)
    pipeline = make_pipeline(archive, engine, terms)
    warm_up(pipeline)
    spec = archive.spec
    check_goldens(pipeline, archive, max(spec.golden.tolerance, spec.acceleration.max_difference))
    return pipeline


def pace(pipeline: Pipeline) -> float:
    """Seconds that a black picture takes, the best of some."""

    def seconds() -> float:
        start = time.perf_counter()
        warm_up(pipeline)
        return time.perf_counter() - start

    return min(seconds() for _ in range(PACED))


def load(archive: Archive, model: ModelFile, terms: Terms) -> Engine:
    """The engine of one model."""
    return load_engine(model, archive.spec.model.signature, terms.cores)


def make_pipeline(archive: Archive, engine: Engine, terms: Terms) -> Pipeline:
    """A model, and around it what the archive declares."""
    spec = suited(archive.spec, engine.signature)
    task = fitted(spec, archive.labels, engine.signature)
    return Pipeline(
        spec,
        engine,
        task,
        terms.limits,
        terms.max_instances,
        fetch=terms.fetch,
        max_fetched=terms.max_fetched,
    )


def time_left() -> float:
    """The deadline of everything that happens while loading."""
    return LOAD_SECONDS


def warm_up(pipeline: Pipeline) -> None:
    """Answer for a black picture, so that no caller pays for what only the first run does."""
    reason = check_pictures(pipeline.spec, pipeline.engine.signature)
    if reason:
        log.warning("The model is served for tensors only, not for pictures. %s", reason)
        return
    black = io.BytesIO()
    Image.new("RGB", (64, 64)).save(black, pipeline.limits.formats[0])
    try:
        pipeline.values(black.getvalue(), time_left)
    except InputRefused as exc:
        if pipeline.spec.task != "raw":
            raise
        log.warning("The model is not warm: a picture's bytes are not what it takes. %s", exc)


def check_goldens(pipeline: Pipeline, archive: Archive, budget: float | None = None) -> None:
    """Compare every golden picture's outputs. Raises `GoldenMismatch` at the worst.

    `budget` is what an accelerated form may be off; why it is off by more, nobody asks.
    """
    if not archive.goldens:
        log.warning("The archive has no golden pictures: nobody checked its answers.")
        return
    tolerance = archive.spec.golden.tolerance if budget is None else budget
    found = {golden.name: check_golden(pipeline, golden) for golden in archive.goldens}
    worst = max(archive.goldens, key=lambda golden: found[golden.name].largest)
    if not found[worst.name].within(tolerance):
        cause = explain(pipeline, archive.goldens, worst) if budget is None else ""
        raise GoldenMismatch(mismatch(found, tolerance, cause))
    log.info(
        "%d golden pictures came out right; the largest difference is %.3g.",
        len(found),
        found[worst.name].largest,
    )


def check_golden(pipeline: Pipeline, golden: GoldenPicture) -> Difference:
    """How far one golden picture's outputs are from what they should be."""
    try:
        return pipeline.compare(golden.picture, golden.expected, time_left)
    except ImageError as exc:
        raise ArchiveError(f"The golden picture {golden.name} can't be used: {exc}") from exc
