"""SageMaker's part of an invocation, played by a server that boto3 itself talks to.

It hands invocations on to an app, and answers errors as `invoke_endpoint` does.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, Response, request
from werkzeug.serving import make_server

REGION = "eu-central-1"

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@contextmanager
def listening(app: Flask) -> Iterator[str]:
    """The URL of the app, served until the end."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sagemaker_for(app: Flask, variants: list[str | None]) -> Flask:
    """What stands for SageMaker, with one endpoint "cats" whose container is the app."""
    runtime = Flask("sagemaker-runtime")

    @runtime.post("/endpoints/<name>/invocations")
    def invoke(name: str) -> Response:
        variants.append(request.headers.get("X-Amzn-SageMaker-Target-Variant"))
        assert f"/{REGION}/sagemaker/aws4_request" in request.headers["Authorization"]
        if name != "cats":
            return failure(
                400, "ValidationError", Message=f"Endpoint {name} of account 1 not found."
            )
        passed = ("Content-Type", "Accept", ATTRIBUTES)
        headers = {key: request.headers[key] for key in passed if key in request.headers}
        found = app.test_client().post("/invocations", data=request.get_data(), headers=headers)
        if found.status_code == 200:
            return Response(found.data, content_type=found.content_type)
        return failure(
            424,
            "ModelError",
            Message=f"Received client error ({found.status_code}) from primary",
            OriginalStatusCode=found.status_code,
            OriginalMessage=found.text,
        )

    return runtime


def failure(status: int, kind: str, **members: Any) -> Response:
    """An error as services of AWS answer in JSON."""
    headers = {"x-amzn-errortype": kind}
    return Response(json.dumps(members), status, headers, content_type="application/json")
