"""The options of the commands, written once, and the region and profile that they name."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import click

from deployment.aws.client import Aws
from deployment.errors import DeploymentError
from deployment.names import check_name
from deployment.terminal.autoscale import NO_SCALING
from deployment.terminal.parsing import INTERVALS, ROUTINGS
from deployment.terminal.program import CALLED

AT_LEAST_ONE = click.IntRange(min=1)


class Needed(click.types.StringParamType):
    """A text that must be given; where it is missing, how to come by one is said."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def get_missing_message(self, *_: Any, **__: Any) -> str:
        """What click adds to its own words."""
        return CALLED.words(self.origin)


TAG = click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="KEY=VALUE",
    help="A tag on everything that is made, several times.",
)

WHAT = (
    click.option("--image", help="The image: the URI that build_and_push.sh prints."),
    click.option(
        "--model",
        help="model.tar.gz, or s3://my-bucket/model.tar.gz, a folder there (s3://…/), or the ARN "
        "of a model package.",
    ),
    click.option(
        "--role",
        type=Needed("`python deploy.py account` makes one, once, and prints its ARN."),
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
    click.option(
        "--multi-model", is_flag=True, help="Serve a folder of archives, which `models` fills."
    ),
    click.option("--bucket", help="Where archives go.  [default: sagemaker-REGION-ACCOUNT]"),
    TAG,
)

METRICS = click.option(
    "--metrics",
    type=click.Choice(tuple(INTERVALS)),
    help="Seconds between two collections of the container's metrics, or none.  [default: 60]",
)

ALARMS = (
    click.option(
        "--alarms",
        metavar="TOPIC",
        help="The ARN of the SNS topic that standing alarms tell; a dashboard, too. none: neither.",
    ),
    click.option(
        "--alarm-latency",
        type=click.FloatRange(min=0, min_open=True),
        help="Milliseconds; alarm if 1 of 100 answers takes longer.  "
        "[default: twice the p95 of --benchmark, else 5000]",
    ),
)

CAPTURE = (
    click.option(
        "--capture", metavar="S3_URL", help="Data capture: keep requests and responses there."
    ),
    click.option(
        "--capture-percent",
        type=click.IntRange(1, 100),
        help="The sampling percentage of data capture.  [default: 100]",
    ),
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
        "--drop", multiple=True, metavar="NAME", help="A variant to remove, or the shadow."
    ),
    click.option("--shadow", metavar="NAME=MODEL", help="A shadow variant, or its new archive."),
    click.option("--env", multiple=True, metavar="NAME=VALUE", help="A setting to add or change."),
    click.option("--instance", help="Another instance type."),
    click.option("--count", type=AT_LEAST_ONE, help="Another number of instances."),
    click.option(
        "--autoscale",
        type=click.Choice((NO_SCALING,)),
        help="End autoscaling.",
    ),
    METRICS,
    *ALARMS,
    *CAPTURE,
    click.option("--bucket", help="Where the archive goes.  [default: sagemaker-REGION-ACCOUNT]"),
    click.option(
        "--routing", type=click.Choice(tuple(ROUTINGS)), help="Which instance gets a request."
    ),
    TAG,
)

STEPS = (
    click.option("--canary", metavar="SIZE", help="First a part (10%, or 1 instance), then all."),
    click.option("--linear", metavar="SIZE", help="Part by part: 20%, or 2 instances."),
    click.option("--rolling", metavar="SIZE", help="The same, removing old instances on the way."),
    click.option(
        "--bake", metavar="TIME", help="How long each step is watched: 10m.  [default: 5m]"
    ),
    click.option(
        "--max-latency",
        type=click.FloatRange(min=0, min_open=True),
        help="Milliseconds; roll back if 1 of 20 responses takes longer.  [default: 5000]",
    ),
    click.option(
        "--max-errors",
        type=AT_LEAST_ONE,
        help="Roll back at so many responses of 500 and above in a minute.  [default: 5]",
    ),
)

