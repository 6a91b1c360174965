"""moto's AWS as a server, for what runs in a process of its own."""

from __future__ import annotations

import logging
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

REGION = "eu-central-1"

ACCOUNT = "123456789012"


@contextmanager
def serving() -> Iterator[str]:
    """The URL of an account with nothing in it."""
    from moto.server import ThreadedMotoServer

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{port}"
    try:
        ask(f"{url}/moto-api/reset")
        yield url
    finally:
        server.stop()


def ask(url: str) -> None:
    """One of moto's own commands."""
    urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30).close()


def environment(url: str) -> dict[str, str]:
    """The variables of somebody with credentials for the account."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
