"""What AWS would refuse minutes later, refused at once: the limits of each kind of endpoint.

Only those that botocore's model of SageMaker does not have: `aws/service_model.py` knows the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from deployment.errors import Misuse
from deployment.names import tag_problems
from deployment.plan.observability import MINUTE
from deployment.plan.order import Async, Component, Order, RealTime, Serverless

MEMORIES = (1024, 2048, 3072, 4096, 5120, 6144)

ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)

ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/"
    r"(?P<repository>[a-z0-9._/-]+)(?P<tail>[:@].+)?",
    re.ASCII,
)

INSTANCE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")

VARIANT = re.compile(r"(?=.{1,63}$)[a-zA-Z0-9](-*[a-zA-Z0-9])*")

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

URL = re.compile(rf"s3://{BUCKET.pattern}(/.*)?")

LOG_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)
"""How long CloudWatch keeps a log, by its API reference; botocore's model does not say it."""

ENVIRONMENT_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def check(order: Order) -> Order:
    """The order. Raises `Misuse` with the first thing that AWS would not take."""
    for problem in problems(order):
        raise Misuse(problem)
    return order


def problems(order: Order) -> Iterator[str]:
    """All that is wrong with an order, a sentence each."""
    yield from role_problems(order.role)
    yield from archive_problems(order)
    yield from variant_problems(order)
    yield from setting_problems(order)
    yield from scaling_problems(order)
    yield from alarm_problems(order)
    if order.multi:
        yield from multi_problems(order)
    if isinstance(order.kind, Serverless):
        yield from serverless_problems(order, order.kind)
    else:
        yield from machine_problems(order.kind)


PACKAGE = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package/[a-zA-Z0-9/-]+")
"""A model of the registry."""


def archive_problems(order: Order) -> Iterator[str]:
    """The image and the archives, which may come together as a package of the model registry."""
    archives = [variant.archive for variant in order.all_variants]
    packages = [each.package for each in archives if each.package]
    for package in packages:
        if not PACKAGE.fullmatch(package):
            yield f"--model {package}: it must be the ARN of a model package, or an archive."
    if packages and order.image:
        yield "A model package names its image: leave out --image."
    if not packages and not order.image:
        yield (
            "--image is missing: ./build_and_push.sh pushes the image, and prints the URI to take."
        )
    elif not packages:
        yield from image_problems(order.image, order.region)
    if len(packages) not in (0, len(archives)):
        yield "Variants are all model packages, or none: the others need --image."
    folders = [each.url for each in archives if each.url.endswith("/")]
    if folders and isinstance(order.kind, Serverless):
        yield f"{folders[0]}: a serverless endpoint takes archives alone, not folders in S3."


def multi_problems(order: Order) -> Iterator[str]:
    """What an endpoint of many models can't be."""
    if not isinstance(order.kind, RealTime):
        yield "--multi-model is for real-time endpoints with instances."
    if order.shadow or len(order.variants) > 1:
        yield "--multi-model has a single variant, and no shadow: leave out --variant and --shadow."


def role_problems(role: str) -> Iterator[str]:
    """The role that the container runs under."""
    if not ROLE.fullmatch(role):
        yield (
            f"--role {role}: it must be the ARN of an IAM role, such as "
            "arn:aws:iam::123456789012:role/my-sagemaker-role. The AWS console shows it under IAM, "
            "Roles; `python deploy.py account` makes one, and prints it."
        )


