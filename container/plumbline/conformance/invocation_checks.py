"""Group D: requests, as they should be and as they come."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from plumbline.conformance.rules import (
    INFO,
    MUST,
    SHOULD,
    Finding,
    Group,
    Where,
    failed,
    found,
    not_judged,
)
from plumbline.conformance.scenes import Scene
from plumbline.emulator.serving_container import Answer

INVOCATIONS = Group("D", "Invocations")

SECONDS = 60.0
"""As long as a real-time endpoint waits for an answer."""

NO_SAMPLE = "without --request there is nothing that must be answered"

PREFIX = "X-Amzn-SageMaker-"

ATTRIBUTES = f"{PREFIX}Custom-Attributes"

MOST_ATTRIBUTES = 1024

MOST_OF_AN_ERROR = 2048

HEADERS = {
    f"{PREFIX}Inference-Id": "7f3c",
    f"{PREFIX}Target-Variant": "AllTraffic",
    f"{PREFIX}Target-Model": "model.tar.gz",
    f"{PREFIX}Target-Container-Hostname": "container",
    f"{PREFIX}Inference-Component": "component",
    f"{PREFIX}Session-Id": "session",
    "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
    "X-Forwarded-For": "192.0.2.1",
    "X-Nobody-Knows-This": "1",
}

TRACES = ("Traceback (most recent", 'File "/', "\tat java.", "at Object.<anonymous>", "panic:")
"""Of Python, Java, Node and Go."""


def invoke(
    scene: Scene, body: bytes | None = None, headers: Mapping[str, str] = MappingProxyType({})
) -> Answer:
    """The sample, or another body, with its type and more headers."""
    sample = scene.order.sample
    sent = sample.body if body is None else body
    given = {**sample.headers, **headers}
    return scene.running.ask("POST", "/invocations", sent, given, SECONDS)


def usual(scene: Scene) -> Answer:
    """The answer to the sample as it is; asked for once."""
    if "usual answer" not in scene.facts:
        scene.facts["usual answer"] = invoke(scene)
    answer: Answer = scene.facts["usual answer"]
    return answer


def like_usual(scene: Scene, answer: Answer) -> Finding:
    """Whether the status is that of the sample as it is."""
    wanted = usual(scene).status
    return found(answer.status == wanted, f"answered {answer.status}, without that {wanted}")


@INVOCATIONS.check(
    22,
    MUST,
    Where.FIRST,
    "POST /invocations is answered within 60 s with 2xx and a Content-Type.",
    "See the answer and the log; set Content-Type on the response.",
)
def answers(scene: Scene) -> Finding:
    """The sample."""
    if not scene.order.sample.given:
        return not_judged(NO_SAMPLE)
    answer = usual(scene)
    kind = answer.headers.get("content-type", "")
    said = f"{answer.status} {kind or 'without Content-Type'} in {answer.seconds * 1000:.0f} ms"
    if not 200 <= answer.status < 300:
        said += f": {answer.body[:200].decode(errors='replace')}"
    return found(200 <= answer.status < 300 and bool(kind), said)


@INVOCATIONS.check(
    23,
    MUST,
    Where.FIRST,
    "The response is the expected one (--expect).",
    "Compare preprocessing, weights and versions of libraries with where the answer was made.",
)
def answers_as_expected(scene: Scene) -> Finding:
    """Byte for byte, or as JSON whose numbers are within the tolerance."""
    sample = scene.order.sample
    if sample.expected is None:
        return not_judged("without --expect there is nothing to compare with")
    body = usual(scene).body
    if body == sample.expected:
        return found(True, "byte for byte")
    try:
        difference = differs(json.loads(sample.expected), json.loads(body), sample.tolerance)
    except ValueError:
        return failed(f"{len(body)} bytes that differ from the {len(sample.expected)} expected")
    return found(not difference, difference or f"numbers are within {sample.tolerance:g}")


def differs(wanted: Any, given: Any, tolerance: float, place: str = "$") -> str:
    """Where two JSON documents differ by more than the tolerance, or nothing."""
    if isinstance(wanted, dict) and isinstance(given, dict) and wanted.keys() == given.keys():
        pairs = [(f"{place}.{key}", wanted[key], given[key]) for key in wanted]
    elif isinstance(wanted, list) and isinstance(given, list) and len(wanted) == len(given):
        both = enumerate(zip(wanted, given, strict=True))
        pairs = [(f"{place}[{number}]", left, right) for number, (left, right) in both]
    elif is_number(wanted) and is_number(given):
        near = math.isclose(wanted, given, rel_tol=tolerance, abs_tol=tolerance)
        return "" if near else f"{place} is {given}, not {wanted}"
    else:
        same = type(wanted) is type(given) and wanted == given
        return "" if same else f"{place} is {str(given)[:60]}, not {str(wanted)[:60]}"
    found_ones = (differs(left, right, tolerance, name) for name, left, right in pairs)
    return next(filter(None, found_ones), "")


def is_number(value: Any) -> bool:
    """JSON's true is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@INVOCATIONS.check(
    24,
    INFO,
    Where.FIRST,
    "The same request gives the same bytes.",
    "Look for randomness at inference, times in answers, and sums in changing order.",
)
def answers_alike(scene: Scene) -> Finding:
    """Five times."""
    several = {invoke(scene).body for _ in range(5)}
    return found(len(several) == 1, f"5 requests, {len(several)} different answers")


