"""`deploy.py account`: what an AWS account needs once, made or written down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from deployment import names, policy
from deployment.aws import service_model
from deployment.aws.client import Aws
from deployment.aws.performer import Performer
from deployment.errors import Misuse, Refused
from deployment.plan import limits
from deployment.plan.account import Account, plan_account, plan_removal
from deployment.plan.calls import Call, Look, Plan
from deployment.plan.template import Document, template
from deployment.terminal import parsing, progress
from deployment.terminal.dry_run import show
from deployment.terminal.options import AT_LEAST_ONE, DRY_RUN, TAG, WHERE, connect, options
from deployment.terminal.progress import say, told

IN_USE = ("RepositoryNotEmptyException", "BucketNotEmpty", "DeleteConflict")
"""How AWS refuses to remove what others put something into, or hold on to."""


@click.command()
@click.option(
    "--name", default="plumbline", show_default=True, help="What role and repository are called."
)
@click.option("--bucket", help="The bucket for archives.  [default: sagemaker-REGION-ACCOUNT]")
@click.option("--keep-images", type=AT_LEAST_ONE, help="Remove all images but the newest so many.")
@options(TAG)
@click.option("--template", "as_template", is_flag=True, help="Print a CloudFormation template.")
@click.option(
    "--policy",
    "document",
    type=click.Choice(tuple(policy.DOCUMENTS)),
    help="Print an IAM policy: for whoever deploys, this command, the role, or who may take it.",
)
@click.option("--remove", is_flag=True, help="Remove it, but for images, data and archives.")
@options(DRY_RUN, WHERE)
def account(**asked: Any) -> None:
    """Set up an AWS account: bucket, image repository, execution role, and a policy for users.

    Once, by somebody who may create roles. Existing resources are kept. The ARN of the role, for
    --role of `up`, is the only line on standard output; the policy is for everyone who deploys.
    deployment/account.yaml is the same as a CloudFormation template.

    \b
    python deploy.py account
    python deploy.py account --keep-images 10 --tag team=vision
    python deploy.py account --template > account.yaml
    python deploy.py account --policy person
    """  # noqa: D301 - \b keeps click from rewrapping
    if asked["as_template"]:
        click.echo(json.dumps(for_any_account(asked), indent=2))
        return
    aws = connect(asked)
    caller = aws.caller()
    wanted = ordered(caller["Account"], aws.region, asked)
    if asked["document"]:
        click.echo(json.dumps(policy.DOCUMENTS[asked["document"]](wanted.place), indent=2))
        return
    plan = plan_removal(wanted) if asked["remove"] else plan_account(wanted)
    service_model.check(aws, plan)
    if asked["dry_run"]:
        show(plan, policies={"admin": policy.admin(wanted.place)})
        return
    say(f"AWS account {caller['Account']}, region {aws.region}, as {caller['Arn']}.")
    for sentence in plan.cost:
        say(sentence)
    refuse_foreign(aws, wanted)
    performer = progress.performer(aws)
    if asked["remove"]:
        remove(performer, plan)
        return
    with told(performer, f"python deploy.py account --remove --name {wanted.name} {aws.where}"):
        performer.perform(plan)
    say(f"Attach the policy {wanted.person} to whoever deploys. The role for --role:")
    click.echo(wanted.role)


def ordered(number: str, region: str, asked: Mapping[str, Any]) -> Account:
    """What is wanted. Raises `Misuse`."""
    bucket = asked["bucket"] or ""
    for problem in limits.bucket_problems(bucket):
        raise Misuse(problem)
    name = names.check_name(asked["name"])
    return Account(number, region, name, bucket, asked["keep_images"], parsing.tags(asked["tags"]))


def for_any_account(asked: Mapping[str, Any]) -> Document:
    """The template, for whatever account and region it is given to."""
    wanted = ordered("${AWS::AccountId}", "${AWS::Region}", asked)
    made: Document = substituted(template(plan_account(wanted), bucket=True))
    made["Outputs"] = {"RoleArn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}}
    made["Description"] = "What deploy.py needs in an account: deploy.py account makes the same"
    return made


def substituted(value: Any) -> Any:
    """Every text in which CloudFormation has something to fill in, marked as such."""
    if isinstance(value, Mapping):
        return {key: substituted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [substituted(each) for each in value]
    return {"Fn::Sub": value} if isinstance(value, str) and "${AWS::" in value else value


def refuse_foreign(aws: Aws, wanted: Account) -> None:
    """Raise `Refused` for a role of that name that somebody else has made."""
    look = Look(Call("iam", "GetRole", {"RoleName": wanted.name}), "Role.{Tags: Tags}")
    found = aws.look(look)
    tags = {tag["Key"]: tag["Value"] for tag in (found or {}).get("Tags") or ()}
    if found and tags.get(names.TAG) != wanted.name:
        raise Refused(
            f"There is a role {wanted.name} already, and deploy.py did not make it: --name takes "
            "another name, or use that role as it is, as --role.",
            "not ours",
        )


def remove(performer: Performer, plan: Plan) -> None:
    """Remove each thing; what is in use stays, and is told."""
    for step in plan.steps:
        try:
            performer.perform(Plan(plan.name, plan.region, (step,)))
        except Refused as exc:
            if exc.code not in IN_USE:
                raise
            say(f"The {step.what} stays: it is in use, or not empty.")