def image_problems(image: str, region: str, what: str = "the endpoint") -> Iterator[str]:
    """The image: it must lie in a registry of AWS, in the same region."""
    found = ECR.fullmatch(image)
    if not found:
        yield (
            f"--image {image}: SageMaker takes images from Amazon ECR only, such as "
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/plumbline@sha256:…. "
            "./build_and_push.sh puts it there and prints the URI."
        )
    elif found["region"] != region:
        yield (
            f"The image is in {found['region']}, and {what} is to be in {region}; "
            "SageMaker takes images of its own region only. Either --region "
            f"{found['region']}, or push the image to {region}, too."
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
    if not sum(variant.weight for variant in order.variants) > 0:
        yield "All variants have the weight 0: none would get requests."
    if order.shadow and (len(order.variants) > 1 or not isinstance(order.kind, RealTime)):
        yield "A --shadow goes with a single variant of a real-time endpoint."
    if len(order.variants) > 1 and isinstance(order.kind, Component):
        yield "An endpoint with --component has a single variant: leave out --variant."


def setting_problems(order: Order) -> Iterator[str]:
    """Environment, network, and what is kept."""
    for name in order.environment:
        if not ENVIRONMENT_NAME.fullmatch(name):
            yield f"--env {name}: that is no name for an environment variable."
    yield from bucket_problems(order.bucket)
    yield from tag_problems(order.tags)
    yield from storage_problems(order)
    if bool(order.network.subnets) != bool(order.network.security_groups):
        yield "--subnet and --security-group go together: SageMaker needs one of each at least."
    if order.metrics not in (0, MINUTE) and not isinstance(order.kind, RealTime):
        yield (
            f"--metrics {order.metrics}: the container of a serverless or async endpoint, or of a "
            "component, tells CloudWatch of itself once a minute: --metrics 60, or none."
        )
    for variant in order.all_variants:
        yield from url_problems(variant.archive.url)


def url_problems(url: str) -> Iterator[str]:
    """An archive in S3."""
    if url and not URL.fullmatch(url):
        yield f"{url}: it must be like s3://my-bucket/models/model.tar.gz."
    elif url and not url.endswith((".tar.gz", "/")):
        yield (
            f"{url}: SageMaker takes archives whose names end in .tar.gz, or a folder, whose "
            "address ends in /."
        )


def storage_problems(order: Order) -> Iterator[str]:
    """What is kept of requests and of the log, and how requests get to machines."""
    if order.log_days is not None and order.log_days not in LOG_DAYS:
        yield (
            f"--log-days {order.log_days}: CloudWatch takes "
            f"{', '.join(map(str, LOG_DAYS[:-1]))} or {LOG_DAYS[-1]}."
        )
    if order.data_key and not (order.capture or isinstance(order.kind, Async)):
        yield "--kms-data encrypts what --capture and --async keep in S3: add one of them."
    if order.routing and not isinstance(order.kind, RealTime | Component):
        yield "--routing is for real-time endpoints with instances: leave it out."
    if order.capture and not URL.fullmatch(order.capture.url):
        yield f"--capture {order.capture.url}: it must be like s3://my-bucket/captured/."


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


def machine_problems(kind: RealTime | Async | Component) -> Iterator[str]:
    """Endpoints on machines."""
    for instance in (kind.instance, *getattr(kind, "pools", ())):
        if not INSTANCE.fullmatch(instance):
            yield f"--instance {instance}: it must be like ml.c5.large."
    if isinstance(kind, Async) and not URL.fullmatch(kind.output):
        yield f"--async {kind.output}: it must be where answers go, like s3://my-bucket/answers/."


MOST_WATCHED = 5


def alarm_problems(order: Order) -> Iterator[str]:
    """The topic that alarms tell."""
    topic = order.alarms.topic if order.alarms else ""
    if topic and not re.fullmatch(rf"arn:aws[a-z-]*:sns:{order.region}:[0-9]{{12}}:[\w-]+", topic):
        yield (
            f"--alarms {topic}: alarms tell an SNS topic of their own region, {order.region}, by "
            f"its ARN: arn:aws:sns:{order.region}:ACCOUNT:NAME. `aws sns create-topic --name "
            "alarms` makes one, and prints it."
        )
    if topic and len(order.variants) > MOST_WATCHED:
        yield (
            f"--alarms: an alarm of CloudWatch's looks at ten metrics, two of each variant, so "
            f"that {MOST_WATCHED} variants can be watched, and there are {len(order.variants)}."
        )


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
            f"--autoscale {scaling.least}:{scaling.most}: it must be the minimum, a colon "
            "and the maximum."
        )
    if scaling.least == 0 and isinstance(order.kind, RealTime):
        yield (
            "The instances of this endpoint can't scale to 0. --component 2048 can (an inference "
            "component; requests fail until an instance is back), --async can (requests wait in "
            "S3), and --serverless does so by itself."
        )
    if not scaling.target > 0:
        yield f"The target of --autoscale is {scaling.target:g}; it must be more than 0."
