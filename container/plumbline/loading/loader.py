"""Archive → engine → pipeline → golden check, and how far that has come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from plumbline.archive import manifest
from plumbline.archive.accelerated_files import Accelerated, Choice, Form, in_order
from plumbline.archive.contents import Archive, open_archive
from plumbline.archive.discovery import ModelFile
from plumbline.drift import baseline
from plumbline.engines.base import Engine
from plumbline.engines.deferred import DeferredEngine
from plumbline.engines.openvino import OpenVINOEngine, Threads, load_network
from plumbline.engines.openvino_networks import computes_in
from plumbline.engines.selection import load_engine
from plumbline.engines.serving_metadata import signature_defs
from plumbline.errors import ArchiveError, EngineError, InputRefused
from plumbline.handlers import handler_choice
from plumbline.handlers.replaced_stages import Named, around
from plumbline.loading import never_packed, request_stages
from plumbline.loading.accelerated_proof import check_agreement
from plumbline.loading.batching import batching
from plumbline.loading.first_run import pace, warm_up
from plumbline.loading.golden_check import check_goldens, time_left
from plumbline.loading.model_registry import LoadedModel, Registry
from plumbline.loading.served_model import Say, one_line, reason_of
from plumbline.loading.terms import Terms
from plumbline.pipeline.inference import Tally
from plumbline.pipeline.loading_facts import Facts
from plumbline.pipeline.model_inputs import check_pictures, decodes_itself
from plumbline.pipeline.picture_view import viewed
from plumbline.pipeline.preprocess import normalization, stays_bytes
from plumbline.pipeline.stages import Pipeline
from plumbline.tasks.task_table import TASKS, fitted, suited

log = logging.getLogger("plumbline.loading")

COMPARING_SECONDS = 120.0
"""After these, further models of an archive are left to TensorFlow without a comparison."""


def load_models(root: Path, terms: Terms, say: Say) -> Registry:
    """Every model of the archive in the folder `root`, ready to answer. Raises a `ModelError`."""
    start = time.monotonic()
    if manifest.verify(root):
        log.info("Every file of the archive is as it was packed.")
    loaded = []
    found = open_archive(root, terms.default_model, terms.code.whereabouts, terms.allow_ops)
    for lost in found.not_run:
        log.warning(lost)
    terms = replace(terms, handler=handler_choice.load(found, terms.code, terms.shared, say))
    for archive in found.singly():
        late = terms.engine == "auto" and time.monotonic() > start + COMPARING_SECONDS
        pipeline = ready(archive, replace(terms, engine="tensorflow") if late else terms, say)
        if archive.model is found.model:
            pipeline = replace(pipeline, tally=tally_of(root, terms))
        model = archive.model
        name = archive.spec.model.signature
        told = cache(partial(signature_defs, model, name, pipeline.tensors or pipeline.engine))
        done = request_stages.served(archive, pipeline)
        loaded.append(LoadedModel(model.name, model.version, pipeline, told, done))
    models = Registry(tuple(loaded), time.monotonic() - start, manifest.fingerprint(root))
    log.info("Served are %s; the default is %s.", ", ".join(map(str, loaded)), models.default)
    return models


def tally_of(root: Path, terms: Terms) -> Tally | None:
    """What learns of each picture, if somebody wants that and the archive says what is usual."""
    try:
        known = baseline.read(root) if terms.tallied else None
    except ArchiveError as exc:
        log.warning("Drift is not measured. %s", exc)
        return None
    return terms.tallied(known) if terms.tallied and known else None


def ready(archive: Archive, terms: Terms, say: Say) -> Pipeline:
    """The archive's model, checked and ready to answer. Raises a `ModelError`."""
    name = f"{archive.model.name}/{archive.model.version}"
    say(f"The model {name} ({archive.model.path.name}) is loading.")
    if not archive.goldens:
        log.warning("%s has no golden pictures: its answers were not checked.", name)
    if archive.model.kind == "code":
        pipeline = make_pipeline(archive, load(archive, archive.model, terms), terms)
        return check_goldens(pipeline, archive)
    if found := accelerated(archive, terms):
        return found
    pipeline = make_pipeline(archive, load(archive, archive.model, terms), terms)
    say(f"The model {name} is warming up.")
    begun = time.monotonic()
    pipeline = warmed(archive, pipeline, terms)
    pipeline = replace(pipeline, facts=Facts(warmup_seconds=time.monotonic() - begun))
    say(f"{name} is being checked against {len(archive.goldens)} golden pictures.")
    pipeline = check_goldens(pipeline, archive)
    goldens = [golden.picture for golden in archive.goldens]
    lanes = terms.parallel_batches or terms.cores
    engine = batching(pipeline.bare, goldens, lanes, terms.most_together, observe=terms.observe)
    return replace(pipeline, engine=engine)


def accelerated(archive: Archive, terms: Terms) -> Pipeline | None:
    """The model in the fastest form that answers rightly on this machine, if one does.

    Raises `EngineError` where it must not be served otherwise.
    """
    found = archive.accelerated
    if found is None and terms.engine != "tensorflow" and never_packed.can_be_asked():
        return compared(archive, terms)
    if found is not None and terms.engine != "tensorflow":
        pipeline = fastest(archive, found, terms)
        if pipeline:
            return pipeline
    if terms.engine == "openvino":
        raise EngineError(
            "PLUMBLINE_ENGINE=openvino, but the archive has no form of the model that OpenVINO "
            "computes rightly on this machine; pack it again, or leave the engine to the server."
        )
    return None


