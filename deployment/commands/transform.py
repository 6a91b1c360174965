"""`deploy.py transform`: a folder in S3, answered in bulk."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import click

from deployment import names
from deployment.aws import service_model
from deployment.aws.client import Aws
from deployment.aws.performer import Performer
from deployment.current import cloudwatch, jobs
from deployment.current.running import read, refuse_component
from deployment.errors import DeploymentError, EndpointFailed, Misuse, Refused
from deployment.flows import preflight
from deployment.plan import batch, limits
from deployment.plan.amendment import Changes, changed
from deployment.plan.batch import Job
from deployment.plan.endpoint import look_at
from deployment.plan.order import DEFAULT_VARIANT, Order, Variant
from deployment.proof import golden
from deployment.terminal import parsing, progress
from deployment.terminal.dry_run import show
from deployment.terminal.options import BATCH, CHECK, DRY_RUN, NAME, WHERE, connect, options
from deployment.terminal.progress import say

LINES = 15
"""Of the log that are shown where files could not be answered."""

UNDER_ANOTHER = (
    "Give the job a name of its own, and say what answers: `python deploy.py transform "
    "{name}-batch S3_IN S3_OUT --image URI --model model.tar.gz --role ARN`."
)


@click.command()
@options(NAME)
@click.argument("source", metavar="S3_IN")
@click.argument("target", metavar="S3_OUT")
@options(BATCH, CHECK, DRY_RUN, WHERE)
def transform(name: str, source: str, target: str, **asked: Any) -> None:
    """Run a batch transform: predict every picture under S3_IN, into S3_OUT.

    Instances start, send each file to the model of the endpoint NAME, write the prediction to
    FILE.out, and are released. Without an endpoint of that name, pass --image, --model and --role.
    Files without a prediction are listed on standard output, one per line; the exit status is 1.

    While the job runs, the same command waits for that job; --stop stops it.

    \b
    python deploy.py transform cats s3://my-bucket/photos/ s3://my-bucket/answers/
    python deploy.py transform cats s3://my-bucket/photos/ s3://my-bucket/answers/ --dry-run
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    job = batch.check(
        Job(
            source,
            target,
            asked["instance"],
            asked["count"],
            asked["concurrency"],
            asked["payload_mb"],
            asked["accept"] or "",
            asked["lines"],
            asked["kms_key"] or "",
            asked["kms_data"] or "",
        )
    )
    job = replace(job, source=jobs.with_slash(aws, job))
    if asked["stop"]:
        stop(aws, name, job, dry_run=asked["dry_run"])
        return
    order = ordered(aws, name, asked)
    known = next((each for each in jobs.at_work(aws, name) if jobs.same(each, job)), None)
    title = known["TransformJobName"] if known else names.timed(name, datetime.now(UTC))
    plan = batch.plan_job(order, job, title)
    service_model.check(aws, plan)
    if asked["dry_run"]:
        show(plan, order)
        return
    preflight.introduce(aws, order, plan.cost)
    if not (asked["no_check"] or known):
        preflight.check_batch(aws, order, job)
    Run(progress.performer(aws), order, job, title).go(skip=asked["no_check"])


def ordered(aws: Aws, name: str, asked: Mapping[str, Any]) -> Order:
    """The endpoint's model, with what was named instead; without an endpoint, what was named."""
    there = aws.look(look_at(name)) is not None
    refuse_idle(name, asked, there=there)
    archive = parsing.archive(asked["model"]) if asked["model"] else None
    environment = parsing.environment(asked["env"])
    image, bucket = asked["image"] or "", asked["bucket"] or ""
    tags = parsing.tags(asked["tags"])
    if there:
        running = read(aws, name)
        refuse_component(running, UNDER_ANOTHER)
        chosen = one_variant(running.order, asked["variant"])
        changes = Changes(archive, image=image, environment=environment, bucket=bucket, tags=tags)
        return changed(replace(running, order=chosen), changes)
    if not (archive and image and asked["role"]):
        raise Misuse(
            f"There is no endpoint {name} in {aws.region} whose model could be taken. Say which: "
            "--image URI --model model.tar.gz --role ARN."
        )
    only = (Variant(DEFAULT_VARIANT, archive),)
    return limits.check(
        Order(
            name,
            aws.region,
            asked["role"],
            image,
            only,
            bucket=bucket,
            environment=environment,
            tags=tags,
        )
    )


