"""`deploy.py scan`: Amazon ECR's findings, by moto and by botocore's description of its answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aws_account import ACCOUNT, REGION, Account, Deploy
from botocore.stub import Stubber

from deployment.aws.client import Aws
from deployment.commands import scan

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"

DIGEST = "sha256:" + "a" * 64

IMAGE = f"{HOST}/plumbline@{DIGEST}"

ASKED = {
    "registryId": ACCOUNT,
    "repositoryName": "plumbline",
    "imageId": {"imageDigest": DIGEST},
}

MANIFEST = json.dumps(
    {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}
)

Answer = dict[str, Any]


def basic(name: str, severity: str, package: str) -> Answer:
    """A finding of basic scanning."""
    attributes = [
        {"key": "package_name", "value": package},
        {"key": "package_version", "value": "1.0-1"},
    ]
    uri = f"https://security-tracker.debian.org/tracker/{name}"
    return {"name": name, "severity": severity, "uri": uri, "attributes": attributes}


def enhanced(name: str, severity: str, *packages: Answer, status: str = "ACTIVE") -> Answer:
    """A finding of Amazon Inspector's."""
    details = {"vulnerabilityId": name, "vulnerablePackages": list(packages)}
    return {"severity": severity, "status": status, "packageVulnerabilityDetails": details}


def answer(status: str, *findings: Answer, kind: str = "findings", token: str = "") -> Answer:
    """What Amazon ECR says."""
    more = {"nextToken": token} if token else {}
    found = {"imageScanFindings": {kind: list(findings)}} if findings else {}
    return {"imageScanStatus": {"status": status, "description": "It is so."}, **found, **more}


