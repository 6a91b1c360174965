"""Tags of one's own are on everything that is made, and what AWS would not take is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_account import BUCKET, Account, Deploy, inventory
from faults import Weather

TAGS = ("--tag", "team=vision", "--tag", "cost centre=4711/a")


def tagged(account: Account) -> Iterator[dict[str, str]]:
    """The tags of each thing that can have some."""
    sagemaker, kinds = account("sagemaker"), ("Model", "EndpointConfig", "Endpoint")
    for kind in kinds:
        page = sagemaker.get_paginator(f"list_{kind.lower().replace('config', '_config')}s")
        for each in page.paginate().build_full_result()[f"{kind}s"]:
            yield listed(sagemaker.list_tags(ResourceArn=each[f"{kind}Arn"])["Tags"])
    for each in inventory(account)["objects"]:
        key = each.removeprefix(f"{BUCKET}/")
        yield listed(account("s3").get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"])
    for each in account("cloudwatch").describe_alarms()["MetricAlarms"]:
        alarm = each["AlarmArn"]
        yield listed(account("cloudwatch").list_tags_for_resource(ResourceARN=alarm)["Tags"])
    for each in account("logs").describe_log_groups()["logGroups"]:
        yield account("logs").list_tags_for_resource(resourceArn=each["logGroupArn"])["tags"]


def listed(tags: list[dict[str, str]]) -> dict[str, str]:
    """As a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def test_everything_that_is_made_has_them_and_down_removes_it(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    options = ("--async", "s3://answers/there/", "--autoscale", "0:2", "--log-days", 30)
    ended = up(*options, *TAGS)
    found = list(tagged(account))
    group = account("logs").describe_log_groups()["logGroups"][0]

    assert ended.exit_code == 0, ended.stderr
    assert len(found) == 6
    for tags in found:
        assert tags["plumbline:name"] == "cats"
        assert (tags["team"], tags["cost centre"]) == ("vision", "4711/a")
    assert (group["logGroupName"], group["retentionInDays"]) == (
        "/aws/sagemaker/Endpoints/cats",
        30,
    )
    assert deploy("down", "cats", "--yes", "--data").exit_code == 0
    assert inventory(account) == {}


def test_update_keeps_them_and_adds_to_them(
    account: Account, up: Deploy, change: Deploy, better: Path, weather: Weather
) -> None:
    up(*TAGS)
    ended = change("--model", better, "--tag", "team=sight", "--tag", "stage=live")
    found = list(tagged(account))

    assert ended.exit_code == 0, ended.stderr
    [newest] = [tags for tags in found if "plumbline:before" in tags]
    for tags in (newest, *(each for each in found if each.get("team") == "sight")):
        assert (tags["team"], tags["cost centre"]) == ("sight", "4711/a")
        assert tags["stage"] == "live"
    endpoint = account("sagemaker").describe_endpoint(EndpointName="cats")["EndpointArn"]
    assert listed(account("sagemaker").list_tags(ResourceArn=endpoint)["Tags"])["team"] == "sight"


@pytest.mark.parametrize(
    ("tags", "phrase"),
    [
        (("team",), "it must be KEY=VALUE"),
        (("=x",), "a key has 1 to 128 characters"),
        (("a" * 129 + "=x",), "a key has 1 to 128 characters"),
        (("a=" + "x" * 257,), "a value at most 256"),
        (("a=x;y",), "not ';'"),
        (("aws:team=x",), "are taken"),
        (("Plumbline:name=x",), "are taken"),
        (("a=1", "a=2"), "a key is given twice"),
        (("a=1", "A=2"), "differ by their case alone"),
        (tuple(f"k{number}=x" for number in range(9)), "which leaves 8"),
    ],
)
def test_what_aws_would_refuse_is_refused_before_it_is_asked(
    account: Account, up: Deploy, weather: Weather, tags: tuple[str, ...], phrase: str
) -> None:
    ended = up(*(word for tag in tags for word in ("--tag", tag)))

    assert ended.exit_code == 2
    assert phrase in ended.stderr
    assert weather.calls == []


def test_the_longest_tag_is_taken(account: Account, up: Deploy) -> None:
    ended = up("--tag", f"{'k' * 128}={'ü' * 256}")

    assert ended.exit_code == 0, ended.stderr
