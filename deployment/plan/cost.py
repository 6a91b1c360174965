"""What an order costs while it is left running, in words: AWS's prices are AWS's to say."""

from __future__ import annotations

from collections.abc import Iterator

from deployment.plan.order import Async, Order, Serverless


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
                f"`down {order.name}`."
            )
    else:
        yield from machines(order, kind.instance, kind.count)
        if isinstance(kind, Async):
            yield "Requests wait in S3, answers are kept there: billed as storage."
    if any(each.archive.file for each in order.all_variants):
        yield f"The archive in S3: billed as storage, until `down {order.name} --data`."
    if order.capture:
        yield (
            f"{order.capture.percent} % of requests and answers are kept in {order.capture.url}: "
            "billed as storage; nobody removes them but you."
        )


def machines(order: Order, instance: str, count: int) -> Iterator[str]:
    """Machines are billed whether they are asked or not."""
    variants = len(order.all_variants)
    each = (
        f"{variants} variants × {count} × {instance}" if variants > 1 else f"{count} × {instance}"
    )
    yield (
        f"{each}: billed by the second, whether asked or not, until `down {order.name}`. "
        "Prices: https://aws.amazon.com/sagemaker/pricing"
    )
    if order.scaling:
        yield (
            f"With load between {order.scaling.least} and {order.scaling.most} machines a variant."
            + (" At 0 no machine is billed." if order.scaling.least == 0 else "")
        )
