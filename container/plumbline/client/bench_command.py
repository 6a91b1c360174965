"""`plumbline bench`, its command line."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from plumbline.client import bench as benching
from plumbline.client.base import Server, check_url
from plumbline.client.bench import Order
from plumbline.client.commands import PICTURE, leave, say
from plumbline.client.files import write_whole
from plumbline.client.load_generator import PERCENTILES, Run
from plumbline.client.local_server import served

COLUMNS = (
    "connections",
    "requests/s",
    *(f"p{each} ms" for each in PERCENTILES),
    "errors",
    "client",
)

MOST_CONNECTIONS = 1024

NOTICEABLE = 0.2
"""The share of a machine's cores that asking may take before it is said."""


def counts(_context: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    """1,4,16 → those numbers, each once, the smallest first."""
    try:
        numbers = sorted({int(each) for each in text.split(",")})
    except ValueError:
        numbers = [0]
    if not 1 <= numbers[0] <= numbers[-1] <= MOST_CONNECTIONS:
        raise click.BadParameter(f"it must be numbers from 1 to {MOST_CONNECTIONS}, like 1,4,16")
    return tuple(numbers)


@click.command()
@click.argument("target")
@click.option("--picture", "pictures", type=PICTURE, multiple=True, required=True, help="To send.")
@click.option(
    "--connections",
    default="1,4,16",
    show_default=True,
    callback=counts,
    help="Concurrent connections, one load after the other.",
)
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Of each load."
)
@click.option(
    "--p95",
    type=click.FloatRange(0, min_open=True),
    default=200.0,
    show_default=True,
    help="The highest p95 latency in milliseconds.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The file for deploy.py.")
def bench(
    target: str,
    pictures: tuple[Path, ...],
    connections: tuple[int, ...],
    seconds: float,
    p95: float,
    out: Path | None,
) -> None:
    """Measure the throughput and latency of TARGET.

    TARGET is the URL of a running server, or a model.tar.gz or a folder, which is then served here
    for as long as it takes. Every load keeps so many connections busy with the pictures in turn.
    What counts is the fastest load under which everything was answered and 95 of 100 requests
    within --p95. The exit status is 1 if there is none.

    \b
    plumbline bench model.tar.gz --picture cat.jpg
    plumbline bench http://127.0.0.1:8080 --picture cat.jpg --picture dog.jpg --p95 100
    plumbline bench model.tar.gz --picture cat.jpg --out bench.json
    python deploy.py up cats … --autoscale 1:4 --benchmark bench.json
    """  # noqa: D301 - \b keeps click from rewrapping
    signal.signal(signal.SIGTERM, leave)
    console = Console(stderr=True)
    order = Order(pictures, connections, seconds, p95)
    with served_at(target, console) as server:
        click.echo(line(COLUMNS))
        runs = benching.bench(server, order, lambda run: click.echo(line(cells(run))))
        found = benching.document(server, target, order, runs)
    if out is not None:
        write_whole(out, f"{json.dumps(found, indent=2)}\n".encode())
    machine = found["machine"]
    say_how_it_went(console, runs, p95, machine["cores"] if machine else None)
    if found["sustained"] is None:
        sys.exit(1)


@contextmanager
def served_at(target: str, console: Console) -> Iterator[Server]:
    """The server that is asked; started here for an archive."""
    if Path(target).exists():
        say(console, f"Serving {target} …")
        with served(Path(target)) as url:
            yield Server(url)
        return
    if "://" not in target:
        raise misused(f"{target} is no file or folder here; a URL is like http://127.0.0.1:8080.")
    try:
        check_url(target)
    except ValueError as exc:
        raise misused(f"{target} is no URL: {exc}.") from exc
    yield Server(target)


def misused(what: str) -> click.BadParameter:
    """The error for a target that can't be one."""
    return click.BadParameter(what, param_hint="TARGET")


def cells(run: Run) -> tuple[str, ...]:
    """One load in the table."""
    times = [f"{run.latencies[each]:.1f}" if run.latencies else "–" for each in PERCENTILES]
    wrong = ", ".join(f"{count} {code}" for code, count in run.errors.items())
    return (
        str(run.connections),
        f"{run.rate:.1f}",
        *times,
        wrong or "0",
        f"{run.client_cores:.2f} cores",
    )


def line(texts: tuple[str, ...]) -> str:
    """One line of the table."""
    return " ".join(f"{text:>11}" for text in texts)


def say_how_it_went(console: Console, runs: list[Run], p95: float, cores: float | None) -> None:
    """What the figures come to; the cores are those that client and server share, if they do."""
    best = benching.sustained(runs, p95)
    if best is None:
        say(console, f"Under no load were 95 of 100 requests answered within {p95:g} ms, and all.")
    else:
        say(
            console,
            f"{best.rate:.1f} requests a second with {best.connections} connections: "
            f"all were answered, 95 of 100 within {best.latencies[95]:.1f} ms.",
        )
    if cores is None:
        return
    say(console, f"Measured on this machine, whose {cores:g} cores client and server shared.")
    if max(run.client_cores for run in runs) > NOTICEABLE * cores:
        say(console, "Asking took a good part of them: the server alone does more than this.")
