"""The page for what answers elsewhere: for the browsers of this machine, and for nobody else."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from plumbline.errors import CommandError
from plumbline.web import flask_door
from plumbline.web.exchange import Answer, Exchange, as_json
from plumbline.web.flask_door import route
from plumbline.web.loopback_api import ADDRESS, Connection
from plumbline.web.page_api import add_page, is_loopback

ANSWERED = "GET /, GET /about and POST /invocations"

Ask = Callable[[bytes, str, str, str], tuple[int, str, bytes]]
"""Body, Content-Type, Accept and custom attributes → status, Content-Type and body."""

CUSTOM_ATTRIBUTES = "X-Amzn-Sagemaker-Custom-Attributes"


@dataclass(frozen=True)
class Elsewhere:
    """What is asked, what is told of it, and how many bytes it takes."""

    ask: Ask
    told: Mapping[str, Any]
    most_bytes: int

    def about(self, _: Exchange) -> Answer:
        """What is known of it."""
        return as_json(self.told)

    def invocations(self, asked: Exchange) -> Answer:
        """What it answers."""
        said = asked.headers
        body = asked.body(self.most_bytes)
        form, attributes = said.get("Accept", ""), said.get(CUSTOM_ATTRIBUTES, "")
        with asked.watch.lap("endpoint"):
            status, kind, answer = self.ask(body, said.get("Content-Type", ""), form, attributes)
        return Answer.of(answer, kind, status)


def app_for(elsewhere: Elsewhere) -> Flask:
    """The page's paths, and what it asks."""
    app = flask_door.make(elsewhere, ANSWERED)
    add_page(app, is_loopback)
    route(app, "/about", ("GET",), elsewhere.about)
    route(app, "/invocations", ("POST",), elsewhere.invocations)
    return app


def server_for(elsewhere: Elsewhere, port: int) -> BaseWSGIServer:
    """What serves it, listening on loopback already. Raises `CommandError` for a taken port."""
    try:
        listening = socket.create_server((ADDRESS, port))
    except OSError as exc:
        raise CommandError(
            f"The page can't be served on port {port}: {os.strerror(exc.errno or 0)}. Choose "
            f"another: --port {port + 1}."
        ) from exc
    with listening:
        return make_server(
            ADDRESS,
            listening.getsockname()[1],
            app_for(elsewhere),
            threaded=True,
            request_handler=Connection,
            fd=listening.fileno(),
        )