def fastest(archive: Archive, found: Accelerated, terms: Terms) -> Pipeline | None:
    """The fastest of the forms that answer rightly here; None if none does.

    All processes of a server take what the first has chosen, so that they answer alike.
    """
    choice = Choice(terms.shared_for(archive.model))
    possible = [form for form in found.forms if computes_in(form.precision)]
    for forms in in_order(possible, choice.name):
        right = {form.name: one for form in forms if (one := tried(archive, found, form, terms))}
        if right:
            name, *others = right
            if others:
                name = min(right, key=lambda name: pace(right[name]))
            log.info("OpenVINO computes the model, in %s.", name)
            choice.keep(name)
            return right[name]
    return None


def tried(archive: Archive, found: Accelerated, form: Form, terms: Terms) -> Pipeline | None:
    """A form that answers rightly on this machine; None, and a warning, if it does not."""
    try:
        return proven(archive, found, form, terms)
    except Exception as exc:  # whatever it is, another form may do, or TensorFlow
        log.warning("OpenVINO in %s is not used here: %s", form.name, reason_of(exc))
        return None


def compared(archive: Archive, terms: Terms) -> Pipeline | None:
    """The model as OpenVINO computes it, once that was compared with TensorFlow; else None.

    Raises `EngineError` where TensorFlow must not serve it.
    """
    try:
        pipeline, original = with_original(archive, terms)
        difference = never_packed.check(pipeline.bare, original)
        pipeline = check_goldens(pipeline, archive)
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


def with_original(archive: Archive, terms: Terms) -> tuple[Pipeline, never_packed.Original]:
    """The model as OpenVINO computes it, compiled while TensorFlow is asked, and its answers."""
    begun = []
    with ThreadPoolExecutor(1) as pool:

        def begin(network: Accelerated) -> None:
            (form,) = network.forms
            begun.append(pool.submit(in_form, archive, network, form, terms))

        shared = terms.shared_for(archive.model)
        original = never_packed.ask(archive, terms.limits, terms.cores, shared, begin)
        (compiled,) = begun
        return replace(compiled.result(), aliases=original.aliases), original


def proven(archive: Archive, found: Accelerated, form: Form, terms: Terms) -> Pipeline:
    """One accelerated form, once its golden pictures have come out within the budget."""
    pipeline = in_form(archive, found, form, terms)
    begun = time.monotonic()
    warm_up(pipeline)
    facts = replace(pipeline.facts, warmup_seconds=time.monotonic() - begun)
    pipeline = replace(pipeline, facts=facts)
    tolerance, budget = archive.spec.golden.tolerance, archive.spec.acceleration.max_difference
    pipeline = check_goldens(pipeline, archive, max(tolerance, budget))
    if budget > tolerance or pipeline.incomparable:
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
    pipeline = replace(
        make_pipeline(archive, deferred, terms), aliases=found.aliases, facts=Facts(form.name)
    )
    return with_bytes(pipeline, load)


def with_bytes(pipeline: Pipeline, load: Callable[..., Engine]) -> Pipeline:
    """The pipeline with pictures normalised in the network itself, where they are bytes till then.

    `load` makes the engine; it takes a `normalization`.
    """
    declared, signature = pipeline.spec.preprocess, pipeline.signature
    left_alone = pipeline.bare is not pipeline or check_pictures(pipeline.spec, signature)
    if pipeline.tensors is not None:
        engine = load()
        return replace(pipeline, engine=viewed(pipeline.spec, engine), tensors=engine)
    if left_alone or signature.input().dtype != "float32" or not stays_bytes(declared):
        return replace(pipeline, engine=load())
    engine = load(normalization=normalization(declared))
    spec = replace(pipeline.spec, preprocess=replace(declared, normalize="none"))
    return replace(pipeline, spec=spec, engine=engine, tensors=pipeline.engine)


def load(archive: Archive, model: ModelFile, terms: Terms) -> Engine:
    """The engine of one model."""
    return load_engine(model, archive.spec.model.signature, terms.cores, archive.allow_ops)


def make_pipeline(archive: Archive, engine: Engine, terms: Terms) -> Pipeline:
    """A model, and around it what the archive declares."""
    as_pictures = viewed(archive.spec, engine)
    spec, model = suited(archive.spec, as_pictures.signature), archive.model
    pipeline = Pipeline(
        spec,
        as_pictures,
        fitted(spec, archive.labels, as_pictures.signature),
        terms.limits,
        terms.max_instances,
        tensors=None if as_pictures is engine else engine,
        fetch=terms.fetch,
        max_fetched=terms.max_fetched,
        max_parsed=terms.max_parsed,
    )
    return around(pipeline, terms.handler, terms.code.cutoff, Named(model.name, model.version))


def warmed(archive: Archive, pipeline: Pipeline, terms: Terms) -> Pipeline:
    """The pipeline after its first run.

    Where a model of strings refuses a picture's bytes, and nobody said what its task is, its inputs
    are no pictures (but web-safe base64, or examples), and its outputs are answered as they are.
    """
    try:
        warm_up(pipeline)
    except InputRefused as exc:
        if not decodes_itself(pipeline.bare.engine.signature.input()):
            raise
        log.warning("The model is not warm: a picture's bytes are not what it takes. %s", exc)
        spec = archive.spec
        if not spec.declared & {"task", "labels", *TASKS}:
            spec = replace(spec, task="raw", declared=spec.declared | {"task"})
            engine = pipeline.bare.tensors or pipeline.bare.engine
            return make_pipeline(replace(archive, spec=spec), engine, terms)
    return pipeline
