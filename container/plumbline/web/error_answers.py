"""The error tree → answers. The only place where a failure becomes a status."""

from __future__ import annotations

import logging
import re

from flask import Flask, Response, current_app, g
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from plumbline.errors import PlumblineError, Unavailable
from plumbline.wire.responses import encode_error

log = logging.getLogger("plumbline.web")

ANSWERED = "plumbline.answered"
"""Under this name the app keeps what it answers, in words."""


class UnexpectedError(PlumblineError):
    """Something that nobody foresaw; its text stays in the log."""


class HTTPError(PlumblineError):
    """What Flask itself refuses: unknown paths, wrong methods."""

    def __init__(self, message: str, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def answer(error: PlumblineError) -> Response:
    """The error as an answer."""
    g.error = error.code
    error.as_tensorflow |= g.get("as_tensorflow", False)
    encoded = encode_error(error)
    response = Response(encoded.body, error.status, content_type=encoded.content_type)
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def answer_known(error: PlumblineError) -> Response:
    """An error of our own tree; those that are the server's fault are logged whole."""
    if error.status == 500:
        log.error("Request %s failed: %s", g.get("id"), error.message, exc_info=error)
    return answer(error)


def answer_http(error: HTTPException) -> Response:
    """An error of Flask's."""
    sentence = f"{error.name}: {error.description}"
    if error.code in (404, 405):
        sentence = f"{error.name}. This server answers {current_app.extensions[ANSWERED]}."
    code = re.sub(r"\W+", "_", error.name).lower()
    response = answer(HTTPError(sentence, error.code or 500, code))
    if isinstance(error, MethodNotAllowed):
        response.allow.update(error.valid_methods or ())
    return response


def answer_unexpected(error: Exception) -> Response:
    """Anything else: a bug, or a model's."""
    log.error("Request %s failed unexpectedly.", g.get("id"), exc_info=error)
    return answer(
        UnexpectedError(f"The server failed on this request; see its log for id {g.get('id')}.")
    )


def install(app: Flask, answered: str) -> None:
    """Let the app answer errors this way; `answered` is what else it answers."""
    app.extensions[ANSWERED] = answered
    app.register_error_handler(PlumblineError, answer_known)
    app.register_error_handler(HTTPException, answer_http)
    app.register_error_handler(Exception, answer_unexpected)