def refuse_idle(name: str, asked: Mapping[str, Any], *, there: bool) -> None:
    """Raise `Misuse` for an option that would be ignored."""
    if there and asked["role"]:
        raise Misuse(f"--role is for models without an endpoint, and {name} has its own role.")
    if not there and asked["variant"]:
        raise Misuse(f"--variant is one of an endpoint, and there is no endpoint {name}.")


def one_variant(order: Order, wanted: str | None) -> Order:
    """The order of one variant alone. Raises `Misuse`."""
    found = [each for each in order.variants if each.name == (wanted or order.variants[0].name)]
    if not found:
        listed = ", ".join(each.name for each in order.variants)
        raise Misuse(f"{order.name} has no variant {wanted}; it has {listed}.")
    return replace(order, variants=tuple(found), shadow=None)


def stop(aws: Aws, name: str, job: Job, *, dry_run: bool) -> None:
    """End the job that does this. Raises `Refused` where there is none."""
    known = [each["TransformJobName"] for each in jobs.at_work(aws, name) if jobs.same(each, job)]
    if not known:
        raise Refused(f"No job of {name} is at work on {job.source}.", "not found")
    plan = batch.plan_stop(name, aws.region, known)
    if dry_run:
        show(plan)
        return
    progress.performer(aws).perform(plan)
    say(f"Stopped. What was answered by then stays in {job.target}.")


@dataclass
class Run:
    """A job from its beginning to the list of what it could not answer."""

    performer: Performer
    order: Order
    job: Job
    title: str
    told: str = ""

    def go(self, *, skip: bool) -> None:
        """Raise `DeploymentError` where something stays without an answer."""
        wanted = jobs.inputs(self.performer.aws, self.job)
        plan = batch.plan_job(self.order, self.job, self.title)
        self.performer.meanwhile = lambda found: self.progress(found, wanted)
        with golden.inspected(self.performer.aws, self.order, skip=skip or not self.local):
            try:
                self.performer.perform(plan)
            except BaseException:
                self.offer()
                raise
        self.conclude(wanted)

    @property
    def local(self) -> bool:
        """Whether the archive comes from here; one that an endpoint runs was looked into."""
        return any(each.archive.file for each in self.order.variants)

    def progress(self, found: Mapping[str, Any], wanted: Mapping[str, str]) -> None:
        """How many answers there are by now."""
        there = jobs.outputs(self.performer.aws, self.job.target, found["CreationTime"])
        count = len(there & set(wanted))
        told = f"{count:,} of {len(wanted):,} files are answered"
        if count and told != self.told:
            say(told)
        self.told = told

    def offer(self) -> None:
        """What stops the job; it does not stop by itself."""
        if f"job {self.title}" in (*self.performer.done, self.performer.begun):
            command = shlex.join(
                ("transform", self.order.name, self.job.source, self.job.target, "--stop")
            )
            stands = "may be at work" if self.performer.begun else "goes on"
            say(f"The job {self.title} {stands}; the same command waits for it again.")
            say("This stops it, and its bill:")
            say(f"  python deploy.py {command} {self.performer.aws.where}")

    def conclude(self, wanted: Mapping[str, str]) -> None:
        """What was answered, and what was not."""
        aws = self.performer.aws
        ended = aws.look(batch.look_at(self.title))
        there = jobs.outputs(aws, self.job.target, ended["CreationTime"])
        failures = list(self.failures(wanted, there))
        for failure in failures:
            click.echo(failure)
        count = len(there & set(wanted))
        say(f"{count:,} of {len(wanted):,} files are answered in {self.job.target}")
        if ended["TransformJobStatus"] == "Completed" and not failures:
            return
        for line in cloudwatch.of_job(aws, self.title, LINES):
            say(f"  {line}")
        if not count:
            raise EndpointFailed(self.reason(ended))
        raise DeploymentError(
            f"{len(failures):,} could not be answered; they are listed above. {self.reason(ended)}"
        )

    def failures(self, wanted: Mapping[str, str], there: set[str]) -> Iterator[str]:
        """The files without an answer, and of files of lines the lines."""
        for out, url in wanted.items():
            if out not in there:
                yield f"{url}: no answer"
            elif self.job.lines:
                answer = f"{self.job.target.rstrip('/')}/{out}"
                for line in jobs.wrong_lines(self.performer.aws, answer):
                    yield f"{url}: {line}"

    def reason(self, ended: Mapping[str, Any]) -> str:
        """How the job ended, as SageMaker says it."""
        said = " ".join(str(ended.get("FailureReason") or "").split())
        return f"The job {self.title}: {ended['TransformJobStatus']}. {said}".rstrip()
