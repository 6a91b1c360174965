"""Archive → engine → pipeline → golden check, and how far that has come."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

from PIL import Image

from plumbline import manifest, unpacked
from plumbline.accelerated import Accelerated, Form
from plumbline.archive import Archive, GoldenPicture, open_archive
from plumbline.batching import batching
from plumbline.discovery import ModelFile
from plumbline.engines.base import Engine
from plumbline.engines.deferred import DeferredEngine
from plumbline.engines.loaders import load_engine
from plumbline.engines.metadata import signature_defs
from plumbline.engines.openvino import OpenVINOEngine, Threads, load_network
from plumbline.errors import (
    ArchiveError,
    EngineError,
    GoldenMismatch,
    ImageError,
    InputRefused,
)
from plumbline.gathering import Fetch, no_links
from plumbline.images import Limits
from plumbline.inputs import check_pictures
from plumbline.parity import Difference, mismatch
from plumbline.pipeline import Pipeline
from plumbline.preprocess import normalization, stays_bytes
from plumbline.proof import check_agreement
from plumbline.registry import LoadedModel, Registry
from plumbline.served import Say, one_line, reason_of
from plumbline.sizing import MOST_TOGETHER
from plumbline.suspects import explain
from plumbline.tasks import fitted, suited

log = logging.getLogger("plumbline.loading")

PACED = 10
"""How often each of several forms is timed before one is chosen."""

COMPARING_SECONDS = 120.0
"""After these, further models of an archive are left to TensorFlow without a comparison."""

LOAD_SECONDS = 480.0
"""SageMaker gives a container eight minutes to become healthy."""


@dataclass(frozen=True)
class Terms:
    """How models are served, whatever archive they come from."""

    limits: Limits = field(default_factory=Limits)
    max_instances: int = 64
    cores: int = 1
    """Of this process, where all of them are busy."""
    cores_alone: int = 1
    """That a lone request may have, where those are more."""
    fetch: Fetch = no_links
    max_fetched: int = 0
    """Bytes of the pictures behind one request's links."""
    engine: str = "auto"
    """One of `variables.ENGINES`."""
    streams: int | None = None
    """How many requests of a crowd OpenVINO computes at a time; None for one a core."""
    most_together: int = MOST_TOGETHER
    """Instances of several requests that TensorFlow computes together."""
    shared: Path | None = None
    """A folder for what the processes of one server need to find out only once."""
    default_model: str = ""
    """Which of several answers where none is named; empty for the first by its name."""

    def shared_for(self, model: ModelFile) -> Path | None:
        """The part of the shared folder that is one model's."""
        return self.shared and self.shared / f"{model.name}-{model.version}"


def load_models(root: Path, terms: Terms, say: Say) -> Registry:
    """Every model of the archive in the folder `root`, ready to answer. Raises a `ModelError`."""
    if manifest.verify(root):
        log.info("Every file of the archive is as it was packed.")
    start = time.monotonic()
    loaded = []
    for archive in open_archive(root, terms.default_model).singly():
        late = terms.engine == "auto" and time.monotonic() > start + COMPARING_SECONDS
        pipeline = ready(archive, replace(terms, engine="tensorflow") if late else terms, say)
        model = archive.model
        name = archive.spec.model.signature
        told = cache(partial(signature_defs, model, name, pipeline.engine))
        loaded.append(LoadedModel(model.name, model.version, pipeline, told))
    models = Registry(tuple(loaded))
    log.info("Served are %s; the default is %s.", ", ".join(map(str, loaded)), models.default)
    return models


def ready(archive: Archive, terms: Terms, say: Say) -> Pipeline:
    """The archive's model, checked and ready to answer. Raises a `ModelError`."""
    name = f"{archive.model.name}/{archive.model.version}"
    say(f"The model {name} ({archive.model.path.name}) is loading.")
    if not archive.goldens:
        log.warning("%s has no golden pictures: nobody checked its answers.", name)
    if found := accelerated(archive, terms):
        return found
    pipeline = make_pipeline(archive, load(archive, archive.model, terms), terms)
    say(f"The model {name} is warming up.")
    warm_up(pipeline)
    say(f"{name} is being checked against {len(archive.goldens)} golden pictures.")
    check_goldens(pipeline, archive)
    goldens = [golden.picture for golden in archive.goldens]
    engine = batching(pipeline, goldens, terms.cores, terms.most_together)
    return replace(pipeline, engine=engine)


