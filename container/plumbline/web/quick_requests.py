"""Which requests the event loop answers itself: those that cost it less than to hand them over.

A small model answers a picture in about a millisecond. To hand it to a thread, and to share
Python's lock with that thread, takes a third more, and requests that wait in their sockets
meanwhile lose nothing: each process computes one at a time anyhow. A ping waits for those few
milliseconds, so nothing is answered here that may take longer: no large body, nothing with links,
no code of a user's, no engine that others are waiting for. A picture can still take long (a small
file may hold many pixels); after one that did, threads answer for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from plumbline.web.received_request import ReceivedRequest
from plumbline.wire.media_types import PICTURE, meant, media_type

MOST_BYTES = 64 * 1024
"""Of a body that is answered at once."""

LONG_SECONDS = 0.02
"""After an answer that took longer threads answer for a while."""

PAUSE = 50
"""Times as long as it took: so the loop spends a fiftieth of its time on such answers at most."""


class QuickRequests:
    """What one worker's loop answers; `ready` says whether the model is quick and nobody waits."""

    def __init__(
        self, ready: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ready = ready
        self._clock = clock
        self._paused_until = 0.0

    def include(self, request: ReceivedRequest) -> bool:
        """Whether the loop answers a request, all of which is here."""
        return (
            request.target == b"/invocations"
            and request.method == "POST"
            and request.trouble is None
            and 0 < len(request.body) <= MOST_BYTES
            and self._clock() >= self._paused_until
            and self._ready()
            and is_plain_picture(request)
        )

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Take the time of an answer."""
        begun = self._clock()
        try:
            yield
        finally:
            ended = self._clock()
            if ended - begun > LONG_SECONDS:
                self._paused_until = ended + PAUSE * (ended - begun)


def is_plain_picture(request: ReceivedRequest) -> bool:
    """Whether the body is a picture's own bytes, and nothing is packed or linked in it."""
    kind = ""
    for name, text in request.fields:
        field = name.lower()
        if field == b"content-encoding":
            return False
        if field == b"content-type":
            kind = media_type(text.decode("latin-1"))
    return kind.startswith("image/") or meant(kind, bytes(request.body[:1024])) == PICTURE
