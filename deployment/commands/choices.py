"""The options of those commands that bring something up."""

from __future__ import annotations

from pathlib import Path

import click

from deployment.benchmark import SAFETY

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

SCALING = (
    click.option(
        "--autoscale", metavar="FEWEST:MOST", help="Let AWS change the number of machines by load."
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
        default=200.0,
        show_default=True,
        help="Milliseconds within which 95 of 100 requests are to be answered.",
    ),
    click.option(
        "--safety",
        type=click.FloatRange(0, 1, min_open=True),
        default=SAFETY,
        show_default=True,
        help="The share of what was measured that a machine should have to do.",
    ),
    click.option(
        "--metric",
        type=click.Choice(("invocations", "concurrency", "backlog")),
        help="What is counted: by the minute, at a time, or (async) waiting.",
    ),
    click.option(
        "--scale-in-cooldown",
        type=click.IntRange(min=0),
        default=300,
        show_default=True,
        help="Seconds from taking a machine away to taking another.",
    ),
    click.option(
        "--scale-out-cooldown",
        type=click.IntRange(min=0),
        default=60,
        show_default=True,
        help="Seconds from adding a machine to adding another.",
    ),
)

CHECK = click.option(
    "--no-check", is_flag=True, help="Neither look into the archive nor ask its golden pictures."
)
