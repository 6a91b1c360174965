"""The door through Flask: its request → an exchange, and what is answered → its response."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from flask import Flask, Request, Response, current_app, g
from flask.globals import request_ctx
from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed

from plumbline.pipeline.admission import stays
from plumbline.web.exchange import Answer, Exchange, HTTPError, late
from plumbline.web.observation import NOBODY, OBSERVER
from plumbline.web.wsgi_bridge import GONE, PIECES

CHUNK = 256 * 1024

ANSWERED = "plumbline.answered"
"""Under this name the app keeps what it answers, in words."""


def begin() -> None:
    """Make the exchange."""
    asked = request_ctx.request
    said = asked.environ
    g.exchange = Exchange(
        asked.method,
        asked.path,
        dict(asked.headers.items()),
        said[PIECES] if PIECES in said else chunks(asked),
        asked.content_length,
        said.get(GONE, stays),
    )
    g.exchange.observer = current_app.extensions.get(OBSERVER, NOBODY)


def chunks(asked: Request) -> Iterator[bytes]:
    """The body in pieces."""
    try:
        while chunk := asked.stream.read(CHUNK):
            yield chunk
    except (OSError, ClientDisconnected) as exc:  # Werkzeug turns the one into the other
        raise late() from exc


def end(response: Response) -> Response:
    """Log how the request went, and tell the caller its id."""
    exchange: Exchange = g.exchange
    response.headers.extend(exchange.end(response.status_code, response.content_length))
    return response


def response_of(answer: Answer) -> Response:
    """The answer as Flask has it."""
    return Response(answer.body, answer.status, answer.fields)


def refuse(error: Exception) -> Response:
    """A failure as an answer."""
    return response_of(g.exchange.refused(error))


def refuse_by_flask(error: HTTPException) -> Response:
    """An error of Flask's."""
    sentence = f"{error.name}: {error.description}"
    if error.code in (404, 405):
        sentence = f"{error.name}. This server answers {current_app.extensions[ANSWERED]}."
    code = re.sub(r"\W+", "_", error.name).lower()
    response = refuse(HTTPError(sentence, error.code or 500, code))
    if isinstance(error, MethodNotAllowed):
        response.allow.update(error.valid_methods or ())
    return response


def route(app: Flask, path: str, methods: tuple[str, ...], act: Callable[..., Answer]) -> None:
    """Let `act` answer such requests; it is given the exchange, and what the path names."""

    def view(**named: str) -> Response:
        return response_of(act(g.exchange, **named))

    app.add_url_rule(path, f"{methods} {path}", view, methods=methods)


def make(service: object, answered: str) -> Flask:
    """An app without endpoints; `answered` is what it will answer, in words."""
    app = Flask("plumbline", static_folder=None)
    app.extensions["plumbline"] = service
    app.extensions[ANSWERED] = answered
    app.before_request(begin)
    app.after_request(end)
    app.register_error_handler(HTTPException, refuse_by_flask)
    app.register_error_handler(Exception, refuse)
    return app
