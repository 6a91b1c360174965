"""The options of the commands, written once, and the region and profile that they name."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import click

from deployment.aws.client import Aws
from deployment.errors import DeploymentError
from deployment.names import check_name
from deployment.plan.order import IN_COOLDOWN, OUT_COOLDOWN
from deployment.terminal.benchmark import P95, SAFETY
from deployment.terminal.parsing import NO_SCALING

AT_LEAST_ONE = click.IntRange(min=1)


class Needed(click.types.StringParamType):
    """A text that must be given; where it is missing, how to come by one is said."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def get_missing_message(self, *_: Any, **__: Any) -> str:
        """What click adds to its own words."""
        return self.origin


WHAT = (
    click.option(
        "--image",
        type=Needed("./build_and_push.sh pushes the image, and prints the URI to take."),
        required=True,
        help="The image: the URI that build_and_push.sh prints.",
    ),
    click.option("--model", help="The archive: model.tar.gz, or s3://my-bucket/model.tar.gz."),
    click.option(
        "--role",
        type=Needed("docs/deploy.md, section 1, says how to make one, which prints its ARN."),
        required=True,
        help="The ARN of the IAM role for the container.",
    ),
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

CHANGES = (
    click.option("--model", help="Another archive: model.tar.gz, or s3://my-bucket/model.tar.gz."),
    click.option("--image", help="Another image: the URI that build_and_push.sh prints."),
    click.option(
        "--variant",
        multiple=True,
        metavar="NAME=MODEL:WEIGHT",
        help="Another archive for a variant, or one more variant; several times.",
    ),
    click.option(
        "--drop", multiple=True, metavar="NAME", help="A variant that is to go, or the shadow."
    ),
    click.option("--shadow", metavar="NAME=MODEL", help="A model that only listens, or another."),
    click.option(
        "--env", multiple=True, metavar="NAME=VALUE", help="A setting more, or another value."
    ),
    click.option("--instance", help="Another kind of machine."),
    click.option("--count", type=AT_LEAST_ONE, help="Another number of machines."),
    click.option(
        "--autoscale",
        type=click.Choice((NO_SCALING,)),
        help="The number of machines is to follow the load no longer.",
    ),
    click.option("--bucket", help="Where the archive goes.  [default: sagemaker-REGION-ACCOUNT]"),
)

STEPS = (
    click.option("--canary", metavar="SIZE", help="First a part (10%, or 1 machine), then all."),
    click.option("--linear", metavar="SIZE", help="Part by part: 20%, or so many machines."),
    click.option("--rolling", metavar="SIZE", help="The same, removing old machines on the way."),
    click.option(
        "--bake", metavar="TIME", help="How long each step is watched: 10m.  [default: 5m]"
    ),
    click.option(
        "--max-latency",
        type=click.FloatRange(min=0, min_open=True),
        help="Milliseconds; if 1 of 20 answers takes longer meanwhile, back.  [default: 5000]",
    ),
    click.option(
        "--max-errors",
        type=AT_LEAST_ONE,
        help="So many answers of 500 and above in a minute, and back.  [default: 5]",
    ),
)

KINDS = (
    click.option("--instance", help="The kind of machine.  [default: ml.c5.large]"),
    click.option("--count", type=AT_LEAST_ONE, help="How many machines.  [default: 1]"),
    click.option(
        "--serverless", type=int, metavar="MEMORY", help="No machines: memory in MB, such as 2048."
    ),
    click.option(
        "--async", "async_", metavar="S3_URL", help="Answers go to S3, and may take an hour each."
    ),
    click.option(
        "--concurrency", type=AT_LEAST_ONE, help="Serverless, async: requests answered at a time."
    ),
    click.option(
        "--provisioned",
        type=click.IntRange(min=0),
        help="Serverless: so many are kept ready, and billed.",
    ),
    click.option("--success-topic", help="Async: the SNS topic that is told of answers."),
    click.option("--error-topic", help="Async: the SNS topic that is told of errors."),
)

BATCH = (
    click.option("--instance", default="ml.c5.xlarge", show_default=True, help="The machine."),
    click.option(
        "--count", type=AT_LEAST_ONE, default=1, show_default=True, help="How many machines."
    ),
    click.option(
        "--concurrency",
        type=AT_LEAST_ONE,
        default=16,
        show_default=True,
        help="Requests at a time to each machine.",
    ),
    click.option(
        "--payload-mb",
        type=click.IntRange(1, 100),
        default=6,
        show_default=True,
        help="The largest file, in MB.",
    ),
    click.option("--accept", help="The form of the answers.  [default: application/json]"),
    click.option("--lines", is_flag=True, help="Files of JSON lines, a picture in each line."),
    click.option("--variant", help="The variant whose model answers.  [default: the first]"),
    click.option("--model", help="Another archive than the endpoint's, or without an endpoint."),
    click.option("--image", help="Another image, or without an endpoint."),
    click.option("--role", help="Without an endpoint: the IAM role for the container."),
    click.option("--env", multiple=True, metavar="NAME=VALUE", help="A setting of the server."),
    click.option("--bucket", help="Where the archive goes.  [default: sagemaker-REGION-ACCOUNT]"),
    click.option("--stop", is_flag=True, help="End the job that is at work on this."),
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
        help="How many of a hundred requests are kept.  [default: 100]",
    ),
)

