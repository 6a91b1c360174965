"""What Amazon ECR has found in an image: known vulnerabilities, by basic or enhanced scanning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deployment.aws.client import Aws
from deployment.errors import Misuse, Refused
from deployment.plan.calls import Call

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")
"""Amazon ECR's own, the worst first; what it can't judge comes last."""

SCANNED = ("COMPLETE", "ACTIVE")
"""States of a scan with findings: of a basic one, and of one that Amazon Inspector keeps up."""

RUNNING = ("IN_PROGRESS", "PENDING")

URI = re.compile(
    r"(?P<registry>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[a-z0-9._/-]+)(?:@(?P<digest>sha256:[0-9a-f]{64})|:(?P<tag>[\w.-]{1,128}))"
)


@dataclass(frozen=True)
class Finding:
    """A vulnerability, and the package that has it."""

    severity: str
    name: str
    package: str
    version: str
    fixed: str
    """The version in which it is mended; empty where none is known."""
    link: str

    def __str__(self) -> str:
        fixed = f", fixed in {self.fixed}" if self.fixed else ""
        return f"{self.severity:13} {self.name}  {self.package} {self.version}{fixed}  {self.link}"


@dataclass(frozen=True)
class Scan:
    """How far a scan has come, and what it has found so far, the worst first."""

    status: str
    description: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Image:
    """An image in Amazon ECR, by its URI. Raises `Misuse` for another."""

    uri: str

    def __post_init__(self) -> None:
        self.parts()

    def parts(self) -> dict[str, str]:
        """The parts of the URI, by name."""
        found = URI.fullmatch(self.uri)
        if found is None:
            raise Misuse(
                f"{self.uri} is no image in Amazon ECR. Give the URI that build_and_push.sh "
                "prints, such as 123456789012.dkr.ecr.eu-central-1.amazonaws.com/plumbline@sha256:…"
            )
        return {name: text for name, text in found.groupdict().items() if text}

    @property
    def region(self) -> str:
        """Where its registry is."""
        return self.parts()["region"]

    @property
    def call(self) -> Call:
        """What asks for its findings."""
        parts = self.parts()
        image = (
            {"imageDigest": parts["digest"]} if "digest" in parts else {"imageTag": parts["tag"]}
        )
        place = {"registryId": parts["registry"], "repositoryName": parts["repository"]}
        return Call("ecr", "DescribeImageScanFindings", {**place, "imageId": image})


def scanned(aws: Aws, image: Image) -> Scan:
    """The scan as it is now, of all pages. Raises a `DeploymentError`."""
    found = list[Finding]()
    token: dict[str, str] = {}
    while True:
        try:
            answer = aws.ask(Call("ecr", image.call.operation, {**image.call.parameters, **token}))
        except Refused as refused:
            if refused.code == "ScanNotFoundException":
                return Scan("NOT_SCANNED", "", ())
            raise
        found += each_finding(answer.get("imageScanFindings", {}))
        if "nextToken" not in answer:
            break
        token = {"nextToken": answer["nextToken"]}
    state = answer.get("imageScanStatus", {})
    found.sort(key=lambda each: (SEVERITIES.index(each.severity), each.package, each.name))
    return Scan(state.get("status", "UNKNOWN"), state.get("description", ""), tuple(found))


def each_finding(findings: Mapping[str, Any]) -> Iterator[Finding]:
    """The findings of one answer, of either kind of scanning."""
    for each in findings.get("findings", ()):
        of = {one["key"]: one.get("value", "") for one in each.get("attributes", ())}
        yield Finding(
            severity(each),
            each.get("name", ""),
            of.get("package_name", ""),
            of.get("package_version", ""),
            "",
            each.get("uri", ""),
        )
    for each in findings.get("enhancedFindings", ()):
        if each.get("status", "ACTIVE") == "ACTIVE":  # not what is suppressed or mended
            yield from of_packages(each)


def of_packages(finding: Mapping[str, Any]) -> Iterator[Finding]:
    """One of Amazon Inspector's findings, for each package that has it."""
    details = finding.get("packageVulnerabilityDetails", {})
    packages: list[dict[str, str]] = details.get("vulnerablePackages") or [{}]
    for package in packages:
        fixed = package.get("fixedInVersion", "")
        yield Finding(
            severity(finding),
            details.get("vulnerabilityId") or finding.get("title", ""),
            package.get("name", ""),
            package.get("version", ""),
            "" if fixed == "NotAvailable" else fixed,
            details.get("sourceUrl", ""),
        )


def severity(finding: Mapping[str, Any]) -> str:
    """One of `SEVERITIES`; Amazon Inspector says UNTRIAGED for what it has not judged yet."""
    said = str(finding.get("severity", "")).upper()
    return said if said in SEVERITIES else SEVERITIES[-1]
