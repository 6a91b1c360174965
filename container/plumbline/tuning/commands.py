"""`plumbline tune`: measure this machine, and keep what is best in the archive."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from plumbline import allocator, blas, cgroups, manifest, synthetic, tarball, tuned
from plumbline import settings as environment
from plumbline.archive import open_archive
from plumbline.cli import silent_stderr, unpacked
from plumbline.engines.openvino import OpenVINOEngine
from plumbline.errors import EngineError
from plumbline.loading import Terms, load_models
from plumbline.packing.progress import Reporter
from plumbline.settings import Settings
from plumbline.sizing import Sizes, picture_slots
from plumbline.tuning.measure import ROUNDS, Loaded, Measured, measure, title, trials

GOALS = ("throughput", "latency")

CLOSE = 0.9
"""The share of the best at which the defaults are as good: the measurement is no finer."""


@click.command()
@click.argument("archive", type=click.Path(exists=True, path_type=Path))
@click.option("--seconds", default=60.0, show_default=True, help="The time to measure for.")
@click.option(
    "--for",
    "goal",
    type=click.Choice(GOALS),
    default=GOALS[0],
    show_default=True,
    help="What is kept: what answers most, or what answers one caller soonest.",
)
@click.option("--dry-run", is_flag=True, help="Measure, and leave the archive as it is.")
def tune(archive: Path, seconds: float, goal: str, dry_run: bool) -> None:
    """Measure what serves ARCHIVE (a model.tar.gz or a folder) fastest on this machine.

    Engines, batches, streams and slots are tried, each with one caller and with sixteen. What is
    best goes into the archive as tuning.json, and the server takes it from there on machines with
    as many cores; settings in the environment still win. Run it where you serve: on the instance
    type.

    \b
    plumbline tune model.tar.gz --seconds 60
    """  # noqa: D301 - \b keeps click from rewrapping
    environment.quiet_frameworks()
    allocator.reuse_small_blocks_only()
    blas.compute_in_calling_threads()
    console = Console(highlight=False)
    chosen, machine = environment.from_environment(), cgroups.machine()
    with unpacked(archive) as folder:
        found = measured(folder, chosen, machine, seconds, Reporter(console))
        console.print(table(found))
        best = {each: best_for(each, found) for each in GOALS}
        for each in GOALS:
            console.print(verdict(each, best[each], found), soft_wrap=True)
        if not dry_run:
            keep(folder, archive, machine.cores, best, goal, found)
            console.print(f"Kept in {archive}: {settings_of(best[goal])}", soft_wrap=True)


def measured(
    folder: Path, chosen: Settings, machine: cgroups.Machine, seconds: float, reporter: Reporter
) -> list[Measured]:
    """Every combination's figures; loading counts to the time. Raises `EngineError`."""
    start = time.monotonic()
    sizes = chosen.sizes(machine)
    reporter.say("The model is being loaded, once for each engine.")
    with silent_stderr():
        models = list(loaded(folder, chosen, sizes))
    if not models:
        raise EngineError("No engine can serve this archive here; plumbline inspect says more.")
    goldens = open_archive(folder).goldens
    picture = goldens[0].picture if goldens else synthetic.pictures(chosen.limits.formats[0])[0]
    most = picture_slots(machine.memory // sizes.workers)
    tried = list(trials(models, sizes.cores, sizes.slots, most))
    left = seconds - (time.monotonic() - start)
    with reporter.stage("measuring", ROUNDS * len(tried), "loads") as advance:
        return measure(tried, picture, left, advance)


def loaded(folder: Path, chosen: Settings, sizes: Sizes) -> Iterator[Loaded]:
    """The default model by each engine that serves it, that of the server's own choice first."""
    seen = set[str]()
    for engine in ("auto", "openvino", "tensorflow"):
        terms = Terms(limits=chosen.limits, cores=sizes.cores, engine=engine)
        try:
            pipeline = load_models(folder, terms, lambda _: None).default.pipeline
        except EngineError:
            continue
        if pipeline.engine.name in seen:
            continue
        wanted = engine if not seen else pipeline.engine.name
        yield Loaded(pipeline, wanted, default=not seen)
        seen.add(pipeline.engine.name)
        if pipeline.engine.name == OpenVINOEngine.name:
            for streams in fewer(sizes.cores):
                again = load_models(folder, replace(terms, streams=streams), lambda _: None)
                yield Loaded(again.default.pipeline, wanted, streams)


def fewer(cores: int) -> list[int]:
    """Streams of several cores each: a half, a quarter, and so on, down to one stream of all."""
    return [cores >> shift for shift in range(1, cores.bit_length())]


def best_for(goal: str, found: Sequence[Measured]) -> Measured:
    """The best, or the default where that is as good."""
    share = shares(goal, found)
    best = max(found, key=lambda one: share[found.index(one)])
    usual = [one for one in found if one.trial.default]
    return next((one for one in usual if share[found.index(one)] >= CLOSE), best)


def shares(goal: str, found: Sequence[Measured]) -> list[float]:
    """Of each combination, how much of the best it reaches."""
    worth = [one.rate if goal == "throughput" else 1 / one.milliseconds for one in found]
    return [value / max(worth) for value in worth]


def table(found: Sequence[Measured]) -> Table:
    """Every combination, the best first."""
    shown = Table("engine", box=SIMPLE)
    for heading in ("batch", "slots", "one caller, ms", "a crowd, answers/s", ""):
        shown.add_column(heading, justify="right")
    for one in sorted(found, key=lambda one: -one.rate):
        said = [str(one.trial.batch), str(one.trial.slots), f"{one.milliseconds:.1f}"]
        mark = "default" if one.trial.default else ""
        shown.add_row(title(one.trial), *said, f"{one.rate:,.0f}", mark)
    return shown


def verdict(goal: str, best: Measured, found: Sequence[Measured]) -> str:
    """What came of it, in a sentence."""
    share = shares(goal, found)[found.index(best)]
    if best.trial.default:
        return f"The defaults reach {share:.0%} of the best {goal}: they are kept."
    return f"For {goal}, {settings_of(best)} is best."


def settings_of(best: Measured) -> str:
    """The settings as they are written in an environment."""
    return " ".join(f"{name}={value}" for name, value in variables(best).items())


def variables(best: Measured) -> dict[str, str]:
    """The environment variables that make the server work so."""
    trial = best.trial
    values = (trial.loaded.engine, trial.slots, trial.batch, trial.loaded.streams)
    named = zip(tuned.NAMES, values, strict=True)
    return {name: str(value) for name, value in named if value is not None}


def keep(
    folder: Path,
    archive: Path,
    cores: float,
    best: Mapping[str, Measured],
    goal: str,
    found: Sequence[Measured],
) -> None:
    """Write tuning.json into the archive, and into its manifest, if it has one.

    It holds the best for each goal; those of `goal` are what the server takes.
    """
    figures = [
        {
            **variables(one),
            "milliseconds": round(one.milliseconds, 2),
            "answers_per_second": round(one.rate, 1),
        }
        for one in found
    ]
    settings = {each: variables(one) for each, one in best.items()}
    tuned.write(folder, cores, goal, settings, figures)
    if (folder / manifest.FILE).is_file():
        manifest.write(folder)
    if archive.is_file():
        tarball.pack(folder, archive)
