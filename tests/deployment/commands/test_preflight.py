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
from aws_account import ACCOUNT, REGION, ROLE, Account, Deploy, inventory
from batching import IN, OUT
from click.testing import Result
from faults import Weather, refused
from hosting import Hosting

from deployment.flows import preflight
from deployment.proof import inspection

REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"

URI = f"{REGISTRY}/plumbline"

MANIFEST = {"config": {"digest": f"sha256:{'1' * 64}"}, "layers": []}

LIST = {"manifests": [{"platform": {"architecture": each}} for each in ("amd64", "arm64")]}


def product(usage: str, price: str) -> str:
    """As AWS's price list has it, shortened."""
    dimensions = {"A.B.C": {"unit": "Hrs", "pricePerUnit": {"USD": price}}}
    return json.dumps(
        {
            "product": {"attributes": {"usagetype": f"EUC1-{usage}"}},
            "terms": {"OnDemand": {"A.B": {"priceDimensions": dimensions}}},
        }
    )


PRODUCTS = [
    product("Host:ml.c5.large", "0.1020000"),
    product("AsyncInf:ml.c5.large", "0.1110000"),
    product("Train:ml.c5.xlarge", "0.9000000"),
    product("Tsform:ml.c5.xlarge", "0.2350000"),
]


USES = (*("spot training job", "training warm pool", "training job", "transform job", "endpoint"),)
"""What there are quotas for; the two pools of special machines are of one at most here."""


def quotas(value: float) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Service Quotas' answer, with other quotas before the one that is looked for."""
    listed = [
        {"QuotaName": f"{instance} for {use} usage", "Value": value if use in USES[2:] else 1.0}
        for instance in ("ml.c5.large", "ml.c5.xlarge")
        for use in USES
    ]
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
    prices = {"GetProducts": lambda _: {"PriceList": PRODUCTS}}
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


def test_the_quota_of_one_of_several_types_is_enough(
    sent: Deploy, role: str, architecture: None
) -> None:
    named = {"ml.c5.large": 0.0, "ml.c5.xlarge": 5.0}
    listed = [
        {"QuotaName": f"{each} for endpoint usage", "Value": value} for each, value in named.items()
    ]
    prices = [*PRODUCTS, product("Host:ml.c5.xlarge", "0.2040000")]
    more = {
        "ListServiceQuotas": lambda _: {"Quotas": listed},
        "GetProducts": lambda _: {"PriceList": prices},
    }
    with Weather(stubs={**stubs(), **more}).prevailing():
        ended = sent("--role", role, "--count", 3, "--instance", "ml.c5.large,ml.c5.xlarge")

    assert ended.exit_code == 0, ended.stderr
    for figures in ("3 × ml.c5.large = $0.306 an hour", "3 × ml.c5.xlarge = $0.612 an hour"):
        assert figures in ended.stderr


def test_copies_of_a_component_are_no_instances(
    sent: Deploy, role: str, architecture: None
) -> None:
    answers = {**stubs(quota=1), **Hosting().stubs}
    with Weather(stubs=answers).prevailing():
        ended = sent("--role", role, "--component", 1024, "--count", 4)

    assert ended.exit_code == 0, ended.stderr
    assert "1 to 4, as the copies need, × ml.c5.large: billed by the second" in ended.stderr
    assert "1 × ml.c5.large = $0.102 an hour" in ended.stderr


@pytest.mark.parametrize(
    ("options", "phrase"),
    [
        (("--env", "PLUMBLINE_SLOT=2"), "Did you mean PLUMBLINE_SLOTS?"),
        (("--role", f"arn:aws:iam::{ACCOUNT}:role/another"), "there is no such role"),
        (("--image", f"{REGISTRY}/team/server:v9"), "there is no such image"),
    ],
)
def test_what_is_registered_is_checked_first(
    account: Account,
    sent: Deploy,
    deploy: Deploy,
    archive: Path,
    role: str,
    *,
    options: tuple[str, ...],
    phrase: str,
) -> None:
    answers = stubs()
    if options[0] == "--image":
        answers["BatchGetImage"] = lambda _: {"images": []}
    with Weather(stubs=answers).prevailing() as weather:
        ended = deploy(
            *("register", "cats", "--model", archive, "--image", URI, "--role", role, *options)
        )

    ended_early(ended, account, weather, phrase)


