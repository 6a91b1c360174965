"""A training job or a search that is there: started once, watched, ended, and brought up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from deployment.aws.client import Aws
from deployment.aws.refusals import action
from deployment.current import price_list, tags, trainings
from deployment.errors import Misuse, Refused
from deployment.flows import outcome
from deployment.flows.delivery import deliver
from deployment.flows.watch import SearchWatch, Watch, offered
from deployment.plan import endpoint, limits, search, training
from deployment.plan.calls import Call, Look, Plan
from deployment.plan.order import DEFAULT_VARIANT, Archive, Order, RealTime, Variant
from deployment.plan.state import Described
from deployment.plan.training import Training
from deployment.policy import Place, needed, reading
from deployment.terminal import parsing, progress
from deployment.terminal.dry_run import show, show_calls
from deployment.terminal.progress import say, told

COMMANDS = {"training job": "train", "search": "search"}

NOUNS = ("Model", "EndpointConfig", "Endpoint")
"""What an endpoint is made of."""

WATCHING = (
    *("DescribeTrainingJob", "ListTrainingJobs", "StopTrainingJob", "ListTags"),
    *("DescribeHyperParameterTuningJob", "ListHyperParameterTuningJobs"),
    "StopHyperParameterTuningJob",
)
"""What is asked of SageMaker beside the plan."""


PROVING = (
    *(("sagemaker", f"{verb}{noun}") for verb in ("Create", "Describe") for noun in NOUNS),
    *(("sagemaker-runtime", "InvokeEndpoint"), ("s3", "GetObject")),
    *(("logs", "DescribeLogStreams"), ("logs", "GetLogEvents")),
)
"""What --up asks, the golden pictures and the log of a failure included."""


def priced(aws: Aws, made: Training, plan: Plan, jobs: int = 1) -> Plan:
    """The plan, its cost also in figures, where AWS's price list can be asked."""
    figures = price_list.ceiling(aws, made.instance, made.limits.run, jobs, made.limits.warm)
    return replace(plan, cost=(plan.cost[0], figures, *plan.cost[1:]))


def show_plan(aws: Aws, made: Training, plan: Plan, *, up: bool, jobs: int = 1) -> None:
    """The plan, what it costs at most, and the policies that it needs: a person's, and the role's.

    A search has several `jobs`.
    """
    plan = priced(aws, made, plan, jobs)
    calls = [*plan.calls(), *(Call("sagemaker", each, {}) for each in WATCHING)]
    actions = {*map(action, calls), "logs:FilterLogEvents", "sagemaker:AddTags"}
    if up:
        actions |= {action(Call(*each, {})) for each in PROVING}
    own = training.bucket(made)
    place = Place(made.region, made.account, made.role.partition(":role/")[2], own)
    others = {each.url.removeprefix("s3://").partition("/")[0] for each in made.channels}
    read = sorted(others - {own, ""})
    policies = {"person": needed(actions, place, read), "role": reading(read, place)}
    show(plan, policies=policies)


def start(aws: Aws, plan: Plan, kind: str, request: str, bucket: str = "") -> str:
    """Make the job of a plan, unless one of the same request is at work; its name.

    `bucket` is the one that was named for its data. Raises `Refused` where another job is at work
    under the name.
    """
    name = plan.name
    if known := trainings.at_work(aws, name, kind):
        noun = trainings.KINDS[kind][2]
        arn = trainings.described(aws, kind, known)[f"{noun}Arn"]
        if tags.request_of(aws, arn) != request:
            raise Refused(
                f"The {kind} {known} is at work, and was asked for something else. --stop ends it, "
                "--follow watches it; or give this one another name.",
                "taken",
            )
        say(f"The {kind} {known} was asked for just this, and is at work.")
        return known
    for sentence in plan.cost:
        say(sentence)
    performer = progress.performer(aws)
    place = f" --bucket {bucket}" if bucket else ""
    with told(performer, f"python deploy.py down {name} {aws.where} --data{place}"):
        performer.perform(plan)
    [*_, last] = plan.steps
    job = last.what.rpartition(" ")[2]
    say(f"The {kind} {job} has begun.")
    return job


