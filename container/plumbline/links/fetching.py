"""Links → the bytes behind them, within what the settings allow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from plumbline.errors import LinkFailed
from plumbline.links import https
from plumbline.links.https import Network
from plumbline.links.limits import Bounds
from plumbline.links.policy import Allowlist, Link
from plumbline.links.s3 import S3


class Links:
    """Fetches what `allow` lists: at most `max_bytes`, and for at most `timeout` seconds, each."""

    def __init__(
        self,
        allow: Allowlist,
        max_bytes: int,
        timeout: float,
        network: Network | None = None,
    ) -> None:
        self._allow = allow
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._network = network or Network()
        self._s3 = S3(timeout)

    def fetch(self, url: str, time_left: Callable[[], float]) -> bytes:
        """What is behind a link; any thread may ask.

        Raises `LinkRefused`, `LinkFailed`, `LinkTooLarge`, and what `time_left` raises.
        """
        link = self._allow.link(url)
        seconds = min(self._timeout, time_left())
        bounds = Bounds(self._max_bytes, time.monotonic() + seconds)
        try:
            return in_time(lambda: self._fetch(link, bounds), bounds)
        except TimeoutError as exc:
            time_left()
            raise LinkFailed(
                f"{link.name} did not arrive within {self._timeout:g} seconds; try again, or "
                "raise PLUMBLINE_URL_TIMEOUT_SECONDS."
            ) from exc

    def _fetch(self, link: Link, bounds: Bounds) -> bytes:
        if link.scheme == "s3":
            return self._s3.fetch(link, bounds)
        return https.fetch(link, self._allow, bounds, self._network)


def in_time(call: Callable[[], bytes], bounds: Bounds) -> bytes:
    """What the call returns. Raises what it raises, and `TimeoutError` where it takes too long.

    It has a thread of its own, which is left behind then: looking up a name, or the credentials
    for S3, can't be broken off.
    """
    answer: Future[bytes] = Future()

    def work() -> None:
        try:
            answer.set_result(call())
        except BaseException as exc:
            answer.set_exception(exc)

    threading.Thread(target=work, name="link", daemon=True).start()
    return answer.result(bounds.left())
