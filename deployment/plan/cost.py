"""What an order costs while it is left running, in words: AWS's prices are AWS's to say."""

from __future__ import annotations

from collections.abc import Iterator

from deployment.plan.components import most_instances
from deployment.plan.order import Async, Component, Order, RealTime, Serverless


def costs(order: Order) -> Iterator[str]:
    """A sentence for each thing that is billed."""
    kind = order.kind
    if isinstance(kind, Serverless):
        yield (
            f"Serverless, {kind.memory} MB: billed by the millisecond while it answers, nothing "
            "while it does not."
        )
        if kind.provisioned:
            yield (
                f"{kind.provisioned} × {kind.memory} MB kept ready: billed all the time, until "
                f"`python deploy.py down {order.name}`."
            )
    else:
        tried = " or ".join((kind.instance, *getattr(kind, "pools", ())))
        yield from machines(order, tried, instances(order, kind))
        if isinstance(kind, Async):
            yield "Requests wait in S3, answers are kept there: billed as storage."
    if any(each.archive.file for each in order.all_variants):
        yield (
            "The archive in S3: billed as storage, until "
            f"`python deploy.py down {order.name} --data`."
        )
    if order.capture:
        yield (
            f"{order.capture.percent} % of requests and answers are kept in {order.capture.url}: "
            "billed as storage, until you delete them."
        )
    if order.metrics:
        yield metrics(order)
    if order.alarms:
        yield (
            "The alarms and the dashboard: CloudWatch bills them by the month, until `python "
            f"deploy.py down {order.name}`. Prices: https://aws.amazon.com/cloudwatch/pricing"
        )


def instances(order: Order, kind: RealTime | Async | Component) -> str:
    """How many of each variant; those of a component follow from its copies."""
    if not isinstance(kind, Component):
        return str(kind.count)
    most = most_instances(order, kind)
    return "1" if most == 1 else f"1 to {most}, as the copies need,"


def metrics(order: Order) -> str:
    """What is known of the price of metrics."""
    if not isinstance(order.kind, RealTime):
        return (
            "The container writes a line of metrics a minute: CloudWatch bills 9 custom metrics a "
            "variant twice (by the endpoint, and by the variant), and the lines as logs. --metrics "
            "none saves that. Prices: https://aws.amazon.com/cloudwatch/pricing"
        )
    return (
        f"Metrics, collected every {order.metrics} s: about 260 series of each instance's "
        "container, and AWS's own. CloudWatch bills them; what detailed observability costs was "
        "not known when this was written. --metrics none saves that. Prices: "
        "https://aws.amazon.com/cloudwatch/pricing"
    )


def machines(order: Order, instance: str, count: str) -> Iterator[str]:
    """Machines are billed whether they are asked or not."""
    variants = len(order.all_variants)
    each = (
        f"{variants} variants × {count} × {instance}" if variants > 1 else f"{count} × {instance}"
    )
    yield (
        f"{each}: billed by the second, idle or not, until `python deploy.py down {order.name}`. "
        "Prices: https://aws.amazon.com/sagemaker/pricing"
    )
    if order.scaling:
        yield (
            f"With load between {order.scaling.least} and {order.scaling.most} "
            f"{'copies' if isinstance(order.kind, Component) else 'instances a variant'}."
            + (" At 0 no instance is billed." if order.scaling.least == 0 else "")
        )
