"""An endpoint that does not come up: what is read, and that the next `up` creates it again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from aws_account import Account, Deploy
from faults import Weather, refused

from deployment.proof.causes import UNKNOWN, cause

GROUP = "/aws/sagemaker/Endpoints/cats"

REASON = (
    "The primary container for production variant all did not pass the ping health check. Please "
    "check CloudWatch logs for this endpoint."
)


def fail(account: Account, reason: str = REASON) -> Callable[[], None]:
    """What makes moto's endpoint fail, once it has been made."""
    from moto.sagemaker.models import sagemaker_backends

    def begin() -> None:
        made = sagemaker_backends["123456789012"]["eu-central-1"].endpoints["cats"]
        made.endpoint_status = "Failed"
        made.failure_reason = reason

    return begin


@pytest.fixture
def log(account: Account) -> Callable[..., None]:
    """Write what a container says."""
    client = account("logs")
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName="all/i-1")

    def write(*lines: str) -> None:
        now = int(time.time() * 1000)  # CloudWatch takes nothing old
        events = [{"timestamp": now + at, "message": line} for at, line in enumerate(lines)]
        client.put_log_events(logGroupName=GROUP, logStreamName="all/i-1", logEvents=events)

    return write


def test_it_says_why_with_the_end_of_the_log_and_the_likeliest_cause(
    account: Account, up: Deploy, log: Callable[..., None]
) -> None:
    told = {"time": "…", "level": "error", "message": "The model failed to load: no labels.txt."}
    log("The server starts.", json.dumps(told))
    with Weather(after={"CreateEndpoint": fail(account)}).prevailing():
        ended = up()

    assert ended.exit_code == 6
    assert REASON in ended.stderr
    assert "The server starts." in ended.stderr
    assert "The likeliest cause: The model failed to load: no labels.txt." in ended.stderr
    assert "python deploy.py down cats" in ended.stderr


def test_it_is_made_anew_by_the_same_command(account: Account, up: Deploy) -> None:
    with Weather(after={"CreateEndpoint": fail(account)}).prevailing():
        assert up().exit_code == 6

    ended = up()

    assert ended.exit_code == 0, ended.stderr
    assert "which failed" in ended.stderr
    described = account("sagemaker").describe_endpoint(EndpointName="cats")
    assert described["EndpointStatus"] == "InService"


def test_a_log_that_may_not_be_read_does_not_hide_the_reason(account: Account, up: Deploy) -> None:
    denied = refused("AccessDeniedException", "User is not authorized to perform: logs:Describe…")
    weather = Weather(
        before={"DescribeLogStreams": denied}, after={"CreateEndpoint": fail(account)}
    )
    with weather.prevailing():
        ended = up()

    assert ended.exit_code == 6
    assert REASON in ended.stderr
    assert "The log can't be read" in ended.stderr


def test_what_starts_slowly_is_waited_for(account: Account, up: Deploy) -> None:
    up()
    told = account("sagemaker").describe_endpoint(EndpointName="cats")
    answer = {key: told[key] for key in ("EndpointName", "EndpointArn", "EndpointConfigName")}
    answer |= {"CreationTime": 0, "LastModifiedTime": 0}
    seen = iter(["Creating", "Creating", "Creating", "Creating", "InService"])
    stub = {"DescribeEndpoint": lambda _: {**answer, "EndpointStatus": next(seen)}}
    with Weather(stubs=stub).prevailing():
        ended = up()

    assert ended.exit_code == 0, ended.stderr
    assert "The endpoint cats: Creating" in ended.stderr


CAUSES = [
    ("exec /usr/local/bin/serve: exec format error", "--platform linux/amd64"),
    ("2 of 10 golden pictures come out wrong. The worst is a.png", "2 of 10 golden pictures"),
    ("Worker (pid:7) was sent SIGKILL! Perhaps out of memory?", "ran out of memory"),
    ("Failed to download model data for container. AccessDenied", "s3:GetObject"),
    ("Failed to extract model data archive from S3", "no whole model.tar.gz"),
    ("Error pulling image: no basic auth credentials", "ecr:BatchGetImage"),
    ("Image size 12 GB is greater than supported", "--target slim"),
    ("Unable to provision requested ML compute capacity", "Try again later"),
    (REASON, "did not get ready in time"),
]


@pytest.mark.parametrize(("said", "meant"), CAUSES)
def test_the_likeliest_cause_is_named(said: str, meant: str) -> None:
    assert meant in cause("", [json.dumps({"message": said})])
    assert meant in cause(said, [])


def test_the_log_knows_better_than_sagemaker() -> None:
    assert "linux/arm64" in cause(REASON, ["exec format error", "the end"])
    assert cause("It failed.", ["nothing of interest"]) == UNKNOWN
