"""AWS does not answer for a while: what waits goes on waiting, and says so in a line."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aws_account import REGION, Account, Deploy, inventory, runs
from batching import Batch
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from faults import Fault, Weather, lost, refused
from rolling import Rolling

from deployment.aws import outage, predictor


def raised(error: Exception) -> Fault:
    """A call that ends before AWS was asked, or heard."""

    def fault() -> None:
        raise error

    return fault


URL = {"endpoint_url": "https://api.sagemaker.eu-central-1.amazonaws.com/"}

FAULTS: dict[str, Fault] = {
    "no network": raised(EndpointConnectionError(**URL)),
    "no connection": raised(ConnectTimeoutError(**URL)),
    "no answer": raised(ReadTimeoutError(**URL)),
    "answer lost": lost,
    "HTTP 500": refused("InternalFailure", "The request processing has failed.", 500),
    "HTTP 503": refused("ServiceUnavailable", "Service is unable to handle request.", 503),
    "throttled": refused("ThrottlingException", "Rate exceeded"),
}


@dataclass
class Silence:
    """What a call is answered for so many times, a minute each, from the first of `after` on."""

    fault: Fault
    times: int
    seconds: float = 0.0
    begun: bool = False

    def begin(self) -> None:
        """From now on."""
        self.begun = True

    def __call__(self) -> Any:
        """The fault, while it lasts."""
        if not self.begun or not self.times:
            return None
        self.times -= 1
        self.seconds += 60
        return self.fault()


Make = Callable[..., Silence]


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Make:
    """A silence, and the clock by which it lasts."""

    def make(fault: Fault, times: int, *, begun: bool = False) -> Silence:
        made = Silence(fault, times, begun=begun)
        clock = SimpleNamespace(monotonic=lambda: made.seconds)
        monkeypatch.setattr(outage, "time", clock)
        return made

    return make


def during(silence: Silence, asked: str, since: str, **stubs: Any) -> Weather:
    """A weather in which a call gets no answer once another was made."""
    return Weather(before={asked: silence}, after={since: silence.begin}, stubs=stubs)


@pytest.mark.parametrize("case", FAULTS)
def test_up_bears_an_outage_and_says_so_once(
    account: Account, up: Deploy, silence: Make, case: str
) -> None:
    weather = during(silence(FAULTS[case], 14), "DescribeEndpoint", "CreateEndpoint")
    with weather.prevailing():
        ended = up()

    assert ended.exit_code == 0, ended.stderr
    assert ended.stderr.count("AWS is asked again for up to 15 minutes.") == 1
    assert ended.stderr.count("AWS answers again, after 840 s.") == 1
    assert inventory(account)["endpoints"] == ["cats"]


def test_an_outage_of_more_than_15_minutes_ends_it(
    account: Account, up: Deploy, silence: Make
) -> None:
    quiet = silence(FAULTS["HTTP 503"], 100)
    with during(quiet, "DescribeEndpoint", "CreateEndpoint").prevailing():
        ended = up()
    again = up()

    assert ended.exit_code == 5
    assert quiet.seconds == 16 * 60
    assert "AWS did not answer sagemaker:DescribeEndpoint" in ended.stderr
    assert "The same command goes on from here." in ended.stderr
    assert again.exit_code == 0, again.stderr


def test_outages_are_counted_one_by_one(
    account: Account, up: Deploy, deploy: Deploy, better: Path, silence: Make
) -> None:
    up()
    sagemaker = Rolling(looks=60)
    quiet = silence(lost, 0, begun=True)
    looks: list[None] = []

    def look() -> Any:
        looks.append(None)
        if len(looks) in (10, 30):
            quiet.times = 10
        return quiet()

    with Weather(before={"DescribeEndpoint": look}, stubs=sagemaker.stubs).prevailing():
        ended = deploy("update", "cats", "--no-check", "--model", better)

    assert quiet.seconds == 20 * 60
    assert ended.exit_code == 0, ended.stderr


EXPIRED = {
    "expired": refused("ExpiredTokenException", "The security token has expired", 403),
    "not allowed": refused("AccessDeniedException", "User is not authorized to perform: it", 400),
}


@pytest.mark.parametrize("case", EXPIRED)
def test_credentials_that_end_meanwhile_end_it_at_once(
    account: Account, up: Deploy, silence: Make, case: str
) -> None:
    quiet = silence(EXPIRED[case], 100)
    with during(quiet, "DescribeEndpoint", "CreateEndpoint").prevailing():
        ended = up()

    assert ended.exit_code == 3
    assert quiet.times == 99
    assert "The same command goes on from here." in ended.stderr


def test_update_bears_an_outage(
    account: Account, up: Deploy, deploy: Deploy, better: Path, silence: Make
) -> None:
    up()
    before, sagemaker = runs(account), Rolling(looks=4)
    quiet = silence(FAULTS["no network"], 10)
    with during(quiet, "DescribeEndpoint", "UpdateEndpoint", **sagemaker.stubs).prevailing():
        ended = deploy("update", "cats", "--no-check", "--model", better)

    assert ended.exit_code == 0, ended.stderr
    assert quiet.times == 0
    assert runs(account) != before


def test_down_bears_an_outage_while_the_endpoint_goes(
    account: Account, up: Deploy, deploy: Deploy, silence: Make
) -> None:
    up()
    quiet = silence(lost, 10)
    with during(quiet, "DescribeEndpoint", "DeleteEndpoint").prevailing():
        ended = deploy("down", "cats", "--yes", "--data")

    assert ended.exit_code == 0, ended.stderr
    assert quiet.times == 0
    assert inventory(account) == {}


def test_an_outage_of_s3_does_not_keep_the_bill_running(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    up()
    with Weather(before={"ListObjectsV2": FAULTS["HTTP 503"]}).prevailing():
        ended = deploy("down", "cats", "--yes")

    assert ended.exit_code == 0, ended.stderr
    assert "can't be seen whether data is left. AWS did not answer s3:ListBucket" in ended.stderr
    assert set(inventory(account)) == {"objects"}


def test_a_batch_job_is_waited_for_through_an_outage(
    up: Deploy, transform: Deploy, pictures: Any, silence: Make
) -> None:
    up()
    weather = Batch(pictures, looks=4).weather()
    quiet = silence(FAULTS["HTTP 500"], 10)
    begin = weather.after["CreateTransformJob"]
    weather.after["CreateTransformJob"] = lambda: (quiet.begin(), begin())
    weather.before["DescribeTransformJob"] = quiet
    with weather.prevailing():
        ended = transform()

    assert ended.exit_code == 0, ended.stderr
    assert quiet.times == 0
    assert "3 of 3 files are answered" in ended.stderr


# -- answers --------------------------------------------------------------------------------------


class Broken:
    """A body that breaks off."""

    def read(self) -> bytes:
        raise ResponseStreamingError(error="Connection broken")


def test_an_answer_in_s3_is_waited_for_through_an_outage(
    account: Account,
    up: Deploy,
    deploy: Deploy,
    silence: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(predictor, "PAUSE", 0.0)
    place = {"LocationConstraint": REGION}
    account("s3").create_bucket(Bucket="answers", CreateBucketConfiguration=place)
    up("--async", "s3://answers/there/")
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"a picture")
    quiet = silence(FAULTS["HTTP 503"], 10, begun=True)
    bodies = iter([Broken(), io.BytesIO(b'{"cat": 1}')])

    def asked(_: Mapping[str, Any]) -> dict[str, Any]:
        return {"OutputLocation": "s3://answers/there/cat.out"}

    def fetched(_: Mapping[str, Any]) -> dict[str, Any]:
        return {"Body": next(bodies)}

    stubs = {"InvokeEndpointAsync": asked, "GetObject": fetched}
    with Weather(before={"GetObject": quiet}, stubs=stubs).prevailing():
        ended = deploy("invoke", "cats", picture)

    assert ended.exit_code == 0, ended.stderr
    assert quiet.times == 0
    assert ended.stdout == '{"cat": 1}\n'
    assert ended.stderr.count("Waiting goes on") == 1


def test_a_log_is_followed_through_an_outage(
    account: Account, up: Deploy, deploy: Deploy, silence: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployment.commands.logs.PAUSE", 0.0)
    up()
    quiet = silence(lost, 5, begun=True)

    def event(_: Mapping[str, Any]) -> Any:
        return {"events": [{"timestamp": 1, "logStreamName": "all/i-1", "message": "ready"}]}

    answers: list[None] = []

    def stop() -> None:
        answers.append(None)
        if len(answers) == 2:
            raise KeyboardInterrupt

    weather = Weather(before={"FilterLogEvents": quiet}, stubs={"FilterLogEvents": event})
    weather.after["FilterLogEvents"] = stop
    with weather.prevailing():
        ended = deploy("logs", "cats", "--follow")

    assert quiet.times == 0
    assert ended.exit_code == 130
    assert ended.stdout.count("ready") == 1
