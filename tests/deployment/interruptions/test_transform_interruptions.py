"""`deploy.py transform`, interrupted: the job goes on, is found again, and can be stopped."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aws_account import REGION, Account, Deploy, inventory
from batching import IN, OUT, Batch
from faults import Died, Fault, Weather, died, lost, refused

pytestmark = pytest.mark.usefixtures("pictures")


def test_ctrl_c_offers_what_stops_the_job_and_the_same_command_waits_for_it(
    account: Account, up: Deploy, transform: Deploy, pictures: Any
) -> None:
    def interrupt() -> None:
        if sagemaker.backend.transform_jobs:
            raise KeyboardInterrupt

    up()
    sagemaker = Batch(pictures, looks=4)
    with sagemaker.weather(DescribeTransformJob=interrupt).prevailing():
        broken = transform()
    with sagemaker.weather().prevailing():
        stopped = transform("--stop", "--dry-run")
        ended = transform()

    assert broken.exit_code == 130
    stopping = f"python deploy.py transform cats {IN} {OUT} --stop --region {REGION}\n"
    assert stopping in broken.stderr
    assert json.loads(stopped.stdout)["calls"][0]["operation"] == "StopTransformJob"
    assert "what was answered stays, billed as storage" in stopped.stderr
    assert ended.exit_code == 0, ended.stderr
    assert len(sagemaker.backend.transform_jobs) == 1


def test_a_job_is_stopped_by_stop_and_by_down(
    account: Account,
    up: Deploy,
    transform: Deploy,
    deploy: Deploy,
    pictures: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = (datetime(2024, 5, 6, 7, 8, second, tzinfo=UTC) for second in range(60))
    clock = SimpleNamespace(now=lambda _: next(seconds))  # each job has another in its name
    monkeypatch.setattr("deployment.commands.transform.datetime", clock)
    up()
    sagemaker = Batch(pictures, looks=100)
    for command in (("transform", "cats", IN, OUT, "--stop"), ("down", "cats", "--yes")):
        weather = sagemaker.weather()
        weather.before["ListObjectsV2"] = kill_once_at_work(sagemaker)
        with weather.prevailing(), suppress(Died):
            transform()
        shown = deploy("status", "cats")
        with sagemaker.weather().prevailing():
            ended = deploy(*command)

        assert "batch job cats-" in shown.stdout
        assert ended.exit_code == 0, ended.stderr
        assert {job.transform_job_status for job in sagemaker.backend.transform_jobs.values()} == {
            "Stopped"
        }
    assert "models" not in inventory(account)


def test_a_job_that_ends_while_down_looks_keeps_nothing_from_being_removed(
    account: Account, up: Deploy, transform: Deploy, deploy: Deploy, pictures: Any
) -> None:
    up()
    sagemaker = Batch(pictures, looks=100)
    weather = sagemaker.weather()
    weather.before["ListObjectsV2"] = kill_once_at_work(sagemaker)
    with weather.prevailing(), suppress(Died):
        transform()
    refusing = refused("ValidationException", "The job is in the status Completed.")

    def end() -> Any:
        for job in sagemaker.backend.transform_jobs.values():
            job.transform_job_status = "Completed"
        return refusing()

    with Weather(before={"StopTransformJob": end}).prevailing():
        ended = deploy("down", "cats", "--yes")

    assert ended.exit_code == 0, ended.stderr
    assert "endpoints" not in inventory(account)


def kill_once_at_work(sagemaker: Batch) -> Fault:
    """Nothing, and death as soon as a job is at work."""

    def perhaps() -> None:
        jobs = sagemaker.backend.transform_jobs.values()
        if any(job.transform_job_status == "InProgress" for job in jobs):
            died()

    return perhaps


def test_no_job_to_stop(up: Deploy, transform: Deploy) -> None:
    up()
    ended = transform("--stop")

    assert ended.exit_code == 4
    assert "No job of cats is at work" in ended.stderr


def test_a_lost_answer_makes_no_second_job(up: Deploy, transform: Deploy, pictures: Any) -> None:
    up()
    sagemaker = Batch(pictures, looks=4)

    def begin() -> None:
        sagemaker.begin()
        lost()

    with sagemaker.weather(CreateTransformJob=begin).prevailing():
        ended = transform()

    assert ended.exit_code == 0, ended.stderr
    assert len(sagemaker.backend.transform_jobs) == 1


def test_a_refused_job_is_told_and_leaves_nothing_at_work(
    account: Account, up: Deploy, transform: Deploy, pictures: Any
) -> None:
    up()
    limit = refused("ResourceLimitExceeded", "The limit for ml.c5.xlarge is 0 Instances.")
    with Weather(before={"CreateTransformJob": limit}).prevailing():
        ended = transform()

    assert ended.exit_code == 4
    assert "Service Quotas" in ended.stderr
    assert account("sagemaker").list_transform_jobs()["TransformJobSummaries"] == []
