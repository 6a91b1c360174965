"""Packing's last step: the model's forms for OpenVINO, proven against the original."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.archive import accelerated_files, npz_outputs
from plumbline.archive.accelerated_files import (
    FOLDER,
    FORMS,
    GISTS,
    INT8,
    NETWORK,
    Accelerated,
    Form,
)
from plumbline.archive.contents import Archive
from plumbline.engines.openvino_networks import computes_in, convert
from plumbline.errors import PlumblineError
from plumbline.loading.loader import in_form
from plumbline.loading.openvino_equivalence import by_pictures, independent, namesakes
from plumbline.loading.terms import Terms
from plumbline.packing.form_measurements import Observed, observe, rate
from plumbline.packing.progress_bar import Reporter
from plumbline.packing.quantize import Job, quantize, refusal
from plumbline.pipeline.model_inputs import check_pictures
from plumbline.pipeline.stages import Pipeline
from plumbline.vision.arrays import Tensor


@dataclass(frozen=True)
class Trial:
    """One way to compute the model, beside the original."""

    name: str
    size: int
    """The bytes of its files."""
    rate: float
    """Pictures a second, one at a time."""
    largest: float = 0.0
    """The largest |difference| of any output value of any picture."""
    agreement: float = 1.0
    """With the original's answers, as the model's task measures it."""
    golden_agreement: float = 1.0
    """The same on the golden pictures alone."""
    kept: bool = True


@dataclass(frozen=True)
class Acceleration:
    """What packing found: every form that was tried, the original first, or why there is none.

    `unmade` says why there are none in int8, if so.
    """

    trials: tuple[Trial, ...] = ()
    reason: str = ""
    unmade: str = ""


@dataclass(frozen=True)
class Workshop:
    """An archive's folder, its model as TensorFlow computes it, and what both are held against.

    The golden pictures are the first of `pictures`.
    """

    archive: Archive
    original: Pipeline
    terms: Terms
    pictures: Sequence[Path]
    reporter: Reporter
    aliases: frozenset[str]
    """Other names of the signature that pictures go to."""

    @property
    def folder(self) -> Path:
        """Where the forms go."""
        return self.archive.root / FOLDER

    def described(self, trials: Sequence[Trial]) -> Accelerated:
        """The forms of these trials, the fastest that they may be first."""
        forms = {form.name: form for form in FORMS}
        return Accelerated(
            self.folder,
            self.archive.model.path.relative_to(self.archive.root).as_posix(),
            self.archive.spec.model.signature,
            self.original.signature,
            {forms[trial.name]: trial.golden_agreement for trial in reversed(trials)},
            self.aliases,
        )

    def tried(self, forms: Sequence[Form]) -> tuple[list[Tensor], list[Trial]]:
        """What the original's answers mean, and how these forms come out beside it."""
        described = self.described(())
        others = [in_form(self.archive, described, form, self.terms) for form in forms]
        names = " and ".join(form.name for form in forms)
        what = f"Comparing {names} with {self.original.engine.name}"
        with self.reporter.stage(what, len(self.pictures), "pictures") as done:
            truth, found = observe(self.original, others, self.pictures, done)
        trials = [
            self.judged(form, truth, seen, rate(other, self.pictures[0]))
            for form, other, seen in zip(forms, others, found, strict=True)
        ]
        return truth.gists, trials

    def judged(self, form: Form, truth: Observed, seen: Observed, pace: float) -> Trial:
        """Whether a form is within the budget."""
        pairs = list(zip(truth.gists, seen.gists, strict=True))
        agreement = self.original.task.agreement(pairs)
        budget = self.archive.spec.acceleration
        return Trial(
            form.name,
            size_of(self.folder / form.network),
            pace,
            seen.largest,
            agreement,
            self.original.task.agreement(pairs[: len(self.archive.goldens)]),
            seen.largest <= budget.max_difference and agreement >= budget.min_agreement,
        )


