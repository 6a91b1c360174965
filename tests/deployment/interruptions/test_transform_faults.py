"""Each call of a `transform` in turn goes wrong: the same command ends it, `down` removes all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from aws_account import IMAGE, ROLE, Account, Deploy, inventory
from batching import Batch, filled
from faults import Died, Fault, Seen, Weather, each_fault, worth_breaking
from moto.moto_api._internal.models import moto_api_backend


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


def each_broken(
    account: Account, alone: Deploy, fault: Fault, when: str
) -> Iterator[tuple[Seen, Batch]]:
    """In an empty account each: a job that broke off at one call; that call, and its SageMaker."""
    with Batch(filled(account("s3")), looks=4).weather().prevailing() as fair:
        assert alone().exit_code == 0
    for number, call in worth_breaking(fair.calls, fault):
        moto_api_backend.reset()
        sagemaker = Batch(filled(account("s3")), looks=4)
        with broken(sagemaker, call, number, fault, when).prevailing(), suppress(Died):
            alone()
        yield call, sagemaker


def states(sagemaker: Batch) -> set[str]:
    """How the jobs are."""
    return {job.transform_job_status for job in sagemaker.backend.transform_jobs.values()}


@each_fault
def test_whatever_call_fails_the_same_command_ends_it(
    account: Account, alone: Deploy, deploy: Deploy, fault: Fault, when: str
) -> None:
    for call, begun in each_broken(account, alone, fault, when):
        sagemaker = Batch(begun.s3, looks=4)
        with sagemaker.weather().prevailing():
            ended = alone()

        assert ended.exit_code == 0, (ended.output, call)
        assert states(sagemaker) == {"Completed"}, call
        assert deploy("down", "cats", "--yes", "--data").exit_code == 0
        left = inventory(account)
        assert set(left) == {"objects"}
        assert all(each.startswith("pictures/") for each in left["objects"]), call


@each_fault
def test_whatever_call_fails_stop_and_down_leave_nothing_at_work(
    account: Account, alone: Deploy, deploy: Deploy, fault: Fault, when: str
) -> None:
    for call, sagemaker in each_broken(account, alone, fault, when):
        with sagemaker.weather().prevailing():
            ended = deploy("down", "cats", "--yes", "--data")

        assert ended.exit_code == 0, (ended.output, call)
        assert not states(sagemaker) & {"InProgress", "Stopping"}, call
        assert set(inventory(account)) == {"objects"}
