"""`GET /`: what is here, for whoever opens the address to see whether anything is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import plumbline
from plumbline.loading.served_model import ServedModel
from plumbline.web.exchange import Answer, Exchange, as_json

ONE_MODEL: Mapping[str, str] = MappingProxyType(
    {
        "GET /ping": "200 once the model can answer, 503 and the reason before",
        "POST /invocations": "a picture, or tensors as JSON, in; predictions out",
        "GET /execution-parameters": "what a batch transform may send at once",
        "GET /metrics": "counters and latencies, as Prometheus reads them",
        "GET /about": "the model, its labels and its golden pictures",
        "GET /openapi.json": "all of this, as OpenAPI describes it",
        "GET or POST /v1/models/…": "TensorFlow Serving's REST API",
    }
)

MANY_MODELS: Mapping[str, str] = MappingProxyType(
    {
        "GET /ping": "200 once models can be loaded",
        "GET or POST /models": "lists the models; loads one",
        "GET or DELETE /models/<name>": "describes a model; unloads it",
        "POST /models/<name>/invoke": "a picture, or tensors as JSON, in; predictions out",
        "GET /metrics": "counters and latencies, as Prometheus reads them",
    }
)

EXAMPLE = "curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' {url}/invocations"


def one_model(model: ServedModel, asked: Exchange) -> Answer:
    """The state of the model, the paths, and a line to type."""
    status = model.status
    host = asked.headers.get("Host", "localhost:8080")
    return as_json(
        {
            "server": f"plumbline {plumbline.__version__}",
            "state": status.state,
            "reason": status.reason,
            "paths": dict(ONE_MODEL),
            "example": EXAMPLE.format(url=f"http://{host}"),
        }
    )


def many_models(_: Exchange) -> Answer:
    """The paths."""
    return as_json({"server": f"plumbline {plumbline.__version__}", "paths": dict(MANY_MODELS)})
