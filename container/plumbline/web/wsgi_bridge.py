"""What has come in → an exchange, or a call of the WSGI app → what goes out."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from werkzeug.wrappers import Response

from plumbline.errors import PlumblineError
from plumbline.web.exchange import Answer, Exchange
from plumbline.web.observation import Observer
from plumbline.web.received_request import ReceivedRequest

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

GONE = "plumbline.gone"
"""What in an environ says whether the client has hung up."""

PIECES = "plumbline.pieces"
"""What in an environ is the body, in pieces."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def headers_of(request: ReceivedRequest) -> dict[str, str]:
    """The header as WSGI tells it: names in title case, fields of the same name in one."""
    headers: dict[str, str] = {}
    for field, said in request.fields:
        if b"_" in field:  # it would pass for the one with a hyphen
            continue
        name, text = field.decode("latin-1").title(), said.decode("latin-1").strip()
        if text or name != "Content-Type":
            headers[name] = f"{headers[name]},{text}" if name in headers else text
    return headers


def pieces_of(body: bytes, trouble: PlumblineError | None) -> Iterator[bytes]:
    """What has come of the body, or why it has not come as it should."""
    if trouble:
        raise trouble
    yield body


def exchange_of(request: ReceivedRequest, gone: Callable[[], bool], observer: Observer) -> Exchange:
    """The exchange for a request whose target is a plain path."""
    target, pieces = request.target.decode("latin-1"), pieces_of(request.taken(), request.trouble)
    headers = headers_of(request)
    exchange = Exchange(request.method, target, headers, pieces, request.declared, gone)
    exchange.observer = observer
    return exchange


def environ_of(
    request: ReceivedRequest,
    client: tuple[str, int],
    server: tuple[str, int],
    gone: Callable[[], bool],
) -> dict[str, Any]:
    """What WSGI wants to know of a request."""
    target = request.target.decode("latin-1")
    if not target.startswith("/"):
        parts = urlsplit(target)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    path, _, query = target.partition("?")
    body = request.taken()
    headers = {}
    for name, text in headers_of(request).items():
        key = name.upper().replace("-", "_")
        headers[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = text
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1") if "%" in path else path,
        "QUERY_STRING": query,
        "RAW_URI": target,
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        PIECES: pieces_of(body, request.trouble),
        GONE: gone,
        **headers,
    }


def ask(app: App, environ: dict[str, Any]) -> Answer:
    """What the app answers."""
    response = Response.from_app(app, environ, buffered=True)
    return Answer(response.get_data(), tuple(response.headers.items()), response.status_code)
