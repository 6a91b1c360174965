"""`--template`: what cfn-lint accepts, for every kind of plan, and what makes the same in moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aws_account import ACCOUNT, REGION, Account, Deploy, inventory
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from cfnlint.rules import Rules
from faults import Weather, refused
from test_plans import ORDERS

from deployment.plan.endpoint import plan_up
from deployment.plan.order import Order
from deployment.plan.template import TYPES, template

KNOWN = {each.id: each.values[0] for each in ORDERS}

CHOSEN = (
    "real-time, one, by requests, shadowed",
    "real-time, two, by concurrency, full",
    "real-time, one, fixed, many models",
    "real-time, a folder, fixed, plain",
    "real-time, a package, fixed, plain",
    "component, one, copies to zero, full",
    "several types, one, fixed, measured",
    "provisioned, one, fixed, plain",
    "real-time, one, fixed, measured",
    "async, two, to zero, full",
    "told, one, fixed, plain",
)
"""Each kind, and each option, once: cfn-lint takes half a second for one."""


def test_they_are_of_every_kind_and_option() -> None:
    kinds = {type(KNOWN[each].kind) for each in CHOSEN}
    more = {each.rpartition(", ")[2] for each in CHOSEN}

    assert kinds == {type(each.kind) for each in KNOWN.values()}
    assert more == {each.rpartition(", ")[2] for each in KNOWN}


@pytest.fixture(scope="module", autouse=True)
def rules_read_once() -> Iterator[None]:
    """cfn-lint would import its three hundred rules anew for each template."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rules, "create_from_module", cache(Rules.create_from_module))
        yield


@pytest.mark.parametrize("name", CHOSEN)
def test_cfn_lint_accepts_the_template(name: str) -> None:
    text = json.dumps(template(plan_up(KNOWN[name])))

    assert [str(each) for each in lint(text, config=ManualArgs(regions=[REGION]))] == []


def test_a_template_that_is_wrong_would_be_noticed() -> None:
    wrong = template(plan_up(KNOWN[CHOSEN[0]]))
    del wrong["Resources"]["EndpointConfig"]["Properties"]["ProductionVariants"]

    assert lint(json.dumps(wrong), config=ManualArgs(regions=[REGION]))


@pytest.mark.parametrize("order", [pytest.param(KNOWN[each], id=each) for each in CHOSEN])
def test_everything_that_up_makes_is_in_it_but_bucket_and_archive(order: Order) -> None:
    plan = plan_up(order)
    made = [step.call.operation for step in plan.steps if hasattr(step, "again")]
    resources = template(plan)["Resources"].values()

    expected = [TYPES[each] for each in made if each in TYPES and each != "CreateBucket"]
    assert sorted(each["Type"] for each in resources) == sorted(expected)
    assert set(made) - set(TYPES) <= {"PutRetentionPolicy"}


def strings(value: Any) -> Iterator[str]:
    """All texts in a document."""
    if isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


def test_nothing_that_no_plan_can_know_is_left_open() -> None:
    text = json.dumps(template(plan_up(KNOWN["async, two, to zero, full"])))

    assert not [each for each in strings(json.loads(text)) if each.startswith("<")]


# -- the command --------------------------------------------------------------------------------


def test_it_prints_the_template_and_what_comes_first_and_does_nothing(
    account: Account, up: Deploy, archive: Path
) -> None:
    ended = up("--template")

    assert ended.exit_code == 0, ended.stderr
    assert "Endpoint" in json.loads(ended.stdout)["Resources"]
    assert f"Before the stack is made: aws s3 cp {archive} s3://sagemaker-" in ended.stderr
    assert inventory(account) == {}


