"""`deploy.py register`: versions of a model in SageMaker's model registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from deployment.aws import service_model
from deployment.aws.client import Aws
from deployment.current import packages
from deployment.errors import Misuse
from deployment.flows import preflight
from deployment.plan import limits, registration
from deployment.plan.order import DEFAULT_VARIANT, Order, Variant
from deployment.plan.registration import APPROVED, PENDING, REJECTED
from deployment.proof import golden
from deployment.terminal import parsing, progress
from deployment.terminal.dry_run import show, show_template
from deployment.terminal.options import (
    AT_LEAST_ONE,
    CHECK,
    DRY_RUN,
    NAME,
    TAG,
    TEMPLATE,
    WHERE,
    connect,
    options,
)
from deployment.terminal.progress import say, told

NEEDED = ("model", "image", "role")


@click.command()
@options(NAME)
@click.option("--model", help="The archive: model.tar.gz, or s3://my-bucket/model.tar.gz.")
@click.option("--image", help="The image: the URI that build_and_push.sh prints.")
@click.option("--role", help="The ARN of the container's role, which names the account.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="A setting of the server.")
@click.option("--bucket", help="Where the archive goes.  [default: sagemaker-REGION-ACCOUNT]")
@click.option("--approved", is_flag=True, help="Approve it at once.  [default: pending]")
@click.option("--approve", type=AT_LEAST_ONE, metavar="VERSION", help="Approve a version.")
@click.option("--reject", type=AT_LEAST_ONE, metavar="VERSION", help="Reject a version.")
@click.option("--because", default="", help="With --approve and --reject: why.")
@options(TAG, CHECK, DRY_RUN, TEMPLATE, WHERE)
def register(name: str, **asked: Any) -> None:
    """Add a version of the model NAME to the model registry, approve one, or list them.

    `up` and `update` take the ARN of a version as --model, without --image. The same archive
    with the same image is registered once. `down NAME --data` removes all versions.

    \b
    python deploy.py register cats --model model.tar.gz --image URI --role ARN
    python deploy.py register cats --approve 1 --because "checked by the team"
    python deploy.py register cats
    """  # noqa: D301 - \b keeps click from rewrapping
    if asked["approve"] and asked["reject"]:
        raise Misuse("--approve or --reject, one of the two.")
    aws = connect(asked)
    if asked["approve"] or asked["reject"]:
        judge(aws, name, asked)
    elif any(asked[each] for each in NEEDED):
        add(aws, name, asked)
    else:
        for each in packages.listed(aws, name):
            number, arn = each["ModelPackageVersion"], each["ModelPackageArn"]
            click.echo(f"{number}: {each['ModelApprovalStatus']}, {arn}")


def judge(aws: Aws, name: str, asked: Mapping[str, Any]) -> None:
    """Approve or reject a version."""
    number = asked["approve"] or asked["reject"]
    approval = APPROVED if asked["approve"] else REJECTED
    found = packages.version(aws, name, number)
    package = found["ModelPackageArn"]
    plan = registration.plan_approval(name, aws.region, package, approval, asked["because"])
    service_model.check(aws, plan)
    if asked["dry_run"]:
        show(plan)
        return
    progress.performer(aws).perform(plan)
    say(f"Version {number} of {name}: {approval}.")


def ordered(aws: Aws, name: str, asked: Mapping[str, Any]) -> Order:
    """What is registered, as an order. Raises `Misuse`."""
    for option in NEEDED:
        if not asked[option]:
            raise Misuse(f"--{option} is missing: a version is registered with all it needs.")
    variants = (Variant(DEFAULT_VARIANT, parsing.archive(asked["model"])),)
    return limits.check(
        Order(
            name,
            aws.region,
            asked["role"],
            asked["image"],
            variants,
            bucket=asked["bucket"] or "",
            environment=parsing.environment(asked["env"]),
            tags=parsing.tags(asked["tags"]),
        )
    )


def add(aws: Aws, name: str, asked: Mapping[str, Any]) -> None:
    """One more version; its ARN is the only line on standard output."""
    order = ordered(aws, name, asked)
    plan = registration.plan_registration(order, APPROVED if asked["approved"] else PENDING)
    service_model.check(aws, plan)
    if asked["template"] or asked["dry_run"]:
        show_template(plan) if asked["template"] else show(plan, order)
        return
    preflight.introduce(aws, order, plan.cost)
    if not asked["no_check"]:
        preflight.check_served(aws, order)
    performer = progress.performer(aws)
    removal = f"python deploy.py down {name} {aws.where} --data"
    with golden.inspected(aws, order, skip=asked["no_check"]), told(performer, removal):
        performer.perform(plan)
    click.echo(performer.answers[plan.steps[-1].what]["ModelPackageArn"])
