"""All checks, by their groups; and the table of them in docs/conform.md."""

from __future__ import annotations

from plumbline.conformance.batch_checks import BATCH
from plumbline.conformance.connection_checks import CONNECTIONS
from plumbline.conformance.end_checks import END
from plumbline.conformance.image_checks import IMAGE
from plumbline.conformance.invocation_checks import INVOCATIONS
from plumbline.conformance.log_checks import LOG
from plumbline.conformance.multi_model_checks import MULTI_MODEL
from plumbline.conformance.ping_checks import PING
from plumbline.conformance.restriction_checks import RESTRICTIONS
from plumbline.conformance.rules import Check
from plumbline.conformance.start_checks import START
from plumbline.conformance.training_checks import TRAINING

GROUPS = (
    IMAGE,
    START,
    PING,
    INVOCATIONS,
    CONNECTIONS,
    RESTRICTIONS,
    END,
    BATCH,
    MULTI_MODEL,
    LOG,
    TRAINING,
)

CHECKS: tuple[Check, ...] = tuple(check for group in GROUPS for check in group.checks)


def markdown() -> str:
    """The table of a group after another."""
    lines = []
    for group in GROUPS:
        lines += [f"### {group.letter} {group.title}", "", "| check | level | the contract |"]
        lines += ["|---|---|---|"]
        by_number = sorted(group.checks, key=lambda check: int(check.name[1:]))
        lines += [f"| {check.name} | {check.level} | {check.contract} |" for check in by_number]
        lines.append("")
    return "\n".join(lines)
