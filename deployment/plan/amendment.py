"""What runs + what is to change → the order that makes it so, and whether it can be in steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from deployment.errors import Misuse
from deployment.plan.limits import check
from deployment.plan.order import (
    Alarms,
    Archive,
    Capture,
    Component,
    Order,
    RealTime,
    Serverless,
    Variant,
    as_kept,
)
from deployment.plan.rollout import RollOut, problems
from deployment.plan.state import Running


@dataclass(frozen=True)
class Changes:
    """What is to be another than it is; what is not named stays."""

    model: Archive | None = None
    variants: tuple[Variant, ...] = ()
    shadow: Variant | None = None
    image: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    instance: str = ""
    count: int = 0
    bucket: str = ""
    dropped: tuple[str, ...] = ()
    """The variants that go."""
    weighed: tuple[str, ...] = ()
    """The variants whose weight was typed, too."""
    metrics: int | None = None
    """Seconds between two collections of the container's metrics, 0 for none."""
    alarms: Alarms | None = None
    unwatched: bool = False
    """Whether there are to be no standing alarms any more."""
    capture: Capture | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    routing: str = ""
    unscaled: bool = False
    """Whether the number of machines is to follow the load no longer."""


def changed(running: Running, changes: Changes) -> Order:
    """The order after the changes. Raises `Misuse` for those that can't be."""
    now = running.order
    if now.multi and (changes.model or changes.variants or changes.shadow):
        raise Misuse(
            f"{now.name} serves a folder of models: `python deploy.py models {now.name} --add` "
            "adds one."
        )
    check_variants(running, changes)
    named = {variant.name: variant for variant in changes.variants}
    if changes.model:
        named[now.variants[0].name] = Variant(now.variants[0].name, changes.model)
    kept = tuple(
        replace(variant, archive=named.pop(variant.name, variant).archive)
        for variant in now.variants
        if variant.name not in changes.dropped
    )
    check_dropped(running, changes)
    return check(
        replace(
            now,
            variants=(*kept, *named.values()),
            shadow=changes.shadow or staying(now.shadow, changes),
            image=changes.image or now.image,
            environment={**now.environment, **changes.environment},
            kind=resized(running, changes),
            bucket=changes.bucket or now.bucket,
            scaling=None if changes.unscaled else now.scaling,
            metrics=now.metrics if changes.metrics is None else changes.metrics,
            alarms=None if changes.unwatched else changes.alarms or now.alarms,
            capture=changes.capture or now.capture,
            tags={**now.tags, **changes.tags},
            routing=changes.routing or now.routing,
        )
    )


def staying(shadow: Variant | None, changes: Changes) -> Variant | None:
    """The variant that listens, unless it is to go."""
    return shadow if shadow and shadow.name not in changes.dropped else None


def unscaled(running: Running, changes: Changes) -> tuple[str, ...]:
    """The variants whose machines follow the load no longer: AWS lets no other variant go."""
    gone = running.scaled if changes.unscaled else changes.dropped
    return tuple(each for each in running.scaled if each in gone)


def check_variants(running: Running, changes: Changes) -> None:
    """Raise `Misuse` where it would have to be guessed which variant gets what."""
    now = {variant.name: variant for variant in running.order.variants}
    first, listed = next(iter(now)), ", ".join(now)
    if changes.model and len(now) > 1:
        name = running.order.name
        raise Misuse(f"{name} has several variants ({listed}): --variant {first}=MODEL.")
    named = [*(each.name for each in changes.variants), *([first] if changes.model else ())]
    for variant in changes.variants:
        if named.count(variant.name) > 1:
            raise Misuse(f"Two archives are named for the variant {variant.name}: one of them.")
        before = now.get(variant.name)
        if before is None or variant.name in changes.dropped or variant.name not in changes.weighed:
            continue
        if as_kept(variant.weight) != before.weight:
            raise Misuse(
                f"The variant {variant.name} has the weight {before.weight:g}, and `python "
                f"deploy.py weights {running.order.name} {variant.name}={variant.weight:g}` "
                "changes it, without new instances: leave it out here."
            )


def check_dropped(running: Running, changes: Changes) -> None:
    """Raise `Misuse` for variants that can't go."""
    order = running.order
    listed = [variant.name for variant in order.all_variants]
    for name in changes.dropped:
        if (
            name not in listed and name not in running.former
        ):  # it may have gone by this very change
            raise Misuse(f"{order.name} has no variant {name}; it has {', '.join(listed)}.")
    if not {variant.name for variant in order.variants} - set(changes.dropped):
        raise Misuse(
            f"No variant would be left: `python deploy.py down {order.name}` removes an endpoint."
        )


def resized(running: Running, changes: Changes) -> Any:
    """The kind with other machines. Raises `Misuse`."""
    kind = running.order.kind
    if not changes.instance and not changes.count:
        return kind
    if isinstance(kind, Serverless):
        raise Misuse("A serverless endpoint has no instances: leave out --instance and --count.")
    scaled = running.scaled and not changes.unscaled
    if scaled and changes.instance not in ("", kind.instance):
        raise Misuse(
            f"The number of instances of {', '.join(running.scaled)} follows the load, and AWS "
            "does not let the instance type change then: add --autoscale none, which ends that."
        )
    instance, *pools = changes.instance.split(",")
    moved = replace(kind, count=changes.count or kind.count)
    if not instance:
        return moved
    if isinstance(moved, RealTime):
        return replace(moved, instance=instance, pools=tuple(pools))
    return replace(moved, instance=changes.instance)


def guarded(running: Running, order: Order) -> bool:
    """Whether SageMaker can roll this out in steps, and back by itself."""
    before, after = ({each.name for each in made.variants} for made in (running.order, order))
    if isinstance(order.kind, Serverless | Component) or before != after:
        return False
    return not order.kind.instance.startswith("ml.inf1.")


def check_rollout(running: Running, order: Order, rollout: RollOut, *, asked: bool) -> None:
    """Raise `Misuse` for steps that SageMaker would not take; `asked`: they were asked for."""
    if not guarded(running, order):
        if asked:
            raise Misuse(
                "--canary, --linear, --rolling, --bake, --max-latency and --max-errors are for "
                "endpoints with instances (but not ml.inf1, and not for inference components) "
                "whose variants keep their names. SageMaker changes this one all at once: leave "
                "them out; deploy.py itself rolls back if golden pictures come out wrong."
            )
        return
    for problem in problems(rollout, machines(running, order)):
        raise Misuse(problem)


def machines(running: Running, order: Order) -> dict[str, int]:
    """How many machines each variant will have."""
    if isinstance(order.kind, Serverless):
        return {}
    fresh = order.kind.count != getattr(running.order.kind, "count", 0)
    return {
        each.name: order.kind.count if fresh else running.machines(each.name) or order.kind.count
        for each in order.variants
    }