@INVOCATIONS.check(
    25,
    MUST,
    Where.FIRST,
    "Headers that the server does not know are ignored, SageMaker's own included.",
    "Don't refuse a request for a header.",
)
def ignores_headers(scene: Scene) -> Finding:
    """All that can arrive, and some more."""
    return like_usual(scene, invoke(scene, headers=HEADERS))


@INVOCATIONS.check(
    26,
    MUST,
    Where.FIRST,
    "CustomAttributes may have 1,024 ASCII characters, an InferenceId 64 that print.",
    "Raise the server's limit on headers; take what it does not know for no error.",
)
def takes_long_headers(scene: Scene) -> Finding:
    """Neither is a pair of a name and a value that somebody could know."""
    printing = "".join(map(chr, range(33, 127)))
    headers = {ATTRIBUTES: "c" * MOST_ATTRIBUTES, f"{PREFIX}Inference-Id": printing[:64]}
    answer = invoke(scene, headers=headers)
    scene.facts["answered attributes"] = answer.headers.get(ATTRIBUTES.lower())
    return like_usual(scene, answer)


@INVOCATIONS.check(
    27,
    MUST,
    Where.FIRST,
    "CustomAttributes of an answer have at most 1,024 ASCII characters, or the answer is lost.",
    "Shorten what is sent back, and encode what is not ASCII.",
)
def answers_short_headers(scene: Scene) -> Finding:
    """Those of the answer with the longest that can be sent, and of the usual one."""
    both = [scene.facts.get("answered attributes"), usual(scene).headers.get(ATTRIBUTES.lower())]
    given = [text for text in both if text is not None]
    wrong = [text for text in given if len(text) > MOST_ATTRIBUTES or not text.isascii()]
    lengths = ", ".join(f"{len(text)} characters" for text in given) or "none were answered"
    return found(not wrong, lengths)


@INVOCATIONS.check(
    28,
    SHOULD,
    Where.FIRST,
    "What can't be answered is refused with 4xx, in at most 2,048 characters, without HTML and "
    "without a traceback: a 5xx sets off alarms, and callers see the message.",
    "Catch what reading the body raises, and answer 400, 406 or 415 with a sentence.",
)
def refuses_politely(scene: Scene) -> Finding:
    """An empty body, garbage, another type, and an Accept that nobody offers."""
    odd = {
        "an empty body": invoke(scene, b""),
        "garbage": invoke(scene, bytes(range(256)) * 4),
        "broken JSON": invoke(scene, b'{"instances": [[1, ', {"Content-Type": "application/json"}),
        "an unknown type": invoke(scene, headers={"Content-Type": "application/x-nothing"}),
        "an unknown Accept": invoke(scene, headers={"Accept": "application/x-nothing"}),
    }
    wrong = [f"{what}: {why}" for what, answer in odd.items() if (why := impolite(answer))]
    statuses = ", ".join(f"{what} {answer.status}" for what, answer in odd.items())
    return found(not wrong, "; ".join(wrong) or statuses)


def impolite(answer: Answer) -> str:
    """What is wrong with an answer to what can't be answered, or nothing."""
    text = answer.body.decode(errors="replace")
    if answer.status >= 500:
        return f"{answer.status}"
    if answer.status < 400:
        return ""
    if any(trace in text for trace in TRACES):
        return "a traceback"
    html = "html" in answer.headers.get("content-type", "") or text.lstrip().startswith("<!")
    long = len(text) > MOST_OF_AN_ERROR
    return "HTML" if html else f"{len(text)} characters" if long else ""