def accelerated(archive: Archive, terms: Terms) -> Pipeline | None:
    """The model in the fastest form that answers rightly on this machine, if one does.

    Raises `EngineError` where it must not be served otherwise.
    """
    found = archive.accelerated
    forms: dict[str, Pipeline] = {}
    if found is None and terms.engine != "tensorflow" and unpacked.can_be_asked():
        return compared(archive, terms)
    if found is not None and terms.engine != "tensorflow":
        for form in found.forms:
            try:
                forms[form.name] = proven(archive, found, form, terms)
            except Exception as exc:  # whatever it is, TensorFlow may still do
                log.warning("OpenVINO in %s is not used here: %s", form.name, reason_of(exc))
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


def compared(archive: Archive, terms: Terms) -> Pipeline | None:
    """The model as OpenVINO computes it, once that was compared with TensorFlow; else None.

    Raises `EngineError` where TensorFlow must not serve it.
    """
    try:
        original = unpacked.ask(archive, terms.limits, terms.cores, terms.shared_for(archive.model))
        (form,) = original.network.forms
        pipeline = in_form(archive, original.network, form, terms)
        difference = unpacked.check(pipeline, original)
        check_goldens(pipeline, archive)
    except Exception as exc:  # whatever it is, TensorFlow may still do
        reason = one_line(reason_of(exc))
        if terms.engine == "openvino":
            raise EngineError(
                f"PLUMBLINE_ENGINE=openvino, but only TensorFlow computes the model. {reason}"
            ) from exc
        log.info("TensorFlow computes the model, not OpenVINO. %s", reason)
        return None
    log.info(
        "OpenVINO computes the model: for %d pictures it answers as TensorFlow, to within %.2g.",
        len(original.pictures),
        difference,
    )
    return pipeline


def proven(archive: Archive, found: Accelerated, form: Form, terms: Terms) -> Pipeline:
    """One accelerated form, once its golden pictures have come out within the budget."""
    pipeline = in_form(archive, found, form, terms)
    warm_up(pipeline)
    tolerance, budget = archive.spec.golden.tolerance, archive.spec.acceleration.max_difference
    check_goldens(pipeline, archive, max(tolerance, budget))
    if budget > tolerance:
        check_agreement(pipeline, archive, found, form, time_left)
    return pipeline


def in_form(archive: Archive, found: Accelerated, form: Form, terms: Terms) -> Pipeline:
    """The model in one accelerated form."""
    network = found.folder / form.network
    load = partial(
        load_network,
        network,
        found.signature,
        form.precision,
        Threads(max(terms.cores, terms.cores_alone), terms.cores, terms.streams),
        shared=terms.shared,
    )
    deferred = DeferredEngine(OpenVINOEngine.name, found.signature, load)
    pipeline = replace(make_pipeline(archive, deferred, terms), aliases=found.aliases)
    return with_bytes(pipeline, load)


def with_bytes(pipeline: Pipeline, load: Callable[..., Engine]) -> Pipeline:
    """The pipeline with pictures normalised in the network itself, where they are bytes till then.

    `load` makes the engine; it takes a `normalization`.
    """
    declared, signature = pipeline.spec.preprocess, pipeline.engine.signature
    takes_none = check_pictures(pipeline.spec, signature)
    if takes_none or signature.input().dtype != "float32" or not stays_bytes(declared):
        return replace(pipeline, engine=load())
    engine = load(normalization=normalization(declared))
    spec = replace(pipeline.spec, preprocess=replace(declared, normalize="none"))
    return replace(pipeline, spec=spec, engine=engine, tensors=pipeline.engine)


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
