"""Servers to test, and crowds of clients."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import gunicorn_server
import numpy as np
import pytest
from gunicorn_server import Server, running, wait_until
from PIL import Image

from forking import forking

Serve = Callable[..., Server]


@pytest.fixture(scope="session", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Processes that need not import what a server needs."""
    with forking(tmp_path_factory, "server", gunicorn_server):
        yield


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Serve]:
    """Start a server: `start("delay=0.5", PLUMBLINE_QUEUE="4")`."""
    with ExitStack() as stack:
        yield lambda arguments="", **settings: stack.enter_context(
            running(tmp_path, arguments, settings)
        )


@pytest.fixture
def serve(start: Serve) -> Serve:
    """Start a server and wait until it is ready."""
    return lambda arguments="", **settings: start(arguments, **settings).until_ready()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Servers that live until the last test: one for each `servers(arguments, settings)`."""
    with ExitStack() as stack:

        @cache
        def server(arguments: str, settings: frozenset[tuple[str, str]]) -> Server:
            folder = tmp_path_factory.mktemp("server")
            return stack.enter_context(running(folder, arguments, dict(settings))).until_ready()

        yield server


@pytest.fixture
def shared(servers: Callable[..., Server]) -> Iterator[Serve]:
    """A ready server for all tests that leave it as it was: `shared(PLUMBLINE_QUEUE="4")`."""
    with ExitStack() as stack:

        def lent(arguments: str = "", **settings: str) -> Server:
            server = servers(arguments, frozenset(settings.items()))
            return replace(server, sockets=stack.enter_context(ExitStack()))

        yield lent


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A small PNG."""
    return png(np.full((32, 32, 3), 128, np.uint8))


def png(pixels: np.ndarray) -> bytes:
    """The pixels as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def crowd() -> Iterator[Callable[..., list[Future[Any]]]]:
    """Do something many times at once: `crowd(6, server.invoke, picture)`."""
    with ThreadPoolExecutor(64) as pool:

        def many(count: int, act: Callable[..., Any], *args: Any) -> list[Future[Any]]:
            return [pool.submit(act, *args) for _ in range(count)]

        yield many


def is_refused(sent: Future[Any]) -> bool:
    """Whether the server has turned it away."""
    return sent.done() and sent.result().status == 503


@pytest.fixture
def fill(crowd, picture: bytes) -> Callable[[Server, int], list[Future[Any]]]:
    """Fill a server that holds `count` requests; what comes back are those in flight."""

    def full(server: Server, count: int) -> list[Future[Any]]:
        sent = crowd(count + 1, server.try_to_invoke, picture)
        # One too many was sent: once it is refused, the others are inside.
        refused = wait_until(lambda: [one for one in sent if is_refused(one)])
        assert [answer.result().error for answer in refused] == ["server_busy"]
        return [one for one in sent if one not in refused]

    return full
