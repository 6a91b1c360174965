"""`deploy.py list` and `deploy.py status`: which endpoints there are, and how one is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from deployment.aws import predictor
from deployment.aws.client import Aws
from deployment.current import inventory
from deployment.current.tags import is_ours
from deployment.errors import EndpointFailed
from deployment.plan import components
from deployment.plan.calls import Call, plain
from deployment.plan.endpoint import look_at
from deployment.proof import guard
from deployment.terminal.dry_run import show_calls
from deployment.terminal.options import DRY_RUN, NAME, WHERE, connect, options
from deployment.terminal.progress import say


@click.command()
@options(NAME)
@click.option("--json", "as_json", is_flag=True, help="For scripts: one JSON object.")
@options(DRY_RUN, WHERE)
def status(name: str, as_json: bool, **asked: Any) -> None:
    """Show the state of the endpoint NAME, its variants, instances and alarms.

    The exit status is 6 if it failed, with SageMaker's reason, and 4 if it does not exist.

    \b
    python deploy.py status cats
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    if asked["dry_run"]:
        show_calls(name, aws.region, [look_at(name).call])
        return
    endpoint = predictor.endpoint(aws, name)
    seen = endpoint.described
    found = {
        **seen,
        "Config": endpoint.config,
        "Scaling": inventory.targets(aws, name),
        "Alarms": inventory.alarms(aws, name),
        "Jobs": inventory.jobs(aws, name),
        "Components": [described_component(aws, each) for each in inventory.components(aws, seen)],
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
    for each in found["Components"]:
        copies = (each.get("RuntimeConfig") or {}).get("CurrentCopyCount", 0)
        state = each["InferenceComponentStatus"]
        yield f"  inference component {each['InferenceComponentName']}: {state}, {copies} copies"
    for target in found["Scaling"]:
        name = target["ResourceId"].rpartition("/")[2]
        what = "copies" if target["ResourceId"].startswith("inference-") else "instances"
        yield f"  {name} has {target['MinCapacity']} to {target['MaxCapacity']} {what}, by load"
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
        pools = variant.get("InstancePools") or [variant]
        size = f"{count} × {' or '.join(each['InstanceType'] for each in pools)}"
    if "ModelName" not in variant:
        return f"{variant['VariantName']}: {size}, for inference components"
    weight = running.get("CurrentWeight", variant["InitialVariantWeight"])
    return f"{variant['VariantName']}: model {variant['ModelName']}, {size}, weight {weight:g}"


def described_component(aws: Aws, name: str) -> Mapping[str, Any]:
    """An inference component as SageMaker describes it."""
    return dict(aws.look(components.look_at(name)) or {"InferenceComponentName": name})


# -- all of them ----------------------------------------------------------------------------------

ALL = Call("sagemaker", "ListEndpoints", {"SortBy": "Name", "SortOrder": "Ascending"})


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts: a line of JSON each.")
@options(DRY_RUN, WHERE)
def list_endpoints(as_json: bool, **asked: Any) -> None:
    """List the endpoints of this region that deploy.py has made.

    Each costs money until `python deploy.py down NAME`; one in another region is listed only with
    --region.

    \b
    python deploy.py list
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    if asked["dry_run"]:
        show_calls("", aws.region, [ALL])
        return
    found = list(ours(aws))
    for each in found:
        since = f"{each['CreationTime']:%Y-%m-%d %H:%M}"
        line = f"{each['EndpointName']}: {each['EndpointStatus']}, made {since}"
        click.echo(json.dumps(plain(each)) if as_json else line)
    if not found:
        say(f"deploy.py has made no endpoint in {aws.region}, or none is left.")


def ours(aws: Aws) -> Iterator[dict[str, Any]]:
    """The endpoints that carry the tag of a deployment."""
    for each in aws.pages(ALL, "Endpoints"):
        if is_ours(aws, each["EndpointArn"], each["EndpointName"]):
            yield each
