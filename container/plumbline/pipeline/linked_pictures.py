"""Links → pictures: several at once, within a budget of bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from plumbline.errors import LinkRefused, LinkTooLarge, RequestError
from plumbline.wire.picture_items import Item, Link, Text

Fetch = Callable[[str, Callable[[], float]], bytes]
"""A link, and the seconds left → the picture's bytes; raises a `RequestError`."""

AT_ONCE = 4


def no_links(_url: str, _time_left: Callable[[], float]) -> bytes:
    """What fetches where nothing may be fetched."""
    raise LinkRefused("This server fetches no links; send the picture itself.")


class Budget:
    """Bytes that may still come, counted by several threads."""

    def __init__(self, size: int) -> None:
        self._size = self._left = size
        self._lock = threading.Lock()

    def take(self, data: bytes) -> bytes:
        """The data. Raises `LinkTooLarge` when there was no room for them any more."""
        with self._lock:
            self._left -= len(data)
            if self._left >= 0:
                return data
        raise LinkTooLarge(
            f"The pictures behind the links of this request are more than {self._size:,} bytes "
            "together; send them in several requests."
        )


def gathered(
    items: Sequence[Item], fetch: Fetch, most_bytes: int, time_left: Callable[[], float]
) -> tuple[Item, ...]:
    """The items with each link exchanged for its bytes, or for the error that it came to."""
    budget = Budget(most_bytes)

    def resolve(item: Item) -> Item:
        if not isinstance(item, Link):
            return item
        try:
            return budget.take(fetch(item.url, time_left))
        except RequestError as exc:
            return exc

    links = sum(isinstance(item, Link) for item in items)
    if links < 2:
        return tuple(map(resolve, items))
    with ThreadPoolExecutor(min(AT_ONCE, links), "plumbline-fetch") as pool:
        return tuple(pool.map(resolve, items))


def fetched_bytes(item: Item) -> bytes:
    """A picture's bytes, or a text's. Raises the error that came in their place."""
    if isinstance(item, bytes):
        return item
    if isinstance(item, Text):
        return item.text.encode()
    if isinstance(item, RequestError):
        raise item
    raise TypeError(f"{item} has not been fetched.")
