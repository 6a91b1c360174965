"""How many machines of a type an account may have, for each use of them."""

from __future__ import annotations

from collections.abc import Mapping

from deployment.aws.client import Aws
from deployment.errors import Misuse
from deployment.plan.calls import Call

ALL = Call("service-quotas", "ListServiceQuotas", {"ServiceCode": "sagemaker", "MaxResults": 100})

USES: Mapping[str, str] = {
    "endpoint": "behind endpoints",
    "transform job": "for batch transform jobs",
    "training job": "for training jobs",
    "spot training job": "for training jobs on Spot instances",
    "training warm pool": "kept warm after training jobs",
}
"""What Service Quotas calls a use, and what a sentence does."""


def check(aws: Aws, instance: str, count: int, use: str = "endpoint") -> None:
    """Raise `Misuse` where the account may have fewer; nothing where AWS lists no such quota."""
    wanted = f"{instance} for {use} usage"
    for quota in aws.pages(ALL, "Quotas"):
        if quota["QuotaName"] == wanted and quota["Value"] < count:
            raise Misuse(
                f"This account may have {quota['Value']:g} × {instance} {USES[use]} in "
                f"{aws.region}, and {count} are asked for. Choose another --instance, or have the "
                f"quota raised: AWS console, Service Quotas, Amazon SageMaker, “{wanted}”."
            )
        if quota["QuotaName"] == wanted:
            return
