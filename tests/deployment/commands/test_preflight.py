"""What would fail minutes later is said before anything is uploaded or made."""

from __future__ import annotations

import io
import json
import subprocess
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_account import ACCOUNT, REGION, Account, Deploy, inventory
from click.testing import Result
from faults import Weather, refused

from deployment.flows import preflight
from deployment.proof import inspection

URI = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/plumbline"

MANIFEST = {"config": {"digest": f"sha256:{'1' * 64}"}, "layers": []}

LIST = {"manifests": [{"platform": {"architecture": each}} for each in ("amd64", "arm64")]}

PRODUCT = {
    "product": {"attributes": {"usagetype": "EUC1-Host:ml.c5.large"}},
    "terms": {
        "OnDemand": {
            "A.B": {
                "priceDimensions": {"A.B.C": {"unit": "Hrs", "pricePerUnit": {"USD": "0.1020000"}}}
            }
        }
    },
}
"""As AWS's price list answers, shortened."""


def quotas(value: float) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Service Quotas' answer, with other quotas before the one that is looked for."""
    named = {"ml.c5.large for training job usage": 0.0, "ml.c5.large for endpoint usage": value}
    listed = [{"QuotaName": name, "Value": each} for name, each in named.items()]
    return lambda _: {"Quotas": listed}


def ecr(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What answers about an image."""
    image = {"imageManifest": json.dumps(manifest)}
    return {
        "BatchGetImage": lambda _: {"images": [image], "failures": []},
        "GetDownloadUrlForLayer": lambda _: {"downloadUrl": "https://layers/config"},
    }


@pytest.fixture
def architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies where ECR says that an image's description does."""

    def fetch(url: str, timeout: float) -> io.BytesIO:
        assert (url, timeout) == ("https://layers/config", 10.0)
        return io.BytesIO(json.dumps({"architecture": "amd64"}).encode())

    monkeypatch.setattr(urllib.request, "urlopen", fetch)


@pytest.fixture
def role(account: Account) -> str:
    """A role that SageMaker may take."""
    return made_role(account, "sagemaker.amazonaws.com")


def made_role(account: Account, service: str) -> str:
    """A role that a service may take."""
    statement = {"Effect": "Allow", "Principal": {"Service": [service]}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = account("iam").create_role(RoleName="serving", AssumeRolePolicyDocument=document)
    return str(made["Role"]["Arn"])


@pytest.fixture
def sent(deploy: Deploy, archive: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """`deploy.py up cats` with all checks, and an archive that has no golden pictures."""

    def run(command: str, *_: str) -> subprocess.CompletedProcess[str]:
        if command == "settings":
            said = "| `PLUMBLINE_SLOTS` | by the machine | … |\n| `PLUMBLINE_DEADLINE` | 60 | … |"
        else:
            said = json.dumps({"golden": {"files": []}})
        return subprocess.CompletedProcess([], 0, said, "")

    monkeypatch.setattr(inspection, "plumbline", run)
    monkeypatch.setattr(preflight, "plumbline", run)
    return lambda *more: deploy("up", "cats", "--model", archive, "--image", URI, *more)


def stubs(quota: float = 2.0, manifest: Mapping[str, Any] = MANIFEST) -> dict[str, Any]:
    """What moto lacks."""
    prices = {"GetProducts": lambda _: {"PriceList": [json.dumps(PRODUCT)]}}
    return {**prices, **ecr(manifest), "ListServiceQuotas": quotas(quota)}


def ended_early(ended: Result, account: Account, weather: Weather, phrase: str) -> None:
    """It was refused, and nothing was made."""
    assert ended.exit_code == 2, ended.stderr
    assert phrase in " ".join(ended.stderr.split())
    assert inventory(account) == {}


def test_account_region_and_cost_are_told_before_anything_is_made(
    account: Account, sent: Deploy, role: str, architecture: None
) -> None:
    with Weather(stubs=stubs()).prevailing():
        ended = sent("--role", role, "--count", 2)

    lines = ended.stderr.splitlines()
    assert ended.exit_code == 0, ended.stderr
    assert lines[0].startswith(f"AWS account {ACCOUNT}, region {REGION}, as arn:aws:")
    first = next(index for index, line in enumerate(lines) if line.startswith("Making"))
    before = "\n".join(lines[:first])
    assert "2 × ml.c5.large: billed by the second" in before
    assert "2 × ml.c5.large = $0.204 an hour, $149 a month" in before


@pytest.mark.parametrize(
    ("options", "phrase"),
    [
        (("--instance", "ml.c5.larg"), "Did you mean ml.c5.large?"),
        (("--instance", "ml.c7g.large"), "is for amd64, and ml.c7g.large has"),
        (("--count", 3), "may have 2 × ml.c5.large"),
        (("--env", "PLUMBLINE_SLOT=2"), "Did you mean PLUMBLINE_SLOTS?"),
        (("--model", "s3://models/cats.keras"), "names end in .tar.gz"),
        (("--health-timeout", "59"), "--health-timeout 59: AWS takes 60 to 3600"),
    ],
)
def test_what_was_typed_wrongly(
    account: Account,
    sent: Deploy,
    role: str,
    architecture: None,
    options: tuple[object, ...],
    phrase: str,
) -> None:
    with Weather(stubs=stubs()).prevailing() as weather:
        ended = sent("--role", role, *options)

    ended_early(ended, account, weather, phrase)


@pytest.mark.parametrize("fault", ["RepositoryNotFoundException", "nothing"])
def test_an_image_that_is_not_there(account: Account, sent: Deploy, role: str, fault: str) -> None:
    answers = {**stubs(), "BatchGetImage": lambda _: {"images": []}}
    before = {} if fault == "nothing" else {"BatchGetImage": refused(fault, "There is none.")}
    with Weather(before=before, stubs=answers).prevailing() as weather:
        ended = sent("--role", role)

    ended_early(ended, account, weather, "there is no such image. ./build_and_push.sh pushes it")


def test_an_image_for_both_processors_runs_on_either(
    account: Account, sent: Deploy, role: str
) -> None:
    with Weather(stubs=stubs(manifest=LIST)).prevailing():
        ended = sent("--role", role)

    assert ended.exit_code == 0, ended.stderr


def test_a_role_that_is_not_there(account: Account, sent: Deploy, architecture: None) -> None:
    with Weather(stubs=stubs()).prevailing() as weather:
        ended = sent("--role", f"arn:aws:iam::{ACCOUNT}:role/serving")

    ended_early(ended, account, weather, "there is no such role in this account")


def test_a_role_that_another_service_may_take(
    account: Account, sent: Deploy, architecture: None
) -> None:
    role = made_role(account, "lambda.amazonaws.com")
    with Weather(stubs=stubs()).prevailing() as weather:
        ended = sent("--role", role)

    ended_early(ended, account, weather, "SageMaker may not take this role")


def test_what_may_not_be_looked_at_is_left_to_aws(
    account: Account, sent: Deploy, role: str
) -> None:
    denied = refused("AccessDeniedException", "You are not authorized to perform this.")
    looks = ("BatchGetImage", "GetRole", "ListServiceQuotas", "GetProducts")
    with Weather(before=dict.fromkeys(looks, denied)).prevailing():
        ended = sent("--role", role)

    assert ended.exit_code == 0, ended.stderr
    assert "price list" not in ended.stderr
