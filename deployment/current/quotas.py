"""How many machines of a type an account may have, for each use of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def check(aws: Aws, instances: Sequence[str], count: int, use: str = "endpoint") -> None:
    """Raise `Misuse` where the account may have fewer of each of these types.

    What it has already is not counted; nothing is said where AWS lists no such quota.
    """
    wanted = {f"{instance} for {use} usage": instance for instance in instances}
    found = {
        quota["QuotaName"]: quota["Value"]
        for quota in aws.pages(ALL, "Quotas")
        if quota["QuotaName"] in wanted
    }
    if len(found) < len(wanted) or max(found.values()) >= count:
        return
    listed = " and ".join(f"{found[name]:g} × {wanted[name]}" for name in wanted if name in found)
    names = ", ".join(f"“{name}”" for name in wanted)
    raise Misuse(
        f"This account may have {listed} {USES[use]} in {aws.region}, and {count} are asked for. "
        "Choose another --instance, or have the quota raised: AWS console, Service Quotas, Amazon "
        f"SageMaker, {names}."
    )
