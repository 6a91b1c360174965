"""Group G: batch transforms."""

from __future__ import annotations

import json
from typing import Any

from plumbline.conformance.invocation_checks import invoke
from plumbline.conformance.rules import (
    INFO,
    MUST,
    Finding,
    Group,
    Where,
    failed,
    found,
    not_judged,
    passed,
)
from plumbline.conformance.scenes import Scene

BATCH = Group("G", "Batch transforms")

KEYS = {"MaxConcurrentTransforms": int, "BatchStrategy": str, "MaxPayloadInMB": int}

STRATEGIES = ("SINGLE_RECORD", "MULTI_RECORD", "SingleRecord", "MultiRecord")

MOST_MEGABYTES = 100

LINES = ("application/jsonlines", "application/x-jsonlines", "application/jsonl")


def parameters(scene: Scene) -> tuple[int, Any]:
    """The status of GET /execution-parameters, and the document if it is one."""
    if scene.start is None or scene.start.ready is None:
        return 0, None
    answer = scene.running.ask("GET", "/execution-parameters", seconds=60.0)
    try:
        return answer.status, answer.document
    except ValueError:
        return answer.status, None


@BATCH.check(
    44,
    MUST,
    Where.BATCH,
    "GET /execution-parameters is 404, or 200 with JSON: MaxConcurrentTransforms, BatchStrategy, "
    "MaxPayloadInMB.",
    "Answer all three with the right types, or don't have the path.",
)
def tells_parameters(scene: Scene) -> Finding:
    """In a container with SAGEMAKER_BATCH=true."""
    status, document = parameters(scene)
    if not status:
        return failed(f"as a batch transform: {scene.started.in_words(scene.running)}")
    if status == 404:
        return passed("404: the job's own values count")
    if status != 200 or not isinstance(document, dict):
        return failed(f"answered {status}, {'JSON' if document else 'no JSON object'}")
    wrong = [name for name, kind in KEYS.items() if not isinstance(document.get(name), kind)]
    if document.get("BatchStrategy") not in STRATEGIES and "BatchStrategy" not in wrong:
        wrong.append("BatchStrategy")
    return found(not wrong, f"{', '.join(wrong) + ' is wrong in ' if wrong else ''}{document}")


@BATCH.check(
    45,
    MUST,
    Where.BATCH,
    "MaxConcurrentTransforms × MaxPayloadInMB is at most 100 MB.",
    "Answer less of one of them.",
)
def fits_into_100_megabytes(scene: Scene) -> Finding:
    """If it answers at all."""
    status, document = parameters(scene)
    if status != 200:
        return not_judged("there are no execution parameters")
    try:
        product = int(document["MaxConcurrentTransforms"]) * int(document["MaxPayloadInMB"])
    except (KeyError, TypeError, ValueError):
        return not_judged("they can't be multiplied: see G44")
    return found(product <= MOST_MEGABYTES, f"{product} MB")


@BATCH.check(
    46,
    INFO,
    Where.BATCH,
    "One bad record of a file of JSON lines does not lose the others.",
    "Answer an error in that line's place.",
)
def answers_other_records(scene: Scene) -> Finding:
    """The sample's line, half of it, and the line again."""
    sample = scene.order.sample
    if not sample.given or sample.content_type not in ("application/json", *LINES):
        return not_judged("--request is no JSON from which lines could be made")
    if not scene.is_ready:
        return not_judged("it was never healthy")
    try:
        line = json.dumps(json.loads(sample.body.splitlines()[0])).encode()
    except (ValueError, IndexError):
        line = b" ".join(sample.body.split())
    body = b"\n".join([line, line[: len(line) // 2], line, b""])
    answer = invoke(scene, body, {"Content-Type": LINES[0]})
    count = len(answer.body.splitlines())
    said = f"3 records, the second cut in half: answered {answer.status} with {count} lines"
    return found(answer.status == 200 and count == 3, said)
