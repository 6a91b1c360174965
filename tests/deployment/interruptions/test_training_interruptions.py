"""`deploy.py train` and `search`, broken off at every call: nothing is lost, all is named."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any

import pytest
from aws_account import REGION, Account, Deploy, inventory
from faults import Died, Fault, each_fault, lost, refused
from learning import STATES, School


def ctrl_c() -> None:
    """As the terminal does it."""
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(params=("train", "seek"))
def command(request: pytest.FixtureRequest) -> Deploy:
    """A training job, or a search."""
    found: Deploy = request.getfixturevalue(request.param)
    return found


def begun(school: School) -> list[str]:
    """The jobs that were asked for: searches have jobs of their own."""
    return [*school.searches] or [*school.jobs]


@each_fault
def test_after_every_change_the_same_command_goes_on_and_down_finds_all(
    fault: Fault, when: str, command: Deploy, school: School, deploy: Deploy, account: Account
) -> None:
    with school.weather().prevailing() as undisturbed:
        assert command().exit_code == 0
    numbers = [number for number, call in enumerate(undisturbed.calls) if call.changes]
    clear(deploy, school)
    assert len(numbers) == 5  # the bucket, three pictures, the job
    for number in numbers:
        weather = school.weather()
        after = weather.after.get(undisturbed.calls[number].operation)
        getattr(weather, when)[number] = both(after if when == "after" else None, fault)
        with weather.prevailing(), suppress(Died):
            command()
        with school.weather().prevailing():
            again = command("--follow")

        assert again.exit_code == 0, (number, again.stderr)
        assert len(begun(school)) == 1, number
        clear(deploy, school)
        assert inventory(account) == {}, number


def both(first: Fault | None, fault: Fault) -> Fault:
    """The fault, once AWS has done what it does at that call."""

    def then() -> Any:
        if first:
            first()
        return fault()

    return then


def clear(deploy: Deploy, school: School) -> None:
    """Remove all, as a user does."""
    with school.weather().prevailing():
        removed = deploy("down", "cats", "--yes", "--data")
    assert removed.exit_code == 0, removed.stderr
    assert school.jobs == school.searches == {}


@pytest.mark.parametrize("looks", range(len(STATES)))
def test_ctrl_c_in_every_state_leaves_the_job_at_work_and_names_it(
    looks: int, train: Deploy, deploy: Deploy, school: School
) -> None:
    def perhaps() -> None:
        school.look()
        if set(school.looks.values()) == {looks + 1}:
            ctrl_c()

    with school.weather(DescribeTrainingJob=perhaps).prevailing():
        broken = train("--follow", "--up")
    [job] = school.jobs.values()
    named = job.training_job_name
    assert broken.exit_code == 130
    assert f"The training job {named} goes on at AWS without this command." in broken.stderr
    line = f"python deploy.py train cats --follow --up --region {REGION}\n"
    assert line in broken.stderr
    assert f"python deploy.py train cats --stop --region {REGION}\n" in broken.stderr
    assert "StopTrainingJob" not in broken.stderr

    with school.weather().prevailing():
        ended = deploy("train", "cats", "--follow", "--up", "--no-check")

    assert ended.exit_code == 0, ended.stderr
    assert list(school.jobs) == [named]
    assert "The endpoint cats is in service" in ended.stderr


def test_an_endpoint_that_broke_off_is_gone_on_with_without_training_again(
    train: Deploy, deploy: Deploy, school: School, account: Account
) -> None:
    with school.weather(CreateEndpointConfig=ctrl_c).prevailing():
        broken = train("--up", "--no-check")
    again = f"python deploy.py train cats --up --region {REGION}"
    with school.weather().prevailing():
        ended = deploy("train", "cats", "--up", "--no-check")

    assert broken.exit_code == 130
    assert f"`{again}` goes on from here." in broken.stderr
    assert "perhaps configuration cats-" in broken.stderr
    assert ended.exit_code == 0, ended.stderr
    assert len(school.jobs) == 1
    assert inventory(account)["endpoints"] == ["cats"]


def test_ctrl_c_while_a_search_is_watched(seek: Deploy, deploy: Deploy, school: School) -> None:
    def perhaps() -> None:
        if school.searches:
            ctrl_c()

    with school.weather(DescribeHyperParameterTuningJob=perhaps).prevailing():
        broken = seek("--follow")
    with school.weather().prevailing():
        ended = deploy("search", "cats", "--follow")

    assert broken.exit_code == 130
    assert f"python deploy.py search cats --stop --region {REGION}\n" in broken.stderr
    assert ended.exit_code == 0, ended.stderr
    assert len(school.searches) == 1


def test_an_upload_that_broke_off_goes_on_with_what_lacks(
    train: Deploy, school: School, account: Account
) -> None:
    puts = 0

    def second() -> Any:
        nonlocal puts
        puts += 1
        return refused("AccessDenied", "no")() if puts == 2 else None

    weather = school.weather()
    weather.before["PutObject"] = second
    with weather.prevailing():
        broken = train()
    lacking = 3 - len(inventory(account)["objects"])
    with school.weather().prevailing() as weather:
        ended = train()

    assert broken.exit_code == 3
    assert "perhaps data s3://" in broken.stderr
    assert ended.exit_code == 0, ended.stderr
    assert lacking in (1, 2)
    assert f"Uploading {lacking} of 3 files" in ended.stderr
    assert [call.operation for call in weather.calls].count("PutObject") == lacking


@pytest.mark.parametrize("operation", ["CreateTrainingJob", "PutObject", "CreateBucket"])
def test_what_was_asked_for_is_perhaps_there(operation: str, train: Deploy, school: School) -> None:
    weather = school.weather()
    before = weather.after.get(operation, lambda: None)

    def break_off() -> None:
        before()
        ctrl_c()

    weather.after[operation] = break_off
    with weather.prevailing():
        broken = train("--follow")

    assert broken.exit_code == 130
    assert "AWS was asked for it, and its answer not heard" in broken.stderr
    assert f"python deploy.py down cats --region {REGION} --data" in broken.stderr


def test_a_bucket_that_was_named_is_named_for_its_removal_too(
    train: Deploy, deploy: Deploy, school: School, account: Account
) -> None:
    weather = school.weather()
    weather.before["CreateTrainingJob"] = refused("ResourceLimitExceeded", "The limit is 0.")
    with weather.prevailing():
        broken = train("--bucket", "my-own")
    [line] = [
        each
        for each in broken.stderr.splitlines()
        if "deploy.py down" in each and "--bucket" in each
    ]
    with school.weather().prevailing():
        removed = deploy(*line.split()[2:], "--yes")

    assert broken.exit_code == 4
    assert removed.exit_code == 0, removed.stderr
    assert inventory(account) == {}


def test_an_outage_while_a_job_is_watched_is_borne(train: Deploy, school: School) -> None:
    outages = 0

    def sometimes() -> None:
        nonlocal outages
        school.look()
        outages += 1
        if outages in (3, 4):
            lost()

    with school.weather(DescribeTrainingJob=sometimes).prevailing():
        ended = train("--follow")

    assert ended.exit_code == 0, ended.stderr
    assert "Waiting goes on" in ended.stderr
    assert "AWS answers again" in ended.stderr
