"""The trace that a request belongs to, as W3C's Trace Context writes it.

SageMaker hands no such header on, but 55 characters fit into an inference id, and into the custom
attributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

HEADER = "Traceparent"
CUSTOM_ATTRIBUTES = "X-Amzn-Sagemaker-Custom-Attributes"
INFERENCE_ID = "X-Amzn-Sagemaker-Inference-Id"

WRITTEN = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
)

ATTRIBUTE = re.compile(r"(?:^|,)\s*traceparent\s*=\s*([0-9a-f-]{55})\s*(?:,|$)")

SAMPLED = 1


class Trace(NamedTuple):
    """Who asked: 32 and 16 hexadecimal digits, and whether that one keeps its spans."""

    trace_id: str
    span_id: str
    is_sampled: bool

    @property
    def fields(self) -> dict[str, str]:
        """What each line of the log says of it."""
        return {"trace_id": self.trace_id, "span_id": self.span_id}


def parsed(text: str) -> Trace | None:
    """The trace that a text of 55 characters names; None where it is no traceparent."""
    found = WRITTEN.fullmatch(text)
    return Trace(found[1], found[2], bool(int(found[3], 16) & SAMPLED)) if found else None


def trace_of(headers: Mapping[str, str]) -> Trace | None:
    """The trace of a request by its headers, whose names are in title case.

    The header counts, else the custom attribute `traceparent`, else an inference id that is one.
    """
    if said := headers.get(HEADER):
        return parsed(said)
    attributes = headers.get(CUSTOM_ATTRIBUTES, "")
    if "traceparent" in attributes and (found := ATTRIBUTE.search(attributes)):
        return parsed(found[1])
    identity = headers.get(INFERENCE_ID, "")
    return parsed(identity) if len(identity) == 55 else None
