"""Of many models the busiest, by name, within a closed number of series."""

from __future__ import annotations

from collections.abc import Mapping

OTHER = "other"

LONGEST_NAME = 200
"""Characters of a name that are told; the platform's own have fewer."""


class Busiest:
    """Counts requests of `most` models each by itself, those of all others together.

    A model that is among the busiest at a scrape is told by its name from then on, beginning with
    nothing; one that no longer is counts among the others. So no counter ever falls.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: dict[str, int] = {}
        self._told: dict[str, float] = {}
        self._other = 0.0

    def counted(self, requests: Mapping[str, int]) -> dict[str, float]:
        """The series by their label; `requests` are those of each loaded model since its load."""
        for name, count in requests.items():
            seen = self._seen.get(name, 0)
            fresh = count - seen if count >= seen else count  # it was loaded again
            if name in self._told:
                self._told[name] += fresh
            else:
                self._other += fresh
        self._seen = dict(requests)
        chosen = sorted(requests, key=lambda name: (-requests[name], name))[: self._most]
        self._told = {name: self._told.get(name, 0.0) for name in chosen}
        shown = {name[:LONGEST_NAME]: value for name, value in self._told.items() if name != OTHER}
        return {**shown, OTHER: self._other}
