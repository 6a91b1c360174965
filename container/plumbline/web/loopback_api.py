"""A process's own TensorFlow Serving REST API, for the handlers in it and for nobody else.

A handler that asks it holds a place and a slot already, and would wait for itself where it needed
more of them. It listens on loopback, on a port of its own: from outside nobody gets past admission.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from plumbline.handlers.replaced_stages import unbounded
from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import ServedModel
from plumbline.pipeline.admission import Admission
from plumbline.settings.server_settings import Settings
from plumbline.web.app import create_app

ADDRESS = "127.0.0.1"

MANY = 1 << 16
"""Slots: more than there are threads that could ask."""


MOST_BYTES = 1024**3
"""Of a body: pictures as JSON take twenty times what the handler was sent."""


class Connection(WSGIRequestHandler):
    """One that is kept for the next request; the app itself logs what is asked."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        """Leave it to the app."""


class Unhandled(ServedModel):
    """The models alone, with as many instances as their handler sends."""

    def __init__(self, model: ServedModel) -> None:
        super().__init__(lambda _: model.models())
        self._model = model

    def models(self) -> Registry:
        """What answers. Raises `ModelNotReady`."""
        found = self._model.models().models
        return Registry(tuple(replace(one, pipeline=unbounded(one.pipeline)) for one in found))


def serve(model: ServedModel, settings: Settings) -> str:
    """Begin to answer for `model`; the address: `http://127.0.0.1:1234`."""
    wide = replace(settings, max_body=MOST_BYTES)
    return listen(create_app(Unhandled(model), Admission(MANY, 0), wide))


def listen(app: Flask) -> str:
    """Let threads of their own answer for the app."""
    server = make_server(ADDRESS, 0, app, threaded=True, request_handler=Connection)
    threading.Thread(target=server.serve_forever, name="plumbline-loopback", daemon=True).start()
    return f"http://{ADDRESS}:{server.server_port}"