def test_an_endpoint_of_a_stack_is_changed_by_its_template_alone(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    made = {"plumbline:name": "cats", "aws:cloudformation:stack-name": "vision"}
    tags = [{"Key": key, "Value": value} for key, value in made.items()]
    before, first = up(), inventory(account)
    with Weather(stubs={"ListTags": lambda _: {"Tags": tags}}).prevailing():
        again = up("--template")
        changed = deploy("update", "cats", "--env", "A=1")
        removed = deploy("down", "cats", "--yes", "--data")

    assert (before.exit_code, again.exit_code) == (0, 0), again.stderr
    for ended in (changed, removed):
        assert ended.exit_code == 4
        assert "is of the CloudFormation stack vision" in ended.stderr
    assert inventory(account) == first


def test_an_endpoint_that_is_there_is_not_for_a_stack_to_make(account: Account, up: Deploy) -> None:
    up()
    ended = up("--template")

    assert ended.exit_code == 4
    assert "CloudFormation makes only what is not there" in ended.stderr
    assert ended.stdout == ""


def test_without_a_permission_to_look_it_is_printed_all_the_same(
    account: Account, up: Deploy
) -> None:
    denied = refused("AccessDeniedException", "You are not authorized to perform this.")
    with Weather(before={"DescribeEndpoint": denied}).prevailing():
        ended = up("--template")

    assert ended.exit_code == 0, ended.stderr


# -- of an update -------------------------------------------------------------------------------


def stacked(_asked: Any) -> dict[str, Any]:
    """The tags of what a stack has made."""
    made = {"plumbline:name": "cats", "aws:cloudformation:stack-name": "vision"}
    return {"Tags": [{"Key": key, "Value": value} for key, value in made.items()]}


@pytest.mark.parametrize(
    "options",
    [
        ("--log-days", 30),
        ("--autoscale", "1:4", "--target", 100),
        ("--alarms", f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"),
        ("--async", "s3://answers/there/", "--autoscale", "0:2"),
        ("--serverless", 2048),
        ("--metrics", "none", "--capture", "s3://kept/here", "--count", 2),
        ("--kms-key", "alias/mine", "--routing", "random"),
    ],
    ids=lambda options: str(options[0]),
)
def test_that_of_an_update_is_that_of_an_endpoint_made_so_at_once(
    account: Account, up: Deploy, deploy: Deploy, better: Path, options: tuple[object, ...]
) -> None:
    changes = ("--model", better, "--env", "PLUMBLINE_SLOTS=2")
    with Weather(stubs={"ListTags": stacked}).prevailing():
        wanted = up(*options, *changes, "--template", model=False)
        made, first = up(*options), inventory(account)
        ended = deploy("update", "cats", *changes, "--template")

    assert (made.exit_code, wanted.exit_code, ended.exit_code) == (0, 0, 0), ended.stderr
    assert json.loads(ended.stdout) == json.loads(wanted.stdout)
    assert f"Before the stack is updated: aws s3 cp {better} s3://" in ended.stderr
    assert "It updates the CloudFormation stack vision" in ended.stderr
    assert inventory(account) == first
    assert lint(ended.stdout, config=ManualArgs(regions=[REGION])) == []


def test_that_of_a_multi_model_endpoint_keeps_its_folder(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    up("--multi-model", model=False)
    ended = deploy("update", "cats", "--env", "A=1", "--template")

    assert ended.exit_code == 0, ended.stderr
    container = json.loads(ended.stdout)["Resources"]["Model"]["Properties"]["PrimaryContainer"]
    assert container["Mode"] == "MultiModel"
    assert container["Environment"]["A"] == "1"


def test_of_an_endpoint_of_no_stack_it_is_said_what_comes_first(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    up()
    ended = deploy("update", "cats", "--template")

    assert ended.exit_code == 0, ended.stderr
    assert "Endpoint" in json.loads(ended.stdout)["Resources"]
    assert "belongs to no CloudFormation stack" in ended.stderr
    assert "deploy.py down cats" in ended.stderr


@pytest.mark.parametrize("option", ["--canary", "--bake", "--max-errors"])
def test_steps_of_a_roll_out_are_none_of_a_template(
    account: Account, up: Deploy, deploy: Deploy, option: str
) -> None:
    up()
    ended = deploy("update", "cats", "--env", "A=1", option, "10", "--template")

    assert ended.exit_code == 2
    assert f"{option} is of no use with --template" in " ".join(ended.stderr.split())