SCALING = (
    click.option(
        "--autoscale",
        metavar="FEWEST:MOST",
        help=f"Let AWS change the number of machines by load; {NO_SCALING} ends that.",
    ),
    click.option(
        "--target", type=float, help="What one machine should have: requests a minute, say."
    ),
    click.option(
        "--benchmark",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Take that from what `plumbline bench` measured.",
    ),
    click.option(
        "--p95",
        type=click.FloatRange(min=0, min_open=True),
        help=f"Milliseconds in which 95 of 100 requests are answered.  [default: {P95:g}]",
    ),
    click.option(
        "--safety",
        type=click.FloatRange(0, 1, min_open=True),
        help=f"The share of what was measured that a machine should do.  [default: {SAFETY}]",
    ),
    click.option(
        "--metric",
        type=click.Choice(("invocations", "concurrency", "backlog")),
        help="What is counted: by the minute, at a time, or (async) waiting.",
    ),
    click.option(
        "--scale-in-cooldown",
        type=click.IntRange(min=0),
        help=f"Seconds from taking a machine away to taking another.  [default: {IN_COOLDOWN}]",
    ),
    click.option(
        "--scale-out-cooldown",
        type=click.IntRange(min=0),
        help=f"Seconds from adding a machine to adding another.  [default: {OUT_COOLDOWN}]",
    ),
)

CHECK = click.option(
    "--no-check", is_flag=True, help="Neither look into the archive nor ask its golden pictures."
)


def checked(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """A name that AWS takes."""
    try:
        return check_name(value)
    except DeploymentError as exc:
        raise click.BadParameter(str(exc)) from exc


NAME = click.argument("name", callback=checked)

WHERE = (
    click.option("--region", help="The AWS region.  [default: that of your AWS setup]"),
    click.option(
        "--profile", help="Which of your AWS profiles.  [default: that of your AWS setup]"
    ),
)

DRY_RUN = click.option(
    "--dry-run", is_flag=True, help="Print what would be asked of AWS, and do nothing."
)


def options(*groups: Any) -> Callable[[Any], Any]:
    """All of these as one decorator, in their order."""
    single = [
        option for group in groups for option in (group if isinstance(group, tuple) else (group,))
    ]
    return lambda function: reduce(lambda made, option: option(made), reversed(single), function)


def connect(asked: dict[str, Any]) -> Aws:
    """AWS, as --region and --profile say."""
    return Aws(asked["region"], asked["profile"])