def newest(aws: Aws, name: str, kind: str, *, dry_run: bool) -> Described | None:
    """The newest as AWS describes it; None, and the call that asks, where nothing is to be done.

    Raises `Refused` where there is none.
    """
    if dry_run:
        module = search if kind == "search" else training
        show_calls(name, aws.region, [module.look_at(name).call])
        return None
    found: Described = trainings.newest(aws, name, kind)
    return found


def take_up(aws: Aws, name: str, kind: str, asked: Mapping[str, Any]) -> None:
    """Watch the newest, and bring up what it made."""
    heeded = ("follow", "up", "no_check", "tags")
    refuse_idle(asked, "--follow or --up without --data", heeded)
    if found := newest(aws, name, kind, dry_run=asked["dry_run"]):
        go_on(aws, name, kind, found[f"{trainings.KINDS[kind][2]}Name"], asked)


def go_on(aws: Aws, name: str, kind: str, job: str, asked: Mapping[str, Any]) -> None:
    """Watch a job to its end, and bring its model up, as far as that is asked for."""
    command = f"{COMMANDS[kind]} {name}"
    if not (asked["follow"] or asked["up"]):
        say("This watches it, says how it is, and ends it:")
        for option in ("--follow", "--status", "--stop"):
            say(f"  python deploy.py {command} {option} {aws.where}")
        return
    with offered(aws, command, f"The {kind} {job}", up=asked["up"]):
        if kind == "search":
            ended = SearchWatch(aws, job).until_end()
        else:
            ended = Watch(aws, job, aloud=asked["follow"]).until_end()
    best = outcome.best(aws, ended) if kind == "search" else ended
    model = outcome.conclude(aws, best, early=kind == "search")
    if asked["up"]:
        again = f"python deploy.py {command} --up {aws.where}"
        deliver(aws, order(aws, name, best, asked), skip=asked["no_check"], again=again)
    else:
        say("This deploys it:")
        say(f"  python deploy.py {command} --up {aws.where}")
        say(f"  python deploy.py update {name} --model {model} {aws.where}  # if it runs already")


def order(aws: Aws, name: str, job: Described, asked: Mapping[str, Any]) -> Order:
    """The endpoint that serves a job's model: by the same image and in the same role."""
    archive = Archive(url=job["ModelArtifacts"]["S3ModelArtifacts"])
    return limits.check(
        Order(
            name,
            aws.region,
            role=job["RoleArn"],
            image=job["AlgorithmSpecification"]["TrainingImage"],
            variants=(Variant(DEFAULT_VARIANT, archive),),
            kind=RealTime(asked["endpoint_instance"]),
            tags=parsing.tags(asked["tags"]),
            routing=parsing.ROUTINGS["least"],
        )
    )


def refuse_endpoint(aws: Aws, name: str) -> None:
    """Raise `Refused` where --up would find an endpoint that runs something else."""
    if aws.look(Look(endpoint.look_at(name).call)) is not None:
        raise Refused(
            f"There is an endpoint {name} in {aws.region} already, and --up makes a new one. Leave "
            f"--up out; `python deploy.py update {name} --model s3://…` then takes the new model.",
            "taken",
        )


def end(aws: Aws, name: str, kind: str, *, dry_run: bool) -> None:
    """Stop the one that is at work. Raises `Refused` where none is."""
    job = trainings.at_work(aws, name, kind)
    if not job:
        raise Refused(f"No {kind} of {name} is at work in {aws.region}.", "not found")
    module = search if kind == "search" else training
    plan = module.plan_stop(name, aws.region, job)
    if dry_run:
        show(plan)
        return
    progress.performer(aws).perform(plan)
    say(f"Stopped: {job}. {plan.cost[0]}")


def refuse_idle(asked: Mapping[str, Any], needed_by: str, allowed: tuple[str, ...]) -> None:
    """Raise `Misuse` for options that would be ignored; `allowed` are those that are heeded."""
    always = ("dry_run", "region", "profile", "instance", "endpoint_instance", "parallel")
    ignored = [
        option
        for option, value in asked.items()
        if value and option not in (*allowed, *always, "strategy")
    ]
    if ignored:
        option = WRITTEN.get(ignored[0], ignored[0].replace("_", "-"))
        raise Misuse(f"--{option} is of no use with {needed_by}: leave one of the two out.")


WRITTEN = {
    "given": "set",
    "metrics": "metric",
    "ranges": "range",
    "choices": "choose",
    "tags": "tag",
}
"""Options that are kept by other names."""
