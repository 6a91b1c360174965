"""`deploy.py status`: how an endpoint is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from deployment.aws import predictor
from deployment.current import inventory
from deployment.errors import EndpointFailed
from deployment.plan.calls import plain
from deployment.plan.endpoint import look_at
from deployment.proof import guard
from deployment.terminal.dry_run import show_calls
from deployment.terminal.options import DRY_RUN, NAME, WHERE, connect, options


@click.command()
@options(NAME)
@click.option("--json", "as_json", is_flag=True, help="For scripts: one JSON object.")
@options(DRY_RUN, WHERE)
def status(name: str, as_json: bool, **asked: Any) -> None:
    """Say how the endpoint NAME is, and what it runs on.

    The exit status is 6 for one that failed, with SageMaker's reason, and 4 where there is none.

    \b
    python deploy.py status cats
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    if asked["dry_run"]:
        show_calls(name, aws.region, [look_at(name).call])
        return
    endpoint = predictor.endpoint(aws, name)
    found = {
        **endpoint.described,
        "Config": endpoint.config,
        "Scaling": inventory.targets(aws, name),
        "Alarms": inventory.alarms(aws, name),
        "Jobs": inventory.jobs(aws, name),
    }
    if as_json:
        click.echo(json.dumps(plain(found), indent=2, ensure_ascii=False))
    else:
        for line in lines(found):
            click.echo(line)
    if found["EndpointStatus"] == "Failed":
        raise EndpointFailed(
            f"The endpoint {name} failed: {found.get('FailureReason', 'no reason is given')} "
            f"`python deploy.py logs {name}` shows what its containers said."
        )


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """How it is, for people."""
    changed = found["LastModifiedTime"].strftime("%Y-%m-%d %H:%M")
    yield f"{found['EndpointName']}: {found['EndpointStatus']} since {changed}"
    yield f"  configuration {found['EndpointConfigName']}"
    running = {each["VariantName"]: each for each in found.get("ProductionVariants") or ()}
    for variant in found["Config"].get("ProductionVariants", ()):
        yield f"  {described(variant, running.get(variant['VariantName'], {}))}"
    for variant in found["Config"].get("ShadowProductionVariants", ()):
        yield f"  {described(variant, {})}, gets a copy of every request"
    for target in found["Scaling"]:
        name = target["ResourceId"].rpartition("/")[2]
        yield f"  {name} has {target['MinCapacity']} to {target['MaxCapacity']} machines, by load"
    yield from going_on(found)


def going_on(found: Mapping[str, Any]) -> Iterator[str]:
    """What changes, what watches it, and which batch jobs are at work."""
    if pending := found.get("PendingDeploymentSummary"):
        yield f"  is being rolled out: {pending['EndpointConfigName']}"
    yield from (f"  {stage}" for stage in guard.stages(found))
    for alarm in found["Alarms"]:
        yield f"  alarm {alarm['AlarmName']}: {alarm['StateValue']}"
    for job in found["Jobs"]:
        yield f"  batch job {job} is at work"


def described(variant: Mapping[str, Any], running: Mapping[str, Any]) -> str:
    """One variant: its model, its machines, its share."""
    if "ServerlessConfig" in variant:
        size = f"serverless, {variant['ServerlessConfig']['MemorySizeInMB']} MB"
    else:
        count = running.get("CurrentInstanceCount", variant["InitialInstanceCount"])
        size = f"{count} × {variant['InstanceType']}"
    weight = running.get("CurrentWeight", variant["InitialVariantWeight"])
    return f"{variant['VariantName']}: model {variant['ModelName']}, {size}, weight {weight:g}"
