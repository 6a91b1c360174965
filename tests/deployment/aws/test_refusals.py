"""What a newcomer reads when AWS says no: the message alone must suffice."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.endpoint
import botocore.handlers
import pytest
from aws_account import ACCOUNT, BUCKET, IMAGE, REGION, ROLE, Account, Deploy, inventory
from botocore.awsrequest import AWSResponse
from faults import Weather, refused
from moto.core.models import botocore_stubber
from rolling import Rolling

MINE = f"arn:aws:iam::{ACCOUNT}:user/me"

DENIED = refused(
    "AccessDeniedException",
    f"User: {MINE} is not authorized to perform: sagemaker:CreateModel on resource: "
    f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/cats-1 because no identity-based policy allows "
    "the sagemaker:CreateModel action",
)

REFUSALS: dict[str, tuple[str, Any, int, tuple[str, ...]]] = {
    "expired credentials": (
        "GetCallerIdentity",
        refused("ExpiredToken", "The security token included in the request is expired", 403),
        3,
        ("have expired", "goes on where it stopped"),
    ),
    "unknown credentials": (
        "GetCallerIdentity",
        refused("InvalidClientTokenId", "The security token is invalid.", 403),
        3,
        ("does not accept your credentials in eu-central-1", "--profile"),
    ),
    "missing permission": (
        "CreateModel",
        DENIED,
        3,
        (
            "may not do sagemaker:CreateModel",
            '"Action": "sagemaker:CreateModel"',
            f'"Resource": "arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/cats-1"',
        ),
    ),
    "bucket of somebody else": (
        "HeadBucket",
        refused("403", "Forbidden", 403),
        3,
        (BUCKET, "belongs to another AWS account", "--bucket", '"Action": "s3:ListBucket"'),
    ),
    "bucket in another region": (
        "HeadBucket",
        refused("301", "Moved Permanently", 301),
        4,
        ("in another region than eu-central-1", "--bucket"),
    ),
    "bucket's name taken": (
        "CreateBucket",
        refused("BucketAlreadyExists", "The requested bucket name is not available.", 409),
        4,
        ("belongs to somebody else", "--bucket"),
    ),
    "quota": (
        "CreateEndpoint",
        refused(
            "ResourceLimitExceeded",
            "The account-level service limit 'ml.c5.large for endpoint usage' is 0 Instances.",
        ),
        4,
        ("ml.c5.large for endpoint usage", "Service Quotas", "--instance"),
    ),
    "image not found": (
        "CreateModel",
        refused("ValidationException", f'Requested image "{IMAGE}" not found.'),
        4,
        ("not found", "./build_and_push.sh"),
    ),
    "role nobody may assume": (
        "CreateModel",
        refused(
            "ValidationException",
            f"Could not assume role {ROLE}. Please ensure that the role exists and allows "
            "principal 'sagemaker.amazonaws.com' to assume the role.",
        ),
        4,
        ("Could not assume role", "trust policy", "sts:AssumeRole"),
    ),
    "AWS fails": (
        "CreateModel",
        refused("InternalFailure", "The request processing has failed.", 500),
        5,
        ("did not answer sagemaker:CreateModel", "500 (InternalFailure)", "goes on where"),
    ),
    "anything else": (
        "CreateEndpointConfig",
        refused("ValidationException", "1 validation error detected: Value is odd"),
        4,
        ("sagemaker:CreateEndpointConfig", "Value is odd."),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_says_what_to_do(account: Account, up: Deploy, case: str) -> None:
    operation, fault, status, phrases = REFUSALS[case]
    with Weather(before={operation: fault}).prevailing():
        ended = up()

    assert ended.exit_code == status, ended.stderr
    for phrase in phrases:
        assert phrase in ended.stderr


NEW_ROLES = {
    "nobody may assume it": f"Could not assume role {ROLE}. Please ensure that the role exists.",
    "it reads nothing": (
        "Could not access model data at s3://models/a.tar.gz. Please ensure that the role "
        f'"{ROLE}" exists and that its trust relationship policy allows the action '
        '"sts:AssumeRole" for the service principal "sagemaker.amazonaws.com".'
    ),
    "its token": "The security token included in the request is invalid.",
}


@pytest.mark.parametrize("case", NEW_ROLES)
def test_a_role_that_aws_does_not_know_yet_is_tried_again(
    account: Account, up: Deploy, case: str
) -> None:
    refusal = refused("ValidationException", NEW_ROLES[case])
    left = iter(range(6))
    refusals = Weather(before={"CreateModel": lambda: None if next(left, 9) == 9 else refusal()})
    with refusals.prevailing():
        ended = up()

    assert ended.exit_code == 0, ended.stderr
    assert ended.stderr.count("SageMaker can't use the role, or not yet") == 1
    assert [call.operation for call in refusals.calls].count("CreateModel") == 7


def test_a_role_that_never_suits_is_not_tried_for_ever(account: Account, up: Deploy) -> None:
    never = Weather(before={"CreateModel": refused("ValidationException", NEW_ROLES["its token"])})
    with never.prevailing():
        ended = up()

    assert ended.exit_code == 4
    assert "The security token included in the request is invalid." in ended.stderr
    assert [call.operation for call in never.calls].count("CreateModel") == 7
    assert "perhaps" not in ended.stderr


def test_half_way_it_says_what_there_is_and_how_to_remove_it(account: Account, up: Deploy) -> None:
    with Weather(before={"CreateEndpoint": REFUSALS["quota"][1]}).prevailing():
        ended = up()

    assert "There is by now:\n" in ended.stderr
    assert "  model cats-" in ended.stderr
    assert f"python deploy.py down cats --region {REGION} --data" in ended.stderr


def test_what_is_to_be_pasted_names_the_profile(
    account: Account,
    up: Deploy,
    deploy: Deploy,
    better: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    config = tmp_path / "config"
    keys = "aws_access_key_id = testing\naws_secret_access_key = testing"
    config.write_text(f"[profile 'my other']\nregion = {REGION}\n{keys}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    other = ("--profile", "my other")
    named = f"--region {REGION} --profile 'my other'"
    with Weather(before={"CreateEndpoint": REFUSALS["quota"][1]}).prevailing():
        broken = up(*other)
    with Weather(stubs=Rolling().stubs).prevailing():
        made, there = up(*other), up()
        changed = deploy("update", "cats", "--no-check", "--model", better, *other)
    removed = deploy("down", "cats", "--yes", *other)

    assert f"python deploy.py down cats {named} --data" in broken.stderr
    assert f"python deploy.py invoke cats PICTURE {named}\n" in made.stderr
    assert f"python deploy.py invoke cats PICTURE --region {REGION}\n" in there.stderr
    assert f"`python deploy.py rollback cats {named}` rolls back" in changed.stderr
    assert f"down cats --data --bucket {BUCKET} {named}\n" in removed.stderr


def test_at_ctrl_c_it_says_the_same(account: Account, up: Deploy) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with Weather(before={"CreateEndpoint": interrupt}).prevailing():
        ended = up()

    assert ended.exit_code == 130
    assert "  model cats-" in ended.stderr
    assert "The same command goes on from here." in ended.stderr


# -- what is wrong before AWS is asked ----------------------------------------------------------


def test_no_credentials(up: Deploy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))

    ended = up("--region", REGION)

    assert ended.exit_code == 3
    assert "There are no AWS credentials" in ended.stderr
    assert "aws configure" in ended.stderr


def test_no_region(up: Deploy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    ended = up()

    assert ended.exit_code == 2
    assert "--region eu-central-1" in ended.stderr


def test_no_such_profile(account: Account, up: Deploy) -> None:
    ended = up("--profile", "nobody")

    assert ended.exit_code == 3
    assert "nobody" in ended.stderr
    assert "list-profiles" in ended.stderr


def test_a_role_of_another_account(account: Account, deploy: Deploy, archive: Path) -> None:
    role = "arn:aws:iam::999999999999:role/theirs"
    ended = deploy("up", "cats", "--image", IMAGE, "--role", role, "--model", archive, "--no-check")

    assert ended.exit_code == 2
    assert "999999999999" in ended.stderr
    assert ACCOUNT in ended.stderr


def test_a_name_that_is_taken(account: Account, up: Deploy, deploy: Deploy) -> None:
    up()
    arn = account("sagemaker").describe_endpoint(EndpointName="cats")["EndpointArn"]
    account("sagemaker").delete_tags(ResourceArn=arn, TagKeys=["plumbline:name"])

    assert "The name cats is taken" in up().stderr
    assert "leaves it alone" in deploy("down", "cats", "--yes").stderr


def test_another_model_under_a_name_in_use(account: Account, up: Deploy, archive: Path) -> None:
    up()
    before = inventory(account)
    archive.write_bytes(b"another archive")

    ended = up()

    assert ended.exit_code == 4
    assert inventory(account) == before
    assert "python deploy.py update" in ended.stderr


def test_a_bucket_of_one_s_own_in_another_region(account: Account, up: Deploy) -> None:
    place = {"LocationConstraint": "eu-west-1"}
    s3 = boto3.client("s3", region_name="eu-west-1")
    s3.create_bucket(Bucket="mine", CreateBucketConfiguration=place)

    ended = up("--bucket", "mine")

    assert ended.exit_code == 4
    assert "The bucket mine is in another region than eu-central-1." in ended.stderr
    assert "name a bucket there with --bucket" in ended.stderr
    assert "update" not in ended.stderr


def test_objects_that_may_not_be_deleted_though_s3_answers(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    up()
    error = {"Key": "plumbline/cats/1", "Code": "AccessDenied", "Message": "Access Denied"}
    with Weather(stubs={"DeleteObjects": lambda _: {"Errors": [error]}}).prevailing():
        ended = deploy("down", "cats", "--yes", "--data")

    assert ended.exit_code == 3
    assert '"Action": "s3:DeleteObject"' in ended.stderr
    assert f'"Resource": "arn:aws:s3:::{BUCKET}/*"' in ended.stderr


# -- throttling ---------------------------------------------------------------------------------


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long botocore waits between two attempts, without waiting."""
    waited: list[float] = []
    clock = SimpleNamespace(**{**vars(time), "sleep": waited.append})
    monkeypatch.setattr(botocore.endpoint, "time", clock)  # other threads may sleep as ever
    return waited


