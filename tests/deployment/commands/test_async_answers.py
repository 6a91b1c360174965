"""`invoke` of an async endpoint: one picture after the other, a large one by way of S3."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_account import BUCKET, REGION, Account, Deploy
from faults import Weather

from deployment.aws.s3 import place

MOST = 128_000
"""Bytes that SageMaker takes within a request, by its API reference."""


@pytest.fixture
def pictures(account: Account, up: Deploy, tmp_path: Path) -> list[Path]:
    """Pictures, and the endpoint that is asked for them."""
    place = {"LocationConstraint": REGION}
    account("s3").create_bucket(Bucket="answers", CreateBucketConfiguration=place)
    assert up("--async", "s3://answers/there/").exit_code == 0
    files = [tmp_path / f"{name}.png" for name in ("a", "b", "c")]
    for file, size in zip(files, (1, 1, MOST + 1), strict=True):
        file.write_bytes(file.stem.encode() * size)
    return files


@pytest.fixture
def weather(account: Account) -> Weather:
    """A container that can't answer for b."""
    s3 = account("s3")

    def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
        if "Body" in asked:
            picture = asked["Body"]
        else:
            bucket, key = place(asked["InputLocation"])
            picture = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        name = picture[:1].decode()
        kind, body = ("failed", "not an image") if name == "b" else ("out", json.dumps(name))
        s3.put_object(Bucket="answers", Key=f"there/{name}.{kind}", Body=io.BytesIO(body.encode()))
        url = f"s3://answers/there/{name}"
        return {"OutputLocation": f"{url}.out", "FailureLocation": f"{url}.failed"}

    return Weather(stubs={"InvokeEndpointAsync": answer})


def test_a_picture_that_can_not_be_answered_keeps_none_from_being_sent(
    deploy: Deploy, pictures: list[Path], weather: Weather
) -> None:
    with weather.prevailing():
        ended = deploy("invoke", "cats", *pictures)

    assert ended.exit_code == 1
    assert ended.stdout == '"a"\n"c"\n'
    assert "b.png: not an image" in ended.stderr
    places = [each.parameters["Bucket"] for each in weather.calls if each.operation == "PutObject"]
    assert places.count(BUCKET) == 1, "c alone is too large for a request"


def test_a_dry_run_shows_how_such_an_endpoint_is_asked(
    deploy: Deploy, pictures: list[Path], weather: Weather
) -> None:
    with weather.prevailing():
        ended = deploy("invoke", "cats", pictures[0], pictures[2], "--dry-run")

    inline, put, asked = json.loads(ended.stdout)["calls"]
    assert inline["parameters"]["Body"] == str(pictures[0])
    assert (put["operation"], asked["operation"]) == ("PutObject", "InvokeEndpointAsync")
    assert asked["parameters"]["InputLocation"].startswith(f"s3://{BUCKET}/plumbline/cats/requests")
    assert "stay in S3: billed as storage" in ended.stderr
    assert not [call for call in weather.calls if call.changes]


@pytest.mark.parametrize("option", [("--variant", "all"), ("--json",)])
def test_what_it_would_ignore_is_refused(
    deploy: Deploy, pictures: list[Path], option: tuple[str, ...]
) -> None:
    ended = deploy("invoke", "cats", pictures[0], *option)

    assert ended.exit_code == 2
    assert f"leave out {option[0]}" in ended.stderr
