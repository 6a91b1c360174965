"""What can be known to go wrong, said before anything is uploaded or made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from deployment.aws.client import Aws
from deployment.current import images, packages, price_list, quotas, roles
from deployment.current.running import Owned, check_account
from deployment.errors import Misuse, NotAllowed, NotReached, Refused
from deployment.names import near
from deployment.plan.batch import Job
from deployment.plan.order import Async, Component, Order, Serverless
from deployment.plan.training import Training
from deployment.proof.inspection import plumbline
from deployment.terminal.progress import say

OURS = "PLUMBLINE_"
"""What the names of the server's own settings begin with."""


def introduce(aws: Aws, order: Owned, costs: Iterable[str] = ()) -> None:
    """Say where this happens, as whom, and what it costs. Raises `Misuse` for another account."""
    caller = check_account(aws, order)
    say(f"AWS account {caller['Account']}, region {aws.region}, as {caller['Arn']}.")
    for sentence in costs:
        say(sentence)


def check(aws: Aws, order: Order, *, fresh: bool) -> None:
    """Raise `Misuse` for what would fail minutes later; `fresh`: all its machines are new.

    What the caller may not look at is left for AWS to judge.
    """
    check_served(aws, order, instances_of(order) or ("",))
    if isinstance(order.kind, Serverless):
        return
    first = 1 if isinstance(order.kind, Component) else order.kind.count
    count = first * len(order.all_variants)
    if fresh:
        seen(lambda: quotas.check(aws, instances_of(order), count))
    use = price_list.ASYNC if isinstance(order.kind, Async) else price_list.HOSTING
    for instance in instances_of(order):
        if figures := price_list.running(aws, instance, count, use):
            say(figures)


def instances_of(order: Order) -> tuple[str, ...]:
    """The instance types, in the order in which they are tried; none of a serverless endpoint."""
    if isinstance(order.kind, Serverless):
        return ()
    return (order.kind.instance, *getattr(order.kind, "pools", ()))


def check_batch(aws: Aws, order: Order, job: Job) -> None:
    """The same of a batch transform job."""
    check_served(aws, order, (job.instance,))
    seen(lambda: quotas.check(aws, (job.instance,), job.count, "transform job"))
    if figures := price_list.running(aws, job.instance, job.count, price_list.TRANSFORM):
        say(figures)


def check_training(aws: Aws, training: Training, jobs: int = 1) -> None:
    """The same of training jobs, so many at a time; a script may have settings of its own."""
    instance, limits = training.instance, training.limits
    if training.isolated:
        check_settings(training.environment)
    check_container(aws, training.image, training.role, (instance,))
    use = "spot training job" if limits.wait else "training job"
    seen(lambda: quotas.check(aws, (instance,), jobs, use))
    if limits.warm:
        seen(lambda: quotas.check(aws, (instance,), jobs, "training warm pool"))


def check_served(aws: Aws, order: Order, instances: Sequence[str] = ()) -> None:
    """What is served: settings, container, and whether versions of the registry are approved."""
    check_settings(order.environment)
    image = order.image
    for variant in order.all_variants:
        if package := variant.archive.package:
            seen(partial(packages.check, aws, package))
            image = image or packages.image(aws, package)
    check_container(aws, image, order.role, instances)


def check_container(aws: Aws, image: str, role: str, instances: Sequence[str]) -> None:
    """Image and role; no `image` where it is not known, no `instances` where any will do."""
    if image:
        seen(lambda: check_image(aws, image, instances))
    seen(lambda: roles.check(aws, role))


def seen(look: Callable[[], None]) -> None:
    """Look, if AWS lets one."""
    try:
        look()
    except (NotAllowed, NotReached, Refused):
        return


# -- image ----------------------------------------------------------------------------------------

GRAVITON = re.compile(r"ml\.[a-z]+\d+g[a-z]*\.")
"""Machines with AWS's own processors have a g right behind the number of their generation."""


def check_image(aws: Aws, image: str, instances: Sequence[str]) -> None:
    """Raise `Misuse` for an image that is not there, or for another processor.

    An empty name of an instance type means a serverless endpoint.
    """
    try:
        found = images.platforms(aws, image)
    except Refused as exc:
        if exc.code in ("RepositoryNotFoundException", "ImageNotFoundException"):
            raise images.missing(image) from exc
        raise
    for instance in instances:
        wanted = "arm64" if GRAVITON.match(instance) else "amd64"
        if not found or wanted in found:
            continue
        raise Misuse(
            f"The image is for {' and '.join(sorted(found))}, and {instance or 'serverless'} has "
            f"processors of kind {wanted}. Choose another --instance, or push the image for them: "
            f"./build_and_push.sh --platform linux/{wanted}"
        )


# -- settings -------------------------------------------------------------------------------------


def check_settings(environment: Mapping[str, str]) -> None:
    """Raise `Misuse` for a setting of that name which the server does not have."""
    given = [name for name in environment if name.startswith(OURS)]
    known = list(settings()) if given else []
    for name in given:
        if name not in known:
            raise Misuse(
                f"--env {name}: the server has no such setting.{near(name, known)} "
                "docs/settings.md lists them."
            )


def settings() -> Iterator[str]:
    """The names of the server's settings, as it says them itself."""
    said: Any = plumbline("settings", "--markdown").stdout
    yield from re.findall(r"`(PLUMBLINE_\w+)`", said)
