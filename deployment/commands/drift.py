"""`deploy.py drift`: how far pictures and answers have moved since the model was packed."""

from __future__ import annotations

import re
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from deployment.aws import s3
from deployment.aws.client import Aws
from deployment.current import captured
from deployment.current.running import read, refuse_component
from deployment.errors import Misuse
from deployment.plan.calls import Call
from deployment.plan.order import Order, Variant
from deployment.plan.state import Running
from deployment.proof.inspection import plumbline
from deployment.terminal.dry_run import show_calls
from deployment.terminal.options import DRY_RUN, NAME, WHERE, connect, options
from deployment.terminal.progress import say

MOST_BYTES = 1024**3
"""Of captured requests that are fetched: the newest of them."""

ARCHIVES = (".tar.gz", ".tgz")

UNITS = {"h": 1, "d": 24}

HERE = (
    "Copy what it has captured to a folder, `aws s3 sync s3://… captured`, and compare that: "
    "`plumbline drift model.tar.gz captured`."
)


@click.command()
@options(NAME)
@click.option("--since", default="7d", show_default=True, help="How far back: 12h, 7d.")
@click.option("--variant", help="The variant whose requests are read.  [default: the first]")
@click.option(
    "--model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The archive, if it lies here: it need not be fetched.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The page.  [default: NAME-drift.html]",
)
@click.option(
    "--most",
    type=click.IntRange(1, 1_000_000),
    default=2000,
    show_default=True,
    help="So many pictures are looked at, the newest.",
)
@click.option(
    "--at-most",
    type=click.FloatRange(0),
    help="Exit with 1 where an index is higher, and higher than by chance.",
)
@options(DRY_RUN, WHERE)
def drift(
    name: str, since: str, variant: str | None, model: Path | None, out: Path | None, **asked: Any
) -> None:
    """Say how far the pictures and answers of NAME have moved since its model was packed.

    Reads what `up --capture` or `update --capture` lets SageMaker keep in S3, and compares it with
    what `plumbline pack` has written into the archive. Prints the population stability index of
    each quantity, and writes a page with the most unusual pictures. `plumbline drift` does the same
    with an archive and a folder of this machine.

    \b
    python deploy.py drift cats --since 7d
    python deploy.py drift cats --since 12h --model model.tar.gz --out today.html
    """  # noqa: D301 - \b keeps click from rewrapping
    begins = datetime.now(UTC) - timedelta(hours=hours(since))
    aws = connect(asked)
    running = read(aws, name)
    refuse_component(running, HERE)
    chosen = variant_of(running, variant)
    if not model and not chosen.archive.url.endswith(ARCHIVES):
        raise Misuse(
            f"{name} runs {chosen.archive.url or 'a version of the model registry'}, which is no "
            "single archive: name the one to compare with, --model model.tar.gz."
        )
    listing = captured.listing(captures(running.order), name, chosen.name, begins)
    if asked["dry_run"]:
        show_calls(name, aws.region, [listing, *fetching(chosen, model)])
        return
    found = captured.files(aws, listing)
    if not found:
        raise Misuse(
            f"Nothing was captured of {name}'s variant {chosen.name} since {begins:%Y-%m-%d %H:00} "
            f"UTC: there are no files at s3://{listing.parameters['Bucket']}/"
            f"{listing.parameters['Prefix']}. Ask the endpoint something, which shows after some "
            "minutes, or look farther back with --since 30d."
        )
    kept = captured.within(found, MOST_BYTES)
    if len(kept) < len(found):
        say(f"Of {len(found):,} files the newest {len(kept):,} are read.")
    with tempfile.TemporaryDirectory(prefix="plumbline-drift-") as work:
        folder = Path(work)
        archive = model or fetched(aws, chosen, folder)
        captured.fetch(aws, kept, folder / "captured")
        words = ["--most", asked["most"], "--out", out or Path(f"{name}-drift.html")]
        if asked["at_most"] is not None:
            words += ["--at-most", asked["at_most"]]
        done = plumbline("drift", *map(str, (archive, folder / "captured", *words)), shown=True)
    sys.exit(done.returncode)


def hours(text: str) -> int:
    """7d or 12h. Raises `Misuse`."""
    found = re.fullmatch(r"([1-9][0-9]{0,3})([hd])", text.strip())
    if not found:
        raise Misuse(f"--since {text}: hours or days, such as 12h or 7d.")
    return int(found[1]) * UNITS[found[2]]


def variant_of(running: Running, name: str | None) -> Variant:
    """The variant of this name, or the first. Raises `Misuse`."""
    there = running.order.variants
    for each in there:
        if name in (None, each.name):
            return each
    listed = ", ".join(each.name for each in there)
    raise Misuse(f"{running.order.name} has no variant {name}; it has {listed}.")


def captures(order: Order) -> str:
    """Where requests are kept. Raises `Misuse` where they are not."""
    if order.capture is None:
        raise Misuse(
            f"No requests of {order.name} are kept, so nothing is known of them. From now on: "
            f"python deploy.py update {order.name} --capture s3://my-bucket/captured/"
        )
    return order.capture.url


def fetching(variant: Variant, model: Path | None) -> list[Call]:
    """The call that fetches the archive, unless it lies here."""
    bucket, key = s3.place(variant.archive.url)
    return [] if model else [Call("s3", "GetObject", {"Bucket": bucket, "Key": key})]


def fetched(aws: Aws, variant: Variant, folder: Path) -> Path:
    """The archive that a variant runs."""
    file = folder / "model.tar.gz"
    s3.download(aws, variant.archive.url, file)
    return file
