"""Results for people, for scripts and for CI."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import click

from plumbline.conformance.rules import MUST, SHOULD, Result, printable

OUTCOMES = {True: "passed", False: "failed", None: "not judged"}

COLORS = {True: "green", False: "red", None: "bright_black"}


def outcome(result: Result) -> str:
    """In a word."""
    return OUTCOMES[result.finding.passed]


def text(result: Result) -> str:
    """A few lines for a terminal: level, contract, evidence, and what to do."""
    check, well = result.check, result.finding.passed
    word = {True: "ok", False: "FAILED", None: "–"}[well]
    if well is False and result.level not in (MUST, SHOULD):
        word = "no"
    color = COLORS[well] if word != "no" else "yellow"
    lines = [
        f"{click.style(f'{word:<6}', fg=color)} {check.name:<4}{result.level:<7}{check.contract}",
        f"{'':<18}{result.evidence}",
    ]
    if well is False:
        lines.append(f"{'':<18}→ {check.remedy}")
    return "\n".join(lines)


def counted(results: Sequence[Result]) -> str:
    """How many passed, failed at which level, and were not judged."""
    failures = Counter(one.level for one in results if one.finding.passed is False)
    levels = ", ".join(f"{failures[level]} {level}" for level in failures) or "none"
    passed = sum(one.finding.passed is True for one in results)
    unknown = sum(one.finding.passed is None for one in results)
    return f"{passed} passed; failed: {levels}; {unknown} not judged"


def document(results: Sequence[Result], image: str) -> str:
    """All of it as JSON."""
    checks = [
        {
            "check": one.check.name,
            "level": one.level.value,
            "outcome": outcome(one),
            "contract": one.check.contract,
            "evidence": one.evidence,
            "remedy": one.check.remedy,
            "seconds": round(one.seconds, 3),
        }
        for one in results
    ]
    conforms = not any(one.broken for one in results)
    whole = {"image": image, "conforms": conforms, "checks": checks}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def junit(results: Sequence[Result], image: str) -> str:
    """JUnit's XML: a failure for what must be, and output for the rest."""
    broken = [one for one in results if one.broken]
    skipped = [one for one in results if one.finding.passed is None]
    suite = ET.Element(
        "testsuite",
        name=f"plumbline conform {printable(image)}",
        tests=str(len(results)),
        failures=str(len(broken)),
        skipped=str(len(skipped)),
        errors="0",
        time=f"{sum(one.seconds for one in results):.3f}",
    )
    for one in results:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"conform.{one.check.name[0]}",
            name=f"{one.check.name} {one.check.contract}",
            time=f"{one.seconds:.3f}",
        )
        said = f"{one.level} {outcome(one)}: {one.evidence}"
        if one.broken:
            ET.SubElement(case, "failure", message=one.evidence).text = one.check.remedy
        elif one.finding.passed is None:
            ET.SubElement(case, "skipped", message=one.evidence)
        else:
            ET.SubElement(case, "system-out").text = said
    ET.indent(suite)
    return ET.tostring(suite, "unicode", xml_declaration=True) + "\n"