class Throttle:
    """SageMaker's answer to those who ask too often, so many times; then moto's."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, event_name: str, request: Any, **event: Any) -> AWSResponse | None:
        if not event_name.endswith("CreateModel") or not self.left:
            return botocore_stubber(event_name, request, **event)
        self.left -= 1
        body = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
        return AWSResponse(request.url, 400, {"x-amzn-errortype": "ThrottlingException"}, Raw(body))


class Raw:
    """A body as urllib3 hands it on."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def stream(self) -> Any:
        """All of it."""
        yield self.body


@pytest.fixture
def throttled(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Throttle so many times, from the next client on."""

    def begin(times: int) -> None:
        handlers = [
            (event, Throttle(times) if handler is botocore_stubber else handler, *rest)
            for event, handler, *rest in botocore.handlers.BUILTIN_HANDLERS
        ]
        monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)

    return begin


def test_throttled_calls_are_made_again_after_longer_and_longer_pauses(
    account: Account, up: Deploy, throttled: Any, pauses: list[float]
) -> None:
    throttled(4)

    ended = up()

    assert ended.exit_code == 0, ended.stderr
    assert len(pauses) == 4
    assert max(pauses) <= 20


def test_throttled_for_good_it_says_that_the_same_command_goes_on(
    account: Account, up: Deploy, throttled: Any, pauses: list[float]
) -> None:
    throttled(100)

    ended = up()

    assert ended.exit_code == 5
    assert "throttling sagemaker:CreateModel" in ended.stderr
    assert len(pauses) == 7
