"""Each call of a `transform` in turn goes wrong: the same command ends it, `down` removes all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from aws_account import IMAGE, ROLE, Account, Deploy, inventory
from batching import Batch, filled
from faults import Died, Fault, Seen, Weather, died, lost, refused
from moto.moto_api._internal.models import moto_api_backend

REFUSED = refused("ValidationException", "Something is not as it should be.")

WEATHERS = pytest.mark.parametrize(
    ("fault", "when"),
    [(REFUSED, "before"), (died, "before"), (lost, "after"), (died, "after")],
    ids=["refused", "killed before", "answer lost", "killed after"],
)


@pytest.fixture
def alone(transform: Deploy, archive: Path) -> Deploy:
    """`deploy.py transform cats` without an endpoint."""
    named = ("--image", IMAGE, "--model", archive, "--role", ROLE, "--no-check")
    return lambda *more: transform(*named, *more)


def broken(sagemaker: Batch, call: Seen, number: int, fault: Fault, when: str) -> Weather:
    """SageMaker's side, and one call that goes wrong once that side has done its part."""
    weather = sagemaker.weather()
    faults: dict[int | str, Fault] = getattr(weather, when)
    usual = faults.get(call.operation)

    def both() -> object:
        if usual:
            usual()
        return fault()

    faults[number] = both
    return weather


def states(sagemaker: Batch) -> set[str]:
    """How the jobs are."""
    return {job.transform_job_status for job in sagemaker.backend.transform_jobs.values()}


@WEATHERS
def test_whatever_call_fails_the_same_command_ends_it(
    account: Account, alone: Deploy, deploy: Deploy, fault: Fault, when: str
) -> None:
    with Batch(filled(account("s3")), looks=4).weather().prevailing() as fair:
        assert alone().exit_code == 0
    for number, call in enumerate(fair.calls):
        if not call.changes and fault is not REFUSED:
            continue
        moto_api_backend.reset()
        s3 = filled(account("s3"))
        weather = broken(Batch(s3, looks=4), call, number, fault, when)
        with weather.prevailing(), suppress(Died):
            alone()
        sagemaker = Batch(s3, looks=4)
        with sagemaker.weather().prevailing():
            ended = alone()

        assert ended.exit_code == 0, (ended.output, call)
        assert states(sagemaker) == {"Completed"}, call
        assert deploy("down", "cats", "--yes", "--data").exit_code == 0
        left = inventory(account)
        assert set(left) == {"objects"}
        assert all(each.startswith("pictures/") for each in left["objects"]), call


@WEATHERS
def test_whatever_call_fails_stop_and_down_leave_nothing_at_work(
    account: Account, alone: Deploy, deploy: Deploy, fault: Fault, when: str
) -> None:
    with Batch(filled(account("s3")), looks=4).weather().prevailing() as fair:
        assert alone().exit_code == 0
    for number, call in enumerate(fair.calls):
        if not call.changes and fault is not REFUSED:
            continue
        moto_api_backend.reset()
        sagemaker = Batch(filled(account("s3")), looks=4)
        with broken(sagemaker, call, number, fault, when).prevailing(), suppress(Died):
            alone()
        with sagemaker.weather().prevailing():
            ended = deploy("down", "cats", "--yes", "--data")

        assert ended.exit_code == 0, (ended.output, call)
        assert not states(sagemaker) & {"InProgress", "Stopping"}, call
        assert set(inventory(account)) == {"objects"}