@contextmanager
def registry(*answers: Answer) -> Iterator[Stubber]:
    """Amazon ECR that gives these answers, which botocore holds against its own description."""
    client = Aws(REGION).client("ecr")
    token: Answer = {}
    with pytest.MonkeyPatch.context() as patch, Stubber(client) as stubber:
        patch.setattr(Aws, "client", lambda _self, _service: client)
        for each in answers:
            stubber.add_response("describe_image_scan_findings", each, {**ASKED, **token})
            token = {"nextToken": each["nextToken"]} if "nextToken" in each else {}
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is scanned, and needs no waiting for."""
    monkeypatch.setattr(scan, "PAUSE", 0.0)


def test_what_moto_finds_is_shown_and_ends_with_a_status_of_its_own(
    account: Account, deploy: Deploy
) -> None:
    ecr = account("ecr")
    ecr.create_repository(repositoryName="plumbline")
    ecr.put_image(repositoryName="plumbline", imageManifest=MANIFEST, imageTag="1")
    ecr.start_image_scan(repositoryName="plumbline", imageId={"imageTag": "1"})

    ended = deploy("scan", f"{HOST}/plumbline:1")

    assert ended.exit_code == 9, ended.stderr
    assert ended.stdout.split() == [
        *("HIGH", "CVE-9999-9999", "moto_fake", "9.9.9"),
        "https://cve.mitre.org/cgi-bin/cvename.cgi?name=CVE-9999-9999",
    ]
    assert "Amazon ECR found 1 known vulnerability: 1 high." in ended.stderr
    assert "1 of severity high or worse" in ended.stderr


def test_what_was_never_scanned_is_told_apart_from_what_has_nothing(
    account: Account, deploy: Deploy
) -> None:
    ecr = account("ecr")
    ecr.create_repository(repositoryName="plumbline")
    ecr.put_image(repositoryName="plumbline", imageManifest=MANIFEST, imageTag="1")

    ended = deploy("scan", f"{HOST}/plumbline:1")

    assert ended.exit_code == 10
    assert "it was not scanned. Turn on scanning when pushed" in ended.stderr


def test_an_image_that_is_not_there_is_named(account: Account, deploy: Deploy) -> None:
    account("ecr").create_repository(repositoryName="plumbline")

    ended = deploy("scan", IMAGE)

    assert ended.exit_code == 4, ended.stderr
    assert "plumbline" in ended.stderr


def test_findings_of_all_pages_are_sorted_by_severity(account: Account, deploy: Deploy) -> None:
    pages = (
        answer("COMPLETE", basic("CVE-1", "LOW", "zlib"), token="more"),
        answer("COMPLETE", basic("CVE-2", "UNDEFINED", "bash"), basic("CVE-3", "MEDIUM", "perl")),
    )
    with registry(*pages):
        ended = deploy("scan", IMAGE)

    assert ended.exit_code == 0, ended.stderr
    assert [line.split()[0] for line in ended.stdout.splitlines()] == ["MEDIUM", "LOW", "UNDEFINED"]
    assert "found 3 known vulnerabilities: 1 medium, 1 low, 1 undefined." in ended.stderr


@pytest.mark.parametrize(
    ("fail_on", "status"),
    [("critical", 0), ("high", 0), ("medium", 9), ("low", 9), ("never", 0)],
)
def test_the_severity_that_fails_is_chosen(
    fail_on: str, status: int, account: Account, deploy: Deploy
) -> None:
    with registry(answer("COMPLETE", basic("CVE-1", "MEDIUM", "perl"))):
        assert deploy("scan", IMAGE, "--fail-on", fail_on).exit_code == status


def test_amazon_inspector_s_findings_name_each_package_and_the_mended_version(
    account: Account, deploy: Deploy
) -> None:
    mended = {"name": "openssl", "version": "3.5.1", "fixedInVersion": "3.5.9"}
    not_mended = {"name": "libssl3t64", "version": "3.5.1", "fixedInVersion": "NotAvailable"}
    found = answer(
        "ACTIVE",
        enhanced("CVE-1", "CRITICAL", mended, not_mended),
        enhanced("CVE-2", "CRITICAL", mended, status="SUPPRESSED"),
        enhanced("CVE-3", "UNTRIAGED", mended),
        kind="enhancedFindings",
    )
    with registry(found):
        ended = deploy("scan", IMAGE, "--json")

    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(each["name"], each["package"], each["fixed"]) for each in lines] == [
        ("CVE-1", "libssl3t64", ""),
        ("CVE-1", "openssl", "3.5.9"),
        ("CVE-3", "openssl", "3.5.9"),
    ]
    assert [each["severity"] for each in lines] == ["CRITICAL", "CRITICAL", "UNDEFINED"]
    assert ended.exit_code == 9


def test_a_scan_that_runs_is_waited_for(account: Account, deploy: Deploy) -> None:
    with registry(answer("PENDING"), answer("IN_PROGRESS"), answer("COMPLETE")):
        ended = deploy("scan", IMAGE)

    assert ended.exit_code == 0, ended.stderr
    assert ended.stderr.count("The scan is running") == 1
    assert "Amazon ECR found no known vulnerabilities." in ended.stderr


def test_a_scan_that_does_not_end_is_no_clean_one(account: Account, deploy: Deploy) -> None:
    with registry(answer("IN_PROGRESS")):
        ended = deploy("scan", IMAGE, "--wait", 0)

    assert ended.exit_code == 10
    assert "the scan is still running" in ended.stderr


@pytest.mark.parametrize("status", ["FAILED", "UNSUPPORTED_IMAGE", "FINDINGS_UNAVAILABLE"])
def test_a_scan_that_failed_is_no_clean_one(status: str, account: Account, deploy: Deploy) -> None:
    with registry(answer(status)):
        ended = deploy("scan", IMAGE)

    assert ended.exit_code == 10
    assert f"the scan's status is {status}. It is so." in ended.stderr


@pytest.mark.parametrize(
    "uri",
    [
        "plumbline",
        "docker.io/library/debian:trixie",
        f"{HOST}/plumbline",
        f"{HOST}/plumbline@sha256:abc",
        f"12.dkr.ecr.{REGION}.amazonaws.com/plumbline:1",
    ],
)
def test_what_is_no_image_in_amazon_ecr_is_refused(uri: str, deploy: Deploy) -> None:
    ended = deploy("scan", uri)

    assert ended.exit_code == 2
    assert "Give the URI that build_and_push.sh prints" in ended.stderr


def test_the_region_is_the_image_s_own(account: Account, deploy: Deploy) -> None:
    elsewhere = IMAGE.replace(REGION, "us-east-2")

    ended = deploy("scan", elsewhere, "--dry-run")

    assert ended.exit_code == 0, ended.stderr
    assert "us-east-2" in ended.stdout + ended.stderr
    assert "DescribeImageScanFindings" in ended.stdout
