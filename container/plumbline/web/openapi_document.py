"""`GET /openapi.json`: all that an app answers, as OpenAPI describes it."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from flask import Flask

import plumbline
from plumbline.web.exchange import Answer, Exchange, as_json
from plumbline.web.flask_door import route

FILE = Path(__file__).with_name("openapi.json")

OF_TF_SERVING = "/v1/<path:_>"
"""The one rule that stands for all paths that begin so."""


def add(app: Flask) -> None:
    """Let the app describe itself; what it does not answer is left out."""
    route(app, "/openapi.json", ("GET",), partial(tell, app))


def tell(app: Flask, _: Exchange) -> Answer:
    """The description of the app."""
    return as_json(description(app))


def description(app: Flask) -> dict[str, Any]:
    """What openapi.json says of the paths that the app has."""
    document: dict[str, Any] = orjson.loads(FILE.read_bytes())
    rules = [rule.rule for rule in app.url_map.iter_rules()]
    known = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule) for rule in rules}
    many = OF_TF_SERVING in rules
    document["paths"] = {
        path: said
        for path, said in document["paths"].items()
        if path in known or (many and path.startswith("/v1/"))
    }
    document["info"]["version"] = plumbline.__version__
    return document