KINDS = (
    click.option(
        "--instance",
        metavar="TYPE[,TYPE…]",
        help="The instance type, and others if it has no capacity.  [default: ml.c5.large]",
    ),
    click.option("--count", type=AT_LEAST_ONE, help="Instance count, or copies.  [default: 1]"),
    click.option(
        "--component",
        type=AT_LEAST_ONE,
        metavar="MEMORY",
        help="An inference component: copies of so many MB share instances, down to none.",
    ),
    click.option(
        "--cpus",
        type=click.FloatRange(min=0.25),
        help="With --component: processors of a copy.  [default: 1]",
    ),
    click.option(
        "--serverless", type=int, metavar="MEMORY", help="No instances: memory in MB, such as 2048."
    ),
    click.option(
        "--async",
        "async_",
        metavar="S3_URL",
        help="Asynchronous: outputs go to S3, and may take an hour each.",
    ),
    click.option(
        "--concurrency", type=AT_LEAST_ONE, help="Serverless, async: requests answered at a time."
    ),
    click.option(
        "--provisioned",
        type=click.IntRange(min=0),
        help="Provisioned concurrency: kept warm, and billed.",
    ),
    click.option("--success-topic", help="Async: the SNS topic for responses."),
    click.option("--error-topic", help="Async: the SNS topic for errors."),
)

JOB_KEYS = (
    click.option("--kms-key", help="The KMS key that encrypts the instances' disks."),
    click.option("--kms-data", help="The KMS key that encrypts what the job writes to S3."),
)
"""The keys of a job: a batch transform, a training job, a search."""

BATCH = (
    click.option("--instance", default="ml.c5.xlarge", show_default=True, help="The instance."),
    click.option(
        "--count", type=AT_LEAST_ONE, default=1, show_default=True, help="Instance count."
    ),
    click.option(
        "--concurrency",
        type=AT_LEAST_ONE,
        default=16,
        show_default=True,
        help="Requests at a time to each instance.",
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
    *JOB_KEYS,
    TAG,
    click.option("--stop", is_flag=True, help="Stop the job that is processing these pictures."),
)

DETAILS = (
    click.option(
        "--env", multiple=True, metavar="NAME=VALUE", help="A setting of the server, several times."
    ),
    click.option("--health-timeout", type=int, help="Seconds until the health check must succeed."),
    click.option("--download-timeout", type=int, help="Timeout for downloading the archive."),
    click.option("--subnet", multiple=True, help="A subnet of your VPC, several times."),
    click.option("--security-group", multiple=True, help="A security group for it, several times."),
    click.option(
        "--isolated", is_flag=True, help="Network isolation: the container has no network."
    ),
    click.option("--kms-key", help="The key that encrypts the instances' disks."),
    METRICS,
    click.option("--kms-data", help="The key that encrypts what --capture and --async keep in S3."),
    *ALARMS,
    *CAPTURE,
    click.option(
        "--routing",
        type=click.Choice(tuple(ROUTINGS)),
        help="Which instance gets a request: that with the fewest, or any.  [default: least]",
    ),
    click.option("--log-days", type=int, help="How long the log is kept.  [default: always]"),
)

CHECK = click.option(
    "--no-check", is_flag=True, help="Check nothing beforehand, and ask no golden pictures."
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

TEMPLATE = click.option(
    "--template", is_flag=True, help="Print a CloudFormation template of it, and do nothing."
)

DRY_RUN = click.option("--dry-run", is_flag=True, help="Print the AWS calls, and change nothing.")


def options(*groups: Any) -> Callable[[Any], Any]:
    """All of these as one decorator, in their order."""
    single = [
        option for group in groups for option in (group if isinstance(group, tuple) else (group,))
    ]
    return lambda function: reduce(lambda made, option: option(made), reversed(single), function)


def connect(asked: dict[str, Any]) -> Aws:
    """AWS, as --region and --profile say."""
    return Aws(asked["region"], asked["profile"])
