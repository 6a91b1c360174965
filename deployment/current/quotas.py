"""How many machines of a type an account may have behind endpoints."""

from __future__ import annotations

from deployment.aws.client import Aws
from deployment.errors import Misuse
from deployment.plan.calls import Call

ALL = Call("service-quotas", "ListServiceQuotas", {"ServiceCode": "sagemaker", "MaxResults": 100})


def check(aws: Aws, instance: str, count: int) -> None:
    """Raise `Misuse` where the account may have fewer; nothing where AWS lists no such quota."""
    wanted = f"{instance} for endpoint usage"
    for quota in aws.pages(ALL, "Quotas"):
        if quota["QuotaName"] == wanted and quota["Value"] < count:
            raise Misuse(
                f"This account may have {quota['Value']:g} × {instance} behind endpoints in "
                f"{aws.region}, and {count} are asked for. Choose another --instance, or have the "
                f"quota raised: AWS console, Service Quotas, Amazon SageMaker, “{wanted}”."
            )
        if quota["QuotaName"] == wanted:
            return
