"""Pictures and their expected outputs → the `[preprocess]` table that reproduces them.

Staged: what changes outputs most is settled first (normalisation and colour), then the fit, the
filter, the decoder. Each stage keeps a few, so that a wrong guess in one can be mended in the next;
what time remains goes to the combinations that were passed over, the most promising first.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plumbline.packing.preprocess_options import Options
from plumbline.packing.preprocess_trials import Declaration, Trial, Trials
from plumbline.packing.progress_bar import Reporter
from plumbline.spec.model_spec import Preprocess

REPRESENTATIVES = ("pillow-bilinear", "tensorflow-bilinear", "pillow-nearest")
"""Filters that stand for their kind: averaging, two taps, one."""

FIRST_FITS = ("stretch", "letterbox")

KEPT = 6
"""How many of a stage's best the next one starts from."""

MOST_COMBINED = 64

TOLD_APART = 3.0
"""A declaration is another one if it is so many times further off than the best."""

CLEAR = 0.01
"""Of the spread: what is nearer than this share of it can be no coincidence."""


@dataclass(frozen=True)
class Found:
    """What came of a search.

    `ranked` is every trial, the best first; `equal` those of them that can't be told from the
    best; `fits` whether the best reproduces the outputs. `spread` is how far off declarations
    usually are, `limit` what still counts as reproduced, `noise` what is no difference at all.
    """

    ranked: Sequence[Trial]
    equal: Sequence[Trial]
    fits: bool
    spread: float
    limit: float
    noise: float
    complete: bool

    @property
    def best(self) -> Trial:
        """The nearest."""
        return self.equal[0]


class Search:
    """One search, until `seconds` are over."""

    def __init__(
        self,
        trials: Trials,
        space: Options,
        tolerance: float,
        seconds: float,
        reporter: Reporter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trials = trials
        self._space = space
        self._tolerance = tolerance
        self._end = clock() + seconds
        self._clock = clock
        self._reporter = reporter
        self._noise = 0.0

    def run(self) -> Found:
        """Stage after stage, and the verdict."""
        self.stage("normalisation and colour", self.first())
        self._noise = self._trials.noise(self.leaders()[0].declaration.preprocess)
        self.stage("fit", self.vary(("fit", "resize"), resize=REPRESENTATIVES))
        self.stage("filter", self.vary(("resize",)))
        self.stage("decoder", self.vary(("decoder", "exif")))
        self.stage("neighbours", self.neighbours())
        if not self.reproduced():
            self.stage("all others", self.others())
            self.stage("neighbours", self.neighbours())
        self.stage("combinations", self.combinations())
        return self.verdict()

    def more_time(self) -> bool:
        """Whether there is any."""
        return self._clock() < self._end

    def stage(self, name: str, declared: Iterable[Preprocess]) -> None:
        """Try some declarations, with progress."""
        listed = list(dict.fromkeys(declared))
        with self._reporter.stage(f"Searching: {name}", len(listed)) as done:
            self._trials.run(listed, self.more_time, done)

    def values(self, key: str) -> list[Any]:
        """All that a key may say."""
        return [option.value for option in self._space[key]]

    def first(self) -> list[Preprocess]:
        """Every normalisation and colour, with what is most common of the rest.

        A picture on its side is another picture: whether it is turned belongs here, too.
        """
        fits = [fit for fit in self.values("fit") if fit in FIRST_FITS]
        return [
            replace(Preprocess(), color=color, fit=fit, exif=exif, normalize=normalize)
            for color, fit, exif, normalize in itertools.product(
                self.values("color"), fits, self.values("exif"), self.values("normalize")
            )
        ]

    def leaders(self) -> list[Trial]:
        """The best trials that differ in more than their activation, at most `KEPT`."""
        found: dict[Preprocess, Trial] = {}
        for trial in sorted(self._trials.all, key=lambda trial: trial.mean):
            found.setdefault(trial.declaration.preprocess, trial)
        return list(found.values())[:KEPT]

    def vary(self, keys: Sequence[str], **only: Sequence[Any]) -> list[Preprocess]:
        """The leaders with every combination of some keys."""
        choices = [
            [value for value in self.values(key) if key not in only or value in only[key]]
            for key in keys
        ]
        return [
            replace(leader.declaration.preprocess, **dict(zip(keys, chosen, strict=True)))
            for leader in self.leaders()
            for chosen in itertools.product(*choices)
        ]

    def neighbours(self) -> list[Preprocess]:
        """The two best, with any one key changed."""
        return [
            replace(leader.declaration.preprocess, **{key: value})
            for leader in self.leaders()[:2]
            for key in self._space
            for value in self.values(key)
        ]

    def others(self) -> list[Preprocess]:
        """Everything that is left, by how near its normalisation, colour and fit came."""
        nearest: dict[tuple[Any, ...], float] = {}
        for trial in self._trials.all:
            declared = trial.declaration.preprocess
            key = (declared.normalize, declared.color, declared.fit)
            nearest[key] = min(nearest.get(key, np.inf), trial.mean)
        keys = list(self._space)
        everything = [
            replace(Preprocess(), **dict(zip(keys, chosen, strict=True)))
            for chosen in itertools.product(*(self.values(key) for key in keys))
        ]
        return sorted(
            everything,
            key=lambda one: nearest.get((one.normalize, one.color, one.fit), np.inf),
        )

    def combinations(self) -> list[Preprocess]:
        """What several keys can say without a difference, in all combinations."""
        equal = [trial.declaration.preprocess for trial in self.equal()]
        best = equal[0]
        choices = {
            key: [
                value
                for value in self.values(key)
                if any(getattr(one, key) == value for one in equal)
            ]
            for key in self._space
        }
        combined = itertools.product(*choices.values())
        return [
            replace(best, **dict(zip(choices, chosen, strict=True)))
            for chosen in itertools.islice(combined, MOST_COMBINED)
        ]

    def spread(self) -> float:
        """How far declarations usually are off."""
        return float(np.median([trial.largest for trial in self._trials.all]))

    def limit(self) -> float:
        """What still counts as reproduced."""
        return max(self._noise, min(self._tolerance, CLEAR * self.spread()))

    def reproduced(self) -> bool:
        """Whether a declaration has been found."""
        return self._trials.all[0].largest <= self.limit()

    def equal(self) -> list[Trial]:
        """The trials that can't be told from the best; the nearest first, of those the plainest."""
        ranked = self._trials.all
        most = max(self._noise, TOLD_APART * ranked[0].largest) if self.reproduced() else 0.0
        found = [trial for trial in ranked if trial.largest <= max(most, ranked[0].largest)]
        nearest = TOLD_APART * ranked[0].largest + self._trials.rounding
        return sorted(
            found,
            key=lambda trial: (trial.largest > nearest, *self.plainness(trial.declaration)),
        )

    def plainness(self, declaration: Declaration) -> tuple[int, ...]:
        """Small for defaults, and for one library instead of two."""
        declared, plain = declaration.preprocess, Preprocess()
        keys = ("normalize", "color", "fit", "decoder", "exif", "resize")
        changed = sum(getattr(declared, key) != getattr(plain, key) for key in keys)
        mixed = not declared.resize.startswith(declared.decoder)
        places = [self.values(key).index(getattr(declared, key)) for key in keys]
        return (int(declaration.activation != "none"), changed, int(mixed), *places)

    def verdict(self) -> Found:
        """What the trials say."""
        return Found(
            ranked=self._trials.all,
            equal=self.equal(),
            fits=self.reproduced() and self.spread() > self._noise,
            spread=self.spread(),
            limit=self.limit(),
            noise=self._noise,
            complete=self.more_time(),
        )
