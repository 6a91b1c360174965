"""What instances cost, in figures, where AWS's price list can be asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deployment.aws.client import Aws

HOME = "us-east-1"
"""The price list of all regions is asked here."""

PARTITION = "aws"
"""The only one whose prices are in that list."""

TRAINING, HOSTING, ASYNC, TRANSFORM = "Train", "Host", "AsyncInf", "Tsform"
"""What AWS's bills call the use of an instance."""

HOURS = 730
"""Of a month."""

UNASKED = (BotoCoreError, ClientError, OSError, ValueError, KeyError)
"""How asking for a price fails."""

PATIENCE = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=10)
"""A figure is no reason to wait for."""


def ceiling(aws: Aws, instance: str, seconds: int, jobs: int = 1, warm: int = 0) -> str:
    """The most that jobs cost which run for so many seconds each; or why that can't be said."""
    try:
        price = hourly(aws, instance, TRAINING)
    except UNASKED as exc:
        return (
            "In figures it can't be said: AWS's price list can't be asked, which takes "
            f"credentials that allow pricing:GetProducts ({str(exc)[:200]})."
        )
    if price is None:
        return f"In figures it can't be said: AWS's price list lacks {instance} in {aws.region}."
    most = price * seconds * jobs / 3600
    kept = f", and {money(price * warm / 3600)} while the instance is kept" if warm else ""
    return (
        f"That is at most {money(most)}{kept}: {instance} costs {price.normalize():f} USD an hour "
        f"in {aws.region} by AWS's price list, on demand and without taxes."
    )


def running(aws: Aws, instance: str, count: int, use: str) -> str:
    """What so many instances cost while they run; empty where that can't be said."""
    try:
        price = hourly(aws, instance, use)
    except UNASKED:
        return ""  # it is said for information: the reason is of no use here
    if price is None:
        return ""
    longer = "" if use == TRANSFORM else f", ${price * count * HOURS:,.0f} a month"
    return (
        f"By AWS's price list: {count} × {instance} = ${price * count:.3f} an hour{longer}, "
        "without taxes and discounts."
    )


def money(amount: Decimal) -> str:
    """Dollars, rounded up to a cent."""
    return f"{amount.quantize(Decimal('0.01'), 'ROUND_CEILING')} USD"


def hourly(aws: Aws, instance: str, use: str) -> Decimal | None:
    """What an instance costs an hour, on demand, in a use; None if the list doesn't have it."""
    if aws.session.get_partition_for_region(aws.region) != PARTITION:
        return None
    fields = {"regionCode": aws.region, "instanceName": instance}
    asked = [{"Type": "TERM_MATCH", "Field": key, "Value": fields[key]} for key in fields]
    client = aws.session.client("pricing", region_name=HOME, config=PATIENCE)
    pages = client.get_paginator("get_products").paginate(
        ServiceCode="AmazonSageMaker", Filters=asked
    )
    found = [json.loads(text) for page in pages for text in page["PriceList"]]
    return max((price for each in found for price in prices(each, instance, use)), default=None)


OPERATION = "GetProducts"
"""What the paginator asks, as policies name it."""


def prices(product: Any, instance: str, use: str) -> Iterator[Decimal]:
    """The prices of a product that is this instance, such as EUC1-Train:ml.c7i.4xlarge."""
    usage = str(product["product"]["attributes"].get("usagetype", ""))
    if usage.rpartition("-")[2] == f"{use}:{instance}":
        for offer in product["terms"].get("OnDemand", {}).values():
            for each in offer["priceDimensions"].values():
                yield Decimal(each["pricePerUnit"]["USD"])
