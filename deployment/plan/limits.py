"""What AWS would refuse minutes later, refused at once: the limits of each kind of endpoint."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deployment.errors import Misuse
from deployment.plan.order import Async, Order, RealTime, Serverless

MEMORIES = (1024, 2048, 3072, 4096, 5120, 6144)

ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)

ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/"
    r"(?P<repository>[a-z0-9._/-]+)([:@].+)?",
    re.ASCII,
)

INSTANCE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")

VARIANT = re.compile(r"(?=.{1,63}$)[a-zA-Z0-9](-*[a-zA-Z0-9])*")

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

URL = re.compile(rf"s3://{BUCKET.pattern}(/.*)?")

ENVIRONMENT_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def check(order: Order) -> Order:
    """The order. Raises `Misuse` with the first thing that AWS would not take."""
    for problem in problems(order):
        raise Misuse(problem)
    return order


def problems(order: Order) -> Iterator[str]:
    """All that is wrong with an order, a sentence each."""
    yield from role_problems(order)
    yield from image_problems(order)
    yield from variant_problems(order)
    yield from setting_problems(order)
    yield from scaling_problems(order)
    if isinstance(order.kind, Serverless):
        yield from serverless_problems(order, order.kind)
    else:
        yield from machine_problems(order, order.kind)


def role_problems(order: Order) -> Iterator[str]:
    """The role that the container runs under."""
    if not ROLE.fullmatch(order.role):
        yield (
            f"--role {order.role}: it must be the ARN of an IAM role, such as "
            "arn:aws:iam::123456789012:role/my-sagemaker-role. The AWS console shows it under IAM, "
            "Roles; docs/deploy.md says how to make one."
        )


def image_problems(order: Order) -> Iterator[str]:
    """The image: it must lie in a registry of AWS, in the same region."""
    found = ECR.fullmatch(order.image)
    if not found:
        yield (
            f"--image {order.image}: SageMaker takes images from Amazon ECR only, such as "
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/plumbline@sha256:…. "
            "./build_and_push.sh puts it there and prints the URI."
        )
    elif found["region"] != order.region:
        yield (
            f"The image is in {found['region']}, and the endpoint is to be in {order.region}; "
            "SageMaker takes images of its own region only. Either --region "
            f"{found['region']}, or push the image to {order.region}, too."
        )


def variant_problems(order: Order) -> Iterator[str]:
    """The variants, and the one that only listens."""
    listed = [variant.name for variant in order.all_variants]
    for name in listed:
        if not VARIANT.fullmatch(name):
            yield (
                f"{name!r} can't be the name of a variant: at most 63 letters, digits and hyphens "
                "inside."
            )
    if len(set(listed)) < len(listed):
        yield f"Two variants have the same name: {', '.join(listed)}."
    if len(order.variants) > 10:
        yield f"There are {len(order.variants)} variants, and SageMaker takes 10 at most."
    if not sum(variant.weight for variant in order.variants) > 0:
        yield "All variants have the weight 0: nobody would answer."
    if order.shadow and (len(order.variants) > 1 or not isinstance(order.kind, RealTime)):
        yield "A --shadow goes with a single variant of a real-time endpoint."


def setting_problems(order: Order) -> Iterator[str]:
    """Environment, network, and what is kept."""
    for name in order.environment:
        if not ENVIRONMENT_NAME.fullmatch(name):
            yield f"--env {name}: that is no name for an environment variable."
    yield from bucket_problems(order.bucket)
    if bool(order.network.subnets) != bool(order.network.security_groups):
        yield "--subnet and --security-group go together: SageMaker needs one of each at least."
    if order.capture and not URL.fullmatch(order.capture.url):
        yield f"--capture {order.capture.url}: it must be like s3://my-bucket/captured/."
    for variant in order.all_variants:
        url = variant.archive.url
        if url and not URL.fullmatch(url):
            yield f"{url}: it must be like s3://my-bucket/models/model.tar.gz."


def bucket_problems(bucket: str) -> Iterator[str]:
    """The name of a bucket; none is the account's own."""
    if bucket and not BUCKET.fullmatch(bucket):
        yield (
            f"--bucket {bucket}: it must be the name of a bucket alone, such as my-bucket, without "
            "s3:// and without a folder."
        )


def serverless_problems(order: Order, kind: Serverless) -> Iterator[str]:
    """Serverless endpoints can do less."""
    if kind.memory not in MEMORIES:
        yield (
            f"--serverless {kind.memory}: the memory in MB is one of "
            f"{', '.join(map(str, MEMORIES))}. Most models do with 2048; large ones need more."
        )
    if not 1 <= kind.concurrency <= 200:
        yield f"--concurrency {kind.concurrency}: a serverless endpoint takes 1 to 200."
    if kind.provisioned > kind.concurrency:
        yield (
            f"--provisioned {kind.provisioned} is more than --concurrency {kind.concurrency}, the "
            "most that are answered at a time."
        )
    for present, option, what in (
        (order.network.subnets, "--subnet", "run in a VPC"),
        (order.network.isolated, "--isolated", "be cut off from the network"),
        (order.capture, "--capture", "keep requests"),
        (len(order.variants) > 1, "--variant", "have several variants"),
        (order.timeouts.health is not None, "--health-timeout", "be waited for"),
        (order.timeouts.download is not None, "--download-timeout", "be waited for"),
    ):
        if present:
            yield f"A serverless endpoint can't {what}: leave out {option}, or --serverless."


def machine_problems(order: Order, kind: RealTime | Async) -> Iterator[str]:
    """Endpoints on machines."""
    if not INSTANCE.fullmatch(kind.instance):
        yield f"--instance {kind.instance}: it must be like ml.c5.large."
    if kind.count < 1:
        yield f"--count {kind.count}: an endpoint begins with one machine at least."
    for option, seconds in (
        ("--health-timeout", order.timeouts.health),
        ("--download-timeout", order.timeouts.download),
    ):
        if seconds is not None and not 60 <= seconds <= 3600:
            yield f"{option} {seconds}: SageMaker takes 60 to 3600 seconds."
    if isinstance(kind, Async):
        yield from async_problems(kind)


def async_problems(kind: Async) -> Iterator[str]:
    """Where answers go, and how many are computed at a time."""
    if not URL.fullmatch(kind.output):
        yield f"--async {kind.output}: it must be where answers go, like s3://my-bucket/answers/."
    if not 1 <= kind.concurrency <= 1000:
        yield f"--concurrency {kind.concurrency}: an async endpoint takes 1 to 1000."
    for topic in (kind.success_topic, kind.error_topic):
        if topic and not topic.startswith("arn:aws"):
            yield f"{topic}: an SNS topic is named by its ARN, arn:aws:sns:REGION:ACCOUNT:NAME."


def scaling_problems(order: Order) -> Iterator[str]:
    """The bounds of scaling, and what can be measured of a kind."""
    scaling = order.scaling
    if scaling is None:
        return
    if isinstance(order.kind, Serverless):
        yield (
            "A serverless endpoint scales by itself, down to nothing: leave out --autoscale, and "
            "say with --concurrency how far up."
        )
    if not 0 <= scaling.least <= scaling.most or scaling.most < 1:
        yield (
            f"--autoscale {scaling.least}:{scaling.most}: it must be the fewest machines, a colon "
            "and the most."
        )
    if scaling.least == 0 and isinstance(order.kind, RealTime):
        yield (
            "A real-time endpoint can't scale to 0: nobody would answer. --async can (requests "
            "wait in S3), and --serverless does so by itself."
        )
    if not scaling.target > 0:
        yield f"The target of --autoscale is {scaling.target:g}; it must be more than 0."
