"""A process's own TensorFlow Serving REST API, for the handlers in it and for nobody else.

A handler that asks it holds a place and a slot already, and would wait for itself where it needed
more of them. It listens on loopback, on a port of its own: from outside nobody gets past admission.
"""

from __future__ import annotations

import threading

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from plumbline.admission import Admission
from plumbline.served import ServedModel
from plumbline.settings import Settings
from plumbline.web.app import create_app

ADDRESS = "127.0.0.1"

MANY = 1 << 16
"""Slots: more than there are threads that could ask."""


class Connection(WSGIRequestHandler):
    """One that is kept for the next request; the app itself logs what is asked."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        """Leave it to the app."""


def serve(model: ServedModel, settings: Settings) -> str:
    """Begin to answer for `model`; the address: `http://127.0.0.1:1234`."""
    return listen(create_app(model, Admission(MANY, 0), settings))


def listen(app: Flask) -> str:
    """Let threads of their own answer for the app."""
    server = make_server(ADDRESS, 0, app, threaded=True, request_handler=Connection)
    threading.Thread(target=server.serve_forever, name="plumbline-loopback", daemon=True).start()
    return f"http://{ADDRESS}:{server.server_port}"
