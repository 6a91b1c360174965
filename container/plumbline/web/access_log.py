"""One log line a request."""

from __future__ import annotations

import logging
import random
import re
import time

from flask import Flask, Response, g, request
from flask.globals import app_ctx, request_ctx

from plumbline.logs import FIELDS
from plumbline.pipeline.stopwatch import Stopwatch

log = logging.getLogger("plumbline.request")

INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"

SILENT = ("/ping", "/metrics")
"""What the platform asks again and again: the one several times a second, where a change of the
model's state is logged as it happens; the other once a minute, though there are none.
"""


def begin() -> None:
    """Give the request an id (the caller's own, if there is one) and start its clock."""
    said = re.sub(r"[^\x21-\x7e]", "", request.headers.get(INFERENCE_ID, ""))[:64]
    g.id = said or f"{random.getrandbits(64):016x}"
    g.started = time.perf_counter()
    g.watch = Stopwatch()


def end(response: Response) -> Response:
    """Log how the request went, and tell the caller its id."""
    about, asked = vars(app_ctx.g), request_ctx.request  # each look through a proxy costs
    response.headers["X-Request-Id"] = about["id"]
    if asked.path in SILENT:
        return response
    laps = {**about["watch"].laps, "total": 1000 * (time.perf_counter() - about["started"])}
    milliseconds = {stage: round(spent, 2) for stage, spent in laps.items()}
    error = about.get("error")
    fields = {
        "id": about["id"],
        "model": about.get("model"),
        **about.get("noted", {}),
        "status": response.status_code,
        "error": error,
        "bytes_in": asked.content_length,
        "bytes_out": response.content_length,
        "ms": milliseconds,
    }
    spent = ", ".join(f"{stage} {value:g}" for stage, value in milliseconds.items())
    log.info(
        "%s %s %s (%s ms)%s",
        asked.method,
        asked.path,
        response.status_code,
        spent,
        f" {error}" if error else "",
        extra={FIELDS: fields},
    )
    return response


def install(app: Flask) -> None:
    """Let the app log this way."""
    app.before_request(begin)
    app.after_request(end)
