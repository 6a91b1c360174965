"""`deploy.py scan`: the known vulnerabilities in an image, as Amazon ECR has found them."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

import click

from deployment.aws.client import Aws
from deployment.current.findings import RUNNING, SCANNED, SEVERITIES, Finding, Image, Scan, scanned
from deployment.errors import NotScanned, Vulnerable
from deployment.terminal.dry_run import show_calls
from deployment.terminal.options import DRY_RUN, WHERE, connect, options
from deployment.terminal.progress import say

PAUSE = 5.0
"""Seconds between two looks at a scan that is running."""

NEVER = "never"


@click.command()
@click.argument("image")
@click.option(
    "--fail-on",
    type=click.Choice([*map(str.lower, SEVERITIES[:4]), NEVER]),
    default="high",
    show_default=True,
    help="The lowest severity that ends with exit status 9.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=300.0,
    show_default=True,
    help="Seconds to wait for a scan that has not ended.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts: a line of JSON each.")
@options(DRY_RUN, WHERE)
def scan(image: str, fail_on: str, wait: float, as_json: bool, **asked: Any) -> None:
    """Show the vulnerabilities that Amazon ECR has found in IMAGE, the most severe first.

    IMAGE is the URI that build_and_push.sh prints; its repositories scan each image that is
    pushed. Exit status 0: nothing of --fail-on or worse was found; 9: something was; 10: there is
    no finished scan.

    \b
    python deploy.py scan "$image"
    python deploy.py scan "$image" --fail-on critical
    """  # noqa: D301 - \b keeps click from rewrapping
    wanted = Image(image)
    aws = connect({**asked, "region": asked["region"] or wanted.region})
    if asked["dry_run"]:
        show_calls("", aws.region, [wanted.call])
        return
    found = ended(aws, wanted, wait)
    if found.status not in SCANNED:
        raise NotScanned(f"Amazon ECR has no findings for {image}: {why(found)}")
    for each in found.findings:
        click.echo(json.dumps(asdict(each)) if as_json else str(each))
    say(summary(found.findings))
    if severe := at_least(found.findings, fail_on):
        raise Vulnerable(
            f"{image} has {len(severe)} of severity {fail_on} or worse. Build and push the image "
            "again, which installs Debian's and the lock's updated packages (`make lock "
            "LOCK_FLAGS=--upgrade` updates the lock), or raise --fail-on."
        )


def ended(aws: Aws, image: Image, seconds: float) -> Scan:
    """The scan when it has ended, or as it is after these seconds."""
    until = time.monotonic() + seconds
    told = False
    while (found := scanned(aws, image)).status in RUNNING and time.monotonic() < until:
        if not told:
            say("The scan is running; this takes a minute or two.")
            told = True
        time.sleep(PAUSE)
    return found


def why(found: Scan) -> str:
    """Why there are no findings, and what to do."""
    if found.status in RUNNING:
        return "the scan is still running. Ask again, or with a longer --wait."
    if found.status == "NOT_SCANNED":
        return (
            "it was not scanned. Turn on scanning when pushed in the repository's settings and "
            "push again; repositories that build_and_push.sh made have it on."
        )
    return f"the scan's status is {found.status}. {found.description}".rstrip()


def at_least(findings: tuple[Finding, ...], severity: str) -> list[Finding]:
    """Those of a severity or worse."""
    if severity == NEVER:
        return []
    counted = SEVERITIES[: SEVERITIES.index(severity.upper()) + 1]
    return [each for each in findings if each.severity in counted]


def summary(findings: tuple[Finding, ...]) -> str:
    """How many there are of each severity, in a sentence."""
    counts = Counter(each.severity for each in findings)
    told = ", ".join(f"{counts[name]} {name.lower()}" for name in SEVERITIES if counts[name])
    if not told:
        return "Amazon ECR found no known vulnerabilities."
    noun = "vulnerability" if len(findings) == 1 else "vulnerabilities"
    return f"Amazon ECR found {len(findings)} known {noun}: {told}."
