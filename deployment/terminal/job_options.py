"""The options of `train` and `search`."""

from __future__ import annotations

from pathlib import Path

import click

from deployment.plan.search import STRATEGIES
from deployment.terminal.options import AT_LEAST_ONE, JOB_KEYS, TAG
from deployment.terminal.parsing import DEFAULT_INSTANCE

JOB = (
    click.option("--data", metavar="DIR|S3_URL", help="The pictures to learn from."),
    click.option(
        "--validation", metavar="DIR|S3_URL", help="Those to validate on.  [default: a fifth]"
    ),
    click.option("--image", help="The image: the URI that build_and_push.sh prints."),
    click.option("--role", help="The ARN of the IAM role for the container."),
    click.option("--recipe", help="What trains.  [default: by the data]"),
    click.option(
        "--script", type=click.Path(path_type=Path), help="A script of yours that trains instead."
    ),
    click.option(
        "--set",
        "given",
        multiple=True,
        metavar="NAME=VALUE",
        help="A hyperparameter, several times.",
    ),
    click.option(
        "--metric",
        "metrics",
        multiple=True,
        metavar="NAME=REGEX",
        help="A number in a script's log: 'accuracy=acc: ([0-9.]+)'; several times.",
    ),
    click.option(
        "--instance", default="ml.c7i.4xlarge", show_default=True, help="The instance type."
    ),
    click.option("--spot", is_flag=True, help="A Spot instance: cheaper, and may be taken away."),
    click.option(
        "--max-wait", metavar="TIME", help="With --spot: waiting and training.  [default: double]"
    ),
    click.option("--max-runtime", metavar="TIME", help="How long it may train.  [default: 2h]"),
    click.option(
        "--checkpoints", is_flag=True, help="Keep checkpoints, as --spot does, for --resume."
    ),
    click.option("--env", multiple=True, metavar="NAME=VALUE", help="A variable of the container."),
    click.option("--bucket", help="Where data and models go.  [default: sagemaker-REGION-ACCOUNT]"),
    *JOB_KEYS,
    TAG,
)

WARM = click.option("--warm", metavar="TIME", help="Keep the instance for the next job: 30m.")

AFTER = (
    click.option("--follow", is_flag=True, help="Watch it to its end; Ctrl-C does not end it."),
    click.option("--up", is_flag=True, help="Then deploy the best model as the endpoint NAME."),
    click.option(
        "--endpoint-instance",
        default=DEFAULT_INSTANCE,
        show_default=True,
        help="With --up: the endpoint's instance type.",
    ),
    click.option(
        "--no-check",
        is_flag=True,
        help="Check nothing beforehand; with --up, send no golden pictures through it.",
    ),
)

SEARCH = (
    click.option(
        "--range",
        "ranges",
        multiple=True,
        metavar="NAME=LEAST..MOST[:SCALE]",
        help="Numbers to try: learning_rate=1e-4..1e-1:log; several times.",
    ),
    click.option(
        "--choose",
        "choices",
        multiple=True,
        metavar="NAME=A,B,…",
        help="Values to try: optimizer=adam,sgd; several times.",
    ),
    click.option("--jobs", type=AT_LEAST_ONE, help="How many are trained.  [default: 10]"),
    click.option(
        "--parallel", type=AT_LEAST_ONE, default=2, show_default=True, help="How many at a time."
    ),
    click.option(
        "--objective", help="The metric that says which is best.  [default: validation:accuracy]"
    ),
    click.option("--minimize", is_flag=True, help="The smallest is best, as it is of a loss."),
    click.option(
        "--strategy",
        type=click.Choice(tuple(STRATEGIES)),
        default="bayesian",
        show_default=True,
        help="How values are chosen.",
    ),
    click.option("--early-stop", is_flag=True, help="Stop unpromising jobs early."),
)

STATUS = click.option("--status", is_flag=True, help="Say how the newest one is.")

STOP = click.option("--stop", is_flag=True, help="End the one that is at work.")

CONTROL = (
    STATUS,
    click.option("--logs", is_flag=True, help="Show the last lines of its log."),
    STOP,
    click.option("--resume", is_flag=True, help="Go on from the checkpoint of a stopped one."),
)
