"""`plumbline tune`: measure this machine, and keep what is best in the archive."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from plumbline.archive import manifest, tarball, tuning_file
from plumbline.archive.contents import open_archive
from plumbline.archive.tarball import unpacked
from plumbline.client.tuning.server_trials import Measured, measure
from plumbline.client.tuning.setting_combinations import OPENVINO, TENSORFLOW, Trial, trials
from plumbline.machine import cgroups
from plumbline.machine.sizing import Sizes
from plumbline.packing.progress_bar import Reporter
from plumbline.settings import environment
from plumbline.settings.server_settings import Settings
from plumbline.vision import synthetic_pictures

GOALS = ("throughput", "latency")

CLOSE = 0.9
"""The share of the best at which the defaults are as good: the measurement is no finer."""

FIRST_ROUND = 0.6
"""The share of the time for all combinations; the rest is for those that may be the best.

The best of many short measurements is one that luck has helped.
"""


@click.command()
@click.argument("archive", type=click.Path(exists=True, path_type=Path))
@click.option("--seconds", default=60.0, show_default=True, help="The time to measure for.")
@click.option(
    "--for",
    "goal",
    type=click.Choice(GOALS),
    default=GOALS[0],
    show_default=True,
    help="Optimise for throughput, or for the latency of one caller.",
)
@click.option("--dry-run", is_flag=True, help="Measure, and leave the archive as it is.")
def tune(archive: Path, seconds: float, goal: str, dry_run: bool) -> None:
    """Find the fastest settings for ARCHIVE (a model.tar.gz or a folder) on this machine.

    Servers are started in turn, with other engines, processes, slots, batches and streams; each is
    asked by one caller and by sixteen. What is best goes into the archive as tuning.json, and the
    server takes it from there on machines with as many cores; settings in the environment still
    win. Run it where you serve: on the instance type.

    \b
    plumbline tune model.tar.gz --seconds 60
    """  # noqa: D301 - \b keeps click from rewrapping
    console = Console(highlight=False)
    machine = cgroups.machine()
    with unpacked(archive) as folder:
        found, finals = measured(folder, machine, seconds, Reporter(console))
        console.print(table(found))
        best = {each: best_for(each, finals) for each in GOALS}
        for each in GOALS:
            console.print(verdict(each, best[each], finals), soft_wrap=True)
        if not dry_run:
            keep(folder, archive, machine.cores, best, goal, found)
            console.print(f"Kept in {archive}: {settings_of(best[goal])}.", soft_wrap=True)


def measured(
    folder: Path, machine: cgroups.Machine, seconds: float, reporter: Reporter
) -> tuple[list[Measured], list[Measured]]:
    """Every combination's figures, and of those the ones that were measured twice.

    Starting the servers counts to the time.
    """
    begun = time.monotonic()
    chosen = environment.untuned(folder)
    goldens = open_archive(folder, allow_ops=chosen.allow_ops).goldens
    picture = (
        goldens[0].picture if goldens else synthetic_pictures.pictures(chosen.limits.formats[0])[0]
    )
    tried = trials(machine, default(chosen, chosen.sizes(machine)))
    with reporter.stage("measuring", len(tried), "servers") as advance:
        found = measure(folder, tried, picture, FIRST_ROUND * seconds, advance)
    if len(again := finalists(found)) == 1:
        return found, found
    with reporter.stage("measuring the best again", len(again), "servers") as advance:
        rest = begun + seconds - time.monotonic()
        finals = measure(folder, again, picture, rest, advance)
    sure = {one.trial: one for one in finals}
    return [sure.get(one.trial, one) for one in found], finals


def finalists(found: Sequence[Measured]) -> list[Trial]:
    """The default, and what has done best for each goal."""
    default = [one for one in found if one.trial.default]
    return list(dict.fromkeys(one.trial for one in (*default, *(leader(g, found) for g in GOALS))))


def default(chosen: Settings, sizes: Sizes) -> Trial:
    """What the server does by itself."""
    streams = chosen.streams or sizes.cores
    return Trial(
        chosen.engine, sizes.workers, sizes.slots, streams, chosen.most_together, default=True
    )


def best_for(goal: str, found: Sequence[Measured]) -> Measured:
    """The best, or the default where that is as good."""
    best = leader(goal, found)
    usual = (one for one in found if one.trial.default)
    return next((one for one in usual if worth(goal, one) >= CLOSE * worth(goal, best)), best)


def leader(goal: str, found: Sequence[Measured]) -> Measured:
    """The one with the best figures."""
    return max(found, key=partial(worth, goal))


def worth(goal: str, one: Measured) -> float:
    """What counts for a goal: the more, the better."""
    return one.rate if goal == "throughput" else 1 / one.milliseconds


def table(found: Sequence[Measured]) -> Table:
    """Every combination, the one that answers most first: a lone caller's wait, a crowd's rate."""
    shown = Table(box=SIMPLE)
    shown.add_column("engine", no_wrap=True)
    for heading in ("workers", "slots", "batch", "streams"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for heading in ("alone ms", "requests/s", ""):
        shown.add_column(heading, justify="right", no_wrap=True)
    for one in sorted(found, key=lambda one: -one.rate):
        trial = one.trial
        batch = "" if trial.engine == OPENVINO else trial.batch
        streams = "" if trial.engine == TENSORFLOW else trial.streams
        sizes = (trial.workers, trial.slots, batch, streams)
        figures = (f"{one.milliseconds:.1f}", f"{one.rate:,.0f}")
        mark = "default" if trial.default else ""
        shown.add_row(trial.engine, *map(str, sizes), *figures, mark)
    return shown


def verdict(goal: str, best: Measured, found: Sequence[Measured]) -> str:
    """What came of it, in a sentence."""
    share = worth(goal, best) / worth(goal, leader(goal, found))
    if best.trial.default:
        return f"The defaults reach {share:.0%} of the best {goal}: they are kept."
    return f"For {goal}, {settings_of(best)} is best."


def settings_of(best: Measured) -> str:
    """The settings as they are written in an environment."""
    written = " ".join(f"{name}={value}" for name, value in variables(best).items())
    return written or "the defaults"


def variables(best: Measured) -> Mapping[str, str]:
    """What an archive brings: nothing where the defaults are best."""
    return {} if best.trial.default else best.trial.settings


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
            **one.trial.settings,
            "milliseconds": round(one.milliseconds, 2),
            "answers_per_second": round(one.rate, 1),
        }
        for one in found
    ]
    settings = {each: variables(one) for each, one in best.items()}
    tuning_file.write(folder, cores, goal, settings, figures)
    if (folder / manifest.FILE).is_file():
        manifest.write(folder)
    if archive.is_file():
        tarball.pack(folder, archive)
