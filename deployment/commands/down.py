"""`deploy.py down`: remove all that was made for a name."""

from __future__ import annotations

from itertools import chain
from typing import Any

import click

from deployment import names
from deployment.aws.client import Aws
from deployment.current import inventory
from deployment.errors import Misuse, Refused
from deployment.plan import limits, teardown
from deployment.plan.state import Existing
from deployment.terminal import progress
from deployment.terminal.dry_run import show
from deployment.terminal.options import DRY_RUN, NAME, WHERE, connect, options
from deployment.terminal.progress import say


@click.command()
@options(NAME)
@click.option("--data", is_flag=True, help="Also archives and requests in S3, and the logs.")
@click.option(
    "--bucket", multiple=True, help="The bucket that `up` was given, if it was given one."
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@options(DRY_RUN, WHERE)
def down(name: str, data: bool, bucket: tuple[str, ...], yes: bool, **asked: Any) -> None:
    """Remove the endpoint NAME and everything that was created for it.

    This ends the bill: instances, configurations, models, scaling and alarms, running training jobs
    and searches. Archives and data in S3, logs, and SageMaker's records of finished jobs are kept,
    unless you pass --data. Whatever is left afterwards is listed.

    \b
    python deploy.py down cats
    python deploy.py down cats --data --yes
    """  # noqa: D301 - \b keeps click from rewrapping
    for problem in chain.from_iterable(map(limits.bucket_problems, bucket)):
        raise Misuse(problem)
    aws = connect(asked)
    found = look(aws, name, bucket)
    plan = teardown.plan_down(found, aws.region, data=data)
    if asked["dry_run"]:
        show(plan)
        return
    if not plan.steps:
        say(f"There is nothing of {name} in {aws.region} that could cost anything.")
    else:
        agree(found, data=data, yes=yes)
        ending = teardown.plan_ending(found, aws.region)
        if ending.steps:
            progress.performer(aws).perform(ending)
            found = look(aws, name, bucket)  # with what the jobs have written to their end
            plan = teardown.plan_down(found, aws.region, data=data)
        progress.performer(aws).perform(plan)
    tell_what_stays(aws, inventory.find(aws, name, found.buckets), data=data)


def look(aws: Aws, name: str, buckets: tuple[str, ...]) -> Existing:
    """What there is; archives lie in the buckets that were named, or in the account's own."""
    own = (names.default_bucket(aws.region, aws.account()),)
    return inventory.find(aws, name, buckets or own)


def agree(found: Existing, *, data: bool, yes: bool) -> None:
    """Ask, unless --yes says that it need not be asked."""
    say("This will be removed:")
    for step in teardown.plan_down(found, "", data=data).steps:
        say(f"  {step.what}")
    if not yes:
        click.confirm("Remove all of it?", abort=True, err=True)


def tell_what_stays(aws: Aws, left: Existing, *, data: bool) -> None:
    """What is there now. Raises `Refused` if that is something that was to go."""
    lines = list(teardown.in_words(left))
    if left.running or (data and left.data):
        raise Refused("Still there: " + "; ".join(lines) + ". Give the same command again.")
    for problem in left.unseen:
        say(f"It can't be seen whether data is left. {problem}")
    if data and left.unseen:
        raise Refused("Data may be left; the reason is above.", "unseen")
    if lines:
        places = "".join(f" --bucket {bucket}" for bucket in left.buckets)
        say(f"Still there, as data: {'; '.join(lines)}. This removes it, too:")
        say(f"  python deploy.py down {left.name} --data{places} {aws.where}")
    elif not left.unseen:
        say(f"Nothing of {left.name} is left.")