def test_async_endpoints_have_prices_of_their_own(
    sent: Deploy, role: str, architecture: None
) -> None:
    with Weather(stubs=stubs()).prevailing():
        ended = sent("--role", role, "--async", "s3://answers/cats/")

    assert "1 × ml.c5.large = $0.111 an hour, $81 a month" in ended.stderr


def test_what_a_batch_transform_costs_is_told_before_anything_is_made(
    begin: Deploy, role: str, studying: Weather, architecture: None
) -> None:
    studying.stubs |= stubs()
    ended = begin("transform", "--role", role, "--count", 2)

    told, made = (ended.stderr.find(words) for words in ("2 × ml.c5.xlarge = $0.470", "Making"))
    assert 0 <= told < made, ended.stderr
    assert "an hour, without taxes and discounts." in ended.stderr
    assert "a month" not in ended.stderr


@pytest.mark.parametrize(
    ("options", "phrase"),
    [
        (("--instance", "ml.c5.larg"), "Did you mean ml.c5.large?"),
        (("--instance", "ml.c7g.large"), "is for amd64, and ml.c7g.large has"),
        (("--instance", "ml.c5.large,ml.c7g.large"), "is for amd64, and ml.c7g.large has"),
        (("--count", 3), "may have 2 × ml.c5.large"),
        (
            ("--count", 3, "--instance", "ml.c5.large,ml.c5.xlarge"),
            "may have 2 × ml.c5.large and 2 × ml.c5.xlarge behind endpoints",
        ),
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


@pytest.mark.usefixtures("architecture")
@pytest.mark.parametrize("by", [":v1", "@sha256:"])
def test_an_image_is_looked_for_by_its_tag_or_its_digest(
    account: Account, sent: Deploy, role: str, by: str
) -> None:
    pushed = account("ecr")
    pushed.create_repository(repositoryName="team/server")
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, **MANIFEST})
    put = {"repositoryName": "team/server", "imageManifest": manifest}
    made = pushed.put_image(**put, imageTag="v1")["image"]["imageId"]["imageDigest"]
    tail = made if by == "@sha256:" else "v1"
    there = {key: each for key, each in stubs().items() if key != "BatchGetImage"}
    with Weather(stubs=there).prevailing():
        missing = sent("--role", role, "--image", f"{REGISTRY}/team/server:v2")
        found = sent("--role", role, "--image", f"{REGISTRY}/team/server{by[0]}{tail}")

    assert found.exit_code == 0, found.stderr
    assert missing.exit_code == 2
    assert "there is no such image" in missing.stderr


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


# -- jobs -----------------------------------------------------------------------------------------


@pytest.fixture
def begin(
    deploy: Deploy, sent: Deploy, archive: Path, photos: Path, pictures: Any
) -> Callable[..., Result]:
    """`train`, `search` or `transform` with all that they need, checked beforehand."""
    given: dict[str, tuple[object, ...]] = {
        "train": ("cats", "--data", photos),
        "search": ("cats", "--data", photos, "--choose", "optimizer=adam,sgd", "--parallel", 2),
        "transform": ("cats", IN, OUT, "--model", archive),
    }
    machine = ("--image", URI, "--instance", "ml.c5.xlarge")
    return lambda command, *more: deploy(command, *given[command], *machine, *more)


JOBS = ("train", "search", "transform")


