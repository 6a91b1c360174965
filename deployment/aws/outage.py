"""An outage of AWS, borne by what looks again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from deployment.errors import NotReached

MOST_SECONDS = 900.0
"""The longest that AWS may not answer while something is waited for."""


Say = Callable[[str], None]


def silent(_text: str) -> None:
    """Say nothing."""


class Outage:
    """Keeps a look that AWS does not answer from ending what waits, and tells it in a line."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.answered = time.monotonic()
        self.going_on = False

    def borne(self, look: Callable[[], Any]) -> Any:
        """What the look gives; None while AWS does not answer. Raises `NotReached` at the end."""
        try:
            found = look()
        except NotReached as exc:
            silent = time.monotonic() - self.answered
            if silent > MOST_SECONDS:
                raise
            if not self.going_on:
                limit = f"{MOST_SECONDS / 60:g} minutes"
                self.say(f"{exc} Waiting goes on: AWS is asked again for up to {limit}.")
            self.going_on = True
            return None
        if self.going_on:
            self.say(f"AWS answers again, after {time.monotonic() - self.answered:.0f} s.")
        self.answered, self.going_on = time.monotonic(), False
        return found
