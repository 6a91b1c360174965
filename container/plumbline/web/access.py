"""One log line a request."""

from __future__ import annotations

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

from plumbline.logs import FIELDS
from plumbline.stopwatch import Stopwatch

log = logging.getLogger("plumbline.request")

INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"

SILENT = ("/ping",)
"""Asked several times a second; a change of the model's state is logged where it happens."""


def begin() -> None:
    """Give the request an id (the caller's own, if there is one) and start its clock."""
    said = re.sub(r"[^\x21-\x7e]", "", request.headers.get(INFERENCE_ID, ""))[:64]
    g.id = said or uuid.uuid4().hex[:16]
    g.started = time.perf_counter()
    g.watch = Stopwatch()


def end(response: Response) -> Response:
    """Log how the request went, and tell the caller its id."""
    response.headers["X-Request-Id"] = g.id
    if request.path in SILENT:
        return response
    laps = {**g.watch.laps, "total": 1000 * (time.perf_counter() - g.started)}
    milliseconds = {stage: round(spent, 2) for stage, spent in laps.items()}
    fields = {
        "id": g.id,
        "model": g.get("model"),
        **g.get("noted", {}),
        "status": response.status_code,
        "error": g.get("error"),
        "bytes_in": request.content_length,
        "bytes_out": response.content_length,
        "ms": milliseconds,
    }
    spent = ", ".join(f"{stage} {value:g}" for stage, value in milliseconds.items())
    log.info(
        "%s %s %s (%s ms)%s",
        request.method,
        request.path,
        response.status_code,
        spent,
        f" {g.error}" if "error" in g else "",
        extra={FIELDS: fields},
    )
    return response


def install(app: Flask) -> None:
    """Let the app log this way."""
    app.before_request(begin)
    app.after_request(end)