def accelerate(
    archive: Archive,
    pipeline: Pipeline,
    terms: Terms,
    calibration: Sequence[Path],
    reporter: Reporter,
) -> Acceleration:
    """Write `accelerated/` into the archive's folder, if a form stays within the budget.

    `pipeline` is the original's; both are held against each other on the golden pictures, and on
    those for `calibration`.
    """
    if reason := unsuited(archive, pipeline):
        return Acceleration(reason=reason)
    goldens = [archive.root / archive.spec.golden.images / one.name for one in archive.goldens]
    aliases = namesakes(pipeline, archive.goldens[0].picture)
    workshop = Workshop(archive, pipeline, terms, [*goldens, *calibration], reporter, aliases)
    forms = [form for form in FORMS if computes_in(form.precision)]
    exact, quantized = ([form for form in forms if form.network == one] for one in (NETWORK, INT8))
    try:
        signature = pipeline.signature
        convert(archive.model.path, signature, workshop.folder / NETWORK)
        truths, trials = workshop.tried(exact)
    except PlumblineError as exc:
        shutil.rmtree(workshop.folder, ignore_errors=True)
        return Acceleration(reason=exc.message)
    unmade = refusal(archive.spec.acceleration)
    if not unmade:
        try:
            quantize(job(workshop, truths), reporter)
            trials += workshop.tried(quantized)[1]
        except PlumblineError as exc:
            unmade = f"NNCF failed: {exc.message}"
    return kept(workshop, truths, trials, unmade)


def unsuited(archive: Archive, pipeline: Pipeline) -> str:
    """Why OpenVINO should not compute the model; "" if it may."""
    if not archive.goldens:
        return "there are no golden pictures to prove it with"
    if archive.model.kind == "code":
        return "its handler loads the model itself"
    if reason := check_pictures(pipeline.spec, pipeline.signature):
        return f"its pictures are read by its handler alone. {reason}"
    if not by_pictures(pipeline.engine.signature):
        return "it has an output of texts, or one without an axis for pictures"
    if not independent(pipeline, [golden.picture for golden in archive.goldens]):
        return "its answer for a picture depends on what else is in the batch"
    return ""


def job(workshop: Workshop, truths: Sequence[Tensor]) -> Job:
    """What quantisation has to do."""
    return Job(
        root=workshop.archive.root,
        network=workshop.folder / NETWORK,
        target=workshop.folder / INT8,
        signature=workshop.original.signature,
        pictures=workshop.pictures,
        truths=truths,
        max_drop=1 - workshop.archive.spec.acceleration.min_agreement,
    )


def kept(
    workshop: Workshop, truths: Sequence[Tensor], trials: Sequence[Trial], unmade: str
) -> Acceleration:
    """Keep the forms that are within the budget, and remove the networks of the others.

    Which is the fastest, the machine that serves them finds out: it is another one, and the same
    inputs make the same archive.
    """
    size = sum(file.stat().st_size for file in files(workshop.archive.model.path))
    pace = rate(workshop.original, workshop.pictures[0])
    found = (Trial(workshop.original.engine.name, size, pace), *trials)
    described = workshop.described([trial for trial in trials if trial.kept])
    if not described.forms:
        shutil.rmtree(workshop.folder)
        return Acceleration(found, "no form stays within [acceleration]'s budget", unmade)
    for network in {form.network for form in FORMS} - {form.network for form in described.forms}:
        for suffix in (".xml", ".bin"):
            (workshop.folder / network).with_suffix(suffix).unlink(missing_ok=True)
    names = (golden.name for golden in workshop.archive.goldens)
    npz_outputs.save(workshop.folder / GISTS, dict(zip(names, truths, strict=False)))
    accelerated_files.write(described, [told(trial) for trial in trials])
    return Acceleration(found, unmade=unmade)


def files(path: Path) -> list[Path]:
    """The files of a model."""
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]


def size_of(network: Path) -> int:
    """The bytes of a network: its layers and its weights."""
    return sum(network.with_suffix(suffix).stat().st_size for suffix in (".xml", ".bin"))


def told(trial: Trial) -> dict[str, Any]:
    """What the archive keeps of a trial for people: nothing that differs from run to run."""
    return {
        "name": trial.name,
        "largest_difference": float(f"{trial.largest:.2g}"),
        "agreement": trial.agreement,
    }
