"""`deploy.py up`: from an archive to an endpoint that answers."""

from __future__ import annotations

from typing import Any

import click

from deployment import asking, show
from deployment.aws import Aws
from deployment.cli import DRY_RUN, NAME, WHERE, connect, options, say, told
from deployment.errors import Misuse
from deployment.order import Order
from deployment.perform import Performer
from deployment.plan import plan_up

WHAT = (
    click.option(
        "--image", required=True, help="The image: the URI that build_and_push.sh prints."
    ),
    click.option("--model", help="The archive: model.tar.gz, or s3://my-bucket/model.tar.gz."),
    click.option("--role", required=True, help="The ARN of the IAM role for the container."),
    click.option(
        "--variant",
        multiple=True,
        metavar="NAME=MODEL:WEIGHT",
        help="Instead of --model, several times: models side by side, each with its share.",
    ),
    click.option(
        "--shadow", metavar="NAME=MODEL", help="A model that gets every request, unanswered."
    ),
    click.option("--bucket", help="Where archives go.  [default: sagemaker-REGION-ACCOUNT]"),
)

KINDS = (
    click.option("--instance", help="The kind of machine.  [default: ml.c5.large]"),
    click.option("--count", type=int, help="How many machines.  [default: 1]"),
    click.option(
        "--serverless", type=int, metavar="MEMORY", help="No machines: memory in MB, such as 2048."
    ),
    click.option(
        "--async", "async_", metavar="S3_URL", help="Answers go to S3, and may take an hour each."
    ),
    click.option("--concurrency", type=int, help="Serverless, async: requests answered at a time."),
    click.option("--provisioned", type=int, help="Serverless: so many are kept ready, and billed."),
    click.option("--success-topic", help="Async: the SNS topic that is told of answers."),
    click.option("--error-topic", help="Async: the SNS topic that is told of errors."),
)

DETAILS = (
    click.option(
        "--env", multiple=True, metavar="NAME=VALUE", help="A setting of the server, several times."
    ),
    click.option(
        "--health-timeout", type=int, help="Seconds that the container may take to start."
    ),
    click.option(
        "--download-timeout", type=int, help="Seconds that fetching the archive may take."
    ),
    click.option("--subnet", multiple=True, help="A subnet of your VPC, several times."),
    click.option("--security-group", multiple=True, help="A security group for it, several times."),
    click.option("--isolated", is_flag=True, help="The container reaches no network at all."),
    click.option("--kms-key", help="The key that encrypts the machines' disks."),
    click.option("--capture", metavar="S3_URL", help="Keep requests and answers there."),
    click.option(
        "--capture-percent",
        type=click.IntRange(1, 100),
        default=100,
        show_default=True,
        help="How many of a hundred requests are kept.",
    ),
)


@click.command()
@options(NAME, WHAT, KINDS, DETAILS, DRY_RUN, WHERE)
def up(name: str, **asked: Any) -> None:
    """Make the endpoint NAME and wait until it answers.

    The same command twice changes nothing; interrupted, it goes on where it stopped. The endpoint
    costs money until `python deploy.py down NAME`.

    \b
    python deploy.py up cats --image URI --model model.tar.gz --role ARN
    python deploy.py up cats --image URI --model model.tar.gz --role ARN --serverless 2048
    python deploy.py up cats --image URI --model model.tar.gz --role ARN --dry-run
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    order = asking.order(name, aws.region, asked, None)
    plan = plan_up(order)
    if asked["dry_run"]:
        show.show(plan)
        return
    check_account(aws, order)
    performer = Performer(aws, say, say)
    with told(performer, removal(order)):
        performer.perform(plan)
    if not performer.changed:
        say("Everything was there already; nothing was changed.")
    say(f"The endpoint {name} is in service in {aws.region}.")
    for sentence in plan.cost:
        say(sentence)


def check_account(aws: Aws, order: Order) -> None:
    """Raise `Misuse` where the role is of another account than the credentials."""
    account = aws.account()
    if account != order.account:
        raise Misuse(
            f"--role is of the AWS account {order.account}, and your credentials are of {account}. "
            "SageMaker takes roles of its own account only: name one of yours, or choose other "
            "credentials with --profile."
        )


def removal(order: Order) -> str:
    """The command that removes all of it."""
    bucket = f" --bucket {order.bucket}" if order.bucket else ""
    return f"python deploy.py down {order.name} --region {order.region} --data{bucket}"