@pytest.mark.usefixtures("architecture")
@pytest.mark.parametrize("command", JOBS)
@pytest.mark.parametrize(
    ("options", "phrase"),
    [
        (("--instance", "ml.c5.xlarg"), "Did you mean ml.c5.xlarge?"),
        (("--env", "PLUMBLINE_SLOT=2"), "Did you mean PLUMBLINE_SLOTS?"),
        (("--role", f"arn:aws:iam::{ACCOUNT}:role/another"), "there is no such role"),
    ],
)
def test_what_was_typed_wrongly_for_a_job(
    account: Account,
    begin: Deploy,
    role: str,
    command: str,
    options: tuple[object, ...],
    phrase: str,
) -> None:
    before = inventory(account)
    with Weather(stubs=stubs()).prevailing():
        ended = begin(command, "--role", role, *options)

    assert ended.exit_code == 2, ended.stderr
    assert phrase in " ".join(ended.stderr.split())
    assert inventory(account) == before


@pytest.mark.parametrize("command", JOBS)
def test_an_image_for_another_processor_is_none_for_a_job(
    account: Account, begin: Deploy, role: str, command: str
) -> None:
    arm = {"manifests": [{"platform": {"architecture": "arm64"}}]}
    with Weather(stubs=stubs(manifest=arm)).prevailing():
        ended = begin(command, "--role", role)

    assert ended.exit_code == 2, ended.stderr
    assert "The image is for arm64, and ml.c5.xlarge has" in " ".join(ended.stderr.split())


@pytest.mark.usefixtures("architecture")
@pytest.mark.parametrize(
    ("command", "options", "phrase"),
    [
        ("train", (), "may have 0 × ml.c5.xlarge for training jobs in"),
        ("train", ("--spot", "--env", "A=1"), None),
        ("train", ("--warm", "30m"), "may have 0 × ml.c5.xlarge for training jobs in"),
        ("search", (), "may have 0 × ml.c5.xlarge for training jobs in"),
        ("search", ("--spot",), "may have 1 × ml.c5.xlarge for training jobs on Spot instances"),
        ("transform", ("--count", 3), "may have 0 × ml.c5.xlarge for batch transform jobs"),
    ],
)
def test_a_quota_of_jobs_is_that_of_their_kind(
    begin: Deploy,
    role: str,
    studying: Weather,
    command: str,
    options: tuple[object, ...],
    phrase: str | None,
) -> None:
    studying.stubs |= stubs(quota=0)
    ended = begin(command, "--role", role, *options)

    assert ended.exit_code == (2 if phrase else 0), ended.stderr
    assert (phrase or "") in " ".join(ended.stderr.split())


@pytest.mark.usefixtures("architecture")
def test_instances_that_are_kept_warm_have_a_quota_of_their_own(
    account: Account, begin: Deploy, role: str
) -> None:
    named = {"training job": 2.0, "training warm pool": 0.0}
    listed = [
        {"QuotaName": f"ml.c5.xlarge for {use} usage", "Value": most} for use, most in named.items()
    ]
    with Weather(stubs={**stubs(), "ListServiceQuotas": lambda _: {"Quotas": listed}}).prevailing():
        ended = begin("train", "--role", role, "--warm", "30m")

    assert ended.exit_code == 2, ended.stderr
    assert "may have 0 × ml.c5.xlarge kept warm after training jobs" in ended.stderr


@pytest.mark.usefixtures("architecture")
def test_a_script_may_have_settings_of_its_own(
    account: Account,
    begin: Deploy,
    role: str,
    studying: Weather,
    tmp_path: Path,
) -> None:
    script = tmp_path / "code" / "train.py"
    script.parent.mkdir()
    script.write_text("print(1)")
    studying.stubs |= stubs()
    ended = begin("train", "--role", role, "--script", script, "--env", "PLUMBLINE_MINE=2")

    assert ended.exit_code == 0, ended.stderr


@pytest.mark.parametrize("command", JOBS)
def test_without_checks_aws_judges_a_job(
    account: Account, begin: Deploy, studying: Weather, command: str
) -> None:
    studying.before |= dict.fromkeys(
        ("BatchGetImage", "GetRole", "ListServiceQuotas"), refused("Internal", "It was asked.")
    )
    begin(command, "--role", ROLE, "--no-check")

    asked = {call.operation for call in studying.calls}
    assert not {"BatchGetImage", "GetRole", "ListServiceQuotas"} & asked
    assert asked & {"CreateTrainingJob", "CreateHyperParameterTuningJob", "CreateTransformJob"}
