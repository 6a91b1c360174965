"""`deploy.py account`: what an account needs is made once, is enough to deploy, and goes again."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aws_account import ACCOUNT, BUCKET, REGION, Account, Deploy
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from faults import FAULTS, Died, Weather, worth_breaking
from moto import mock_aws

from deployment import policy
from deployment.policy import Place

FILE = Path(__file__).parents[3] / "deployment/account.yaml"

ROLE = f"arn:aws:iam::{ACCOUNT}:role/plumbline"

PLACE = Place(REGION, ACCOUNT)


def there(account: Account) -> dict[str, Any]:
    """What there is of it."""
    iam, s3, ecr = account("iam"), account("s3"), account("ecr")
    found = {
        "roles": [each["RoleName"] for each in iam.list_roles()["Roles"]],
        "policies": [each["PolicyName"] for each in iam.list_policies(Scope="Local")["Policies"]],
        "buckets": [each["Name"] for each in s3.list_buckets()["Buckets"]],
        "images": [each["repositoryName"] for each in ecr.describe_repositories()["repositories"]],
    }
    return {kind: names for kind, names in found.items() if names}


COMPLETE = {
    "roles": ["plumbline"],
    "policies": ["plumbline-deploy"],
    "buckets": [BUCKET],
    "images": ["plumbline"],
}


def test_it_is_all_there_and_the_role_is_said(account: Account, deploy: Deploy) -> None:
    ended = deploy("account", "--keep-images", 10, "--tag", "team=vision")
    again = deploy("account")

    iam, s3, ecr = account("iam"), account("s3"), account("ecr")
    assert (ended.exit_code, ended.stdout) == (0, f"{ROLE}\n"), ended.stderr
    assert again.stdout == ended.stdout
    assert there(account) == COMPLETE
    role = iam.get_role(RoleName="plumbline")["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(json.dumps(policy.TRUST))
    assert {"Key": "team", "Value": "vision"} in role["Tags"]
    found = iam.get_role_policy(RoleName="plumbline", PolicyName="serve")
    assert found["PolicyDocument"] == policy.role(PLACE)
    shut = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert set(shut.values()) == {True}
    tags = {each["Key"]: each["Value"] for each in s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]}
    assert tags["team"] == "vision"
    rules = ecr.get_lifecycle_policy(repositoryName="plumbline")["lifecyclePolicyText"]
    assert [rule["selection"]["countNumber"] for rule in json.loads(rules)["rules"]] == [14, 10]


def test_the_tags_of_a_bucket_that_was_there_stay(account: Account, deploy: Deploy) -> None:
    s3 = account("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    own = {"TagSet": [{"Key": "owner", "Value": "somebody"}]}
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging=own)

    assert deploy("account").exit_code == 0

    assert s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == own["TagSet"]


@pytest.mark.parametrize("document", policy.DOCUMENTS)
def test_each_policy_is_printed_for_this_account(
    account: Account, deploy: Deploy, document: str
) -> None:
    ended = deploy("account", "--policy", document)

    assert ended.exit_code == 0, ended.stderr
    expected = policy.DOCUMENTS[document](PLACE)
    assert json.loads(ended.stdout) == json.loads(json.dumps(expected))
    assert there(account) == {}


def test_an_endpoint_can_be_made_with_it(account: Account, deploy: Deploy, archive: Path) -> None:
    role = deploy("account").stdout.strip()
    uri = account("ecr").describe_repositories()["repositories"][0]["repositoryUri"]
    ended = deploy(
        *("up", "cats", "--model", archive, "--image", uri, "--role", role, "--no-check")
    )

    assert ended.exit_code == 0, ended.stderr


def test_a_role_of_somebody_else_stays_as_it_is(account: Account, deploy: Deploy) -> None:
    account("iam").create_role(RoleName="plumbline", AssumeRolePolicyDocument="{}")
    for options in ((), ("--remove",)):
        ended = deploy("account", *options)

        assert ended.exit_code == 4
        assert "--name takes another name" in ended.stderr
        assert there(account) == {"roles": ["plumbline"]}


def test_what_is_in_use_stays_when_the_rest_is_removed(account: Account, deploy: Deploy) -> None:
    deploy("account")
    account("s3").put_object(Bucket=BUCKET, Key="model.tar.gz", Body=b"an archive")
    ended = deploy("account", "--remove")

    assert ended.exit_code == 0, ended.stderr
    assert f"The bucket {BUCKET} stays" in ended.stderr
    assert there(account) == {"buckets": [BUCKET]}


def test_a_dry_run_changes_nothing_and_says_what_the_administrator_needs(
    account: Account, deploy: Deploy
) -> None:
    ended = deploy("account", "--dry-run")

    assert json.loads(ended.stdout)["policies"]["admin"] == policy.admin(PLACE)
    assert there(account) == {}


@pytest.mark.parametrize("kind", FAULTS)
def test_whatever_call_fails_it_goes_on_and_can_be_removed(
    account: Account, deploy: Deploy, kind: str
) -> None:
    fault, when = FAULTS[kind]
    with mock_aws(), Weather().prevailing() as fair:
        deploy("account")
    for number, call in worth_breaking(fair.calls, fault):
        with mock_aws():
            with Weather(**{when: {number: fault}}).prevailing(), suppress(Died):
                deploy("account")
            ended = deploy("account")
            assert ended.exit_code == 0, ended.stderr
            assert there(account) == COMPLETE, call
            assert deploy("account", "--remove").exit_code == 0
            assert there(account) == {}


def test_the_template_is_that_of_the_repository_and_cfn_lint_accepts_it(deploy: Deploy) -> None:
    printed = deploy("account", "--template").stdout

    assert json.loads(printed) == json.loads(FILE.read_text("utf-8")), (
        "write it anew: python deploy.py account --template > deployment/account.yaml"
    )
    assert lint(printed, config=ManualArgs(regions=[REGION])) == []
