"""The page's own paths, and what keeps pages of other sites from asking in a browser's name."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from flask import Flask, g

from plumbline.browser_page import about
from plumbline.browser_page.page_files import FILES, GUARDS, PageFile
from plumbline.web.exchange import Answer, Exchange, HTTPError, as_json
from plumbline.web.flask_door import route
from plumbline.web.observation import OBSERVER, Observer
from plumbline.web.sagemaker_api import Service


class PagedService(Service):
    """The endpoints of a server with a page: browsers ask them, too."""

    def invocations(self, asked: Exchange) -> Answer:
        """See `Service`."""
        check_browser(asked)
        return super().invocations(asked)


def tell(service: Service, _: Exchange) -> Answer:
    """What is served, and what its golden pictures showed."""
    return as_json(about.of_server(service.model.status, service.settings))


def send(file: PageFile, asked: Exchange) -> Answer:
    """One of the files, unless the browser has it already."""
    fields = (*GUARDS, ("ETag", file.tag))
    if file.tag in asked.headers.get("If-None-Match", ""):
        return Answer.of(b"", file.content_type, 304, *fields)
    return Answer.of(file.body, file.content_type, 200, *fields)


def name_in(host: str) -> str:
    """The name, or the address, without its port; something that is neither where it is broken."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return host


def is_own(host: str) -> bool:
    """Whether a name and port can only be this machine's: no other site can have such a name."""
    name = name_in(host)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        alone = re.fullmatch(r"[\w-]*(\.localhost)?", name)
        return bool(alone) or name == socket.gethostname().lower()
    return True


def is_loopback(host: str) -> bool:
    """Whether a name and port lead back to the machine that asks."""
    return name_in(host) in ("localhost", "127.0.0.1", "::1")


def check_browser(asked: Exchange, is_ours: Callable[[str], bool] = is_own) -> None:
    """Refuse what a page of another site has a browser ask.

    Such a page may have the browser send anything here; and its own name may begin to stand for
    this machine's address, after which it may read what it is answered.
    """
    host = asked.headers.get("Host", "")
    if not is_ours(host):
        raise HTTPError(
            f"The page is not shown under the name {host}, which may be another site's. Open it by "
            "this machine's address, or as localhost.",
            403,
            "foreign_name",
        )
    origin = asked.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != host:
        raise HTTPError(
            f"A page of {origin} may not ask this server. Ask without a browser, or by the "
            "server's own page.",
            403,
            "foreign_page",
        )


def add_page(app: Flask, is_ours: Callable[[str], bool] = is_own) -> None:
    """Let the app answer for the page's files, and nothing at all to pages of other sites.

    It says in each answer how long the stages took, which the page shows.
    """
    app.extensions[OBSERVER] = Observer(tells_timing=True)
    for path, file in FILES.items():
        route(app, path, ("GET",), partial(send, file))
    app.before_request(lambda: check_browser(g.exchange, is_ours))
