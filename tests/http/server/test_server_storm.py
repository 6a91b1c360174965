"""A storm of loads, unloads and requests: every answer is the right one, and nothing restarts."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from gunicorn_server import Answer
from many_models import Many, many_models, number

from process_family import family, written

SECONDS = 4.0

MOST_SECONDS = 120.0
"""On a busy machine it takes longer until all has happened that may happen."""

GROWTH = 12 * 1024 * 1024
"""What the server may keep, in bytes: far less than a model has."""

CLIENTS = 12

NAMES = 8

VARIANTS = 3
"""Archives that are loaded under the same name, one after the other."""

ALLOWED = {
    "load": {200, 409, 507},
    "unload": {200, 404},
    "invoke": {200, 404},
    "list": {200},
    "ping": {200},
}


@dataclass
class Life:
    """What is known of one name: who loads and unloads it is alone in that."""

    urls: list[str]
    lock: threading.Lock = field(default_factory=threading.Lock)
    changes: int = 0
    """Counts up when a change begins, and when it has ended: even where none is under way."""
    variant: int | None = None
    """What is loaded, where no change is under way."""


@dataclass
class Storm:
    """Clients of one server, and what they have found."""

    many: Many
    lives: dict[str, Life]
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)
    mistakes: list[str] = field(default_factory=list)

    def is_over(self, begun: float) -> bool:
        """Whether there was a mistake, or time enough for all that may happen."""
        spent = time.monotonic() - begun
        return bool(self.mistakes) or spent > (SECONDS if self.missing() == [] else MOST_SECONDS)

    def missing(self) -> list[str]:
        """What has not happened yet."""
        wanted = [(act, status) for act, allowed in ALLOWED.items() for status in allowed]
        return [f"{act}: {status}" for act, status in wanted if not self.seen[act, status]]

    def rage(self, seed: int, begun: float) -> None:
        """One client, until it is over."""
        chance = random.Random(seed)
        while not self.is_over(begun):
            name = chance.choice(list(self.lives))
            act = chance.choices(["load", "unload", "invoke", "list", "ping"], [4, 3, 12, 1, 1])[0]
            answer = getattr(self, act)(name, chance)
            if answer is not None:
                self.seen[act, answer.status] += 1
                if answer.status not in ALLOWED[act]:
                    self.mistakes.append(f"{act} {name}: {answer.status} {answer.body!r}")

    def load(self, name: str, chance: random.Random) -> Answer | None:
        """Load one of the name's archives; 409 if and only if one is loaded."""
        life = self.lives[name]
        if not life.lock.acquire(blocking=False):
            return None
        with held(life):
            variant, before = chance.randrange(VARIANTS), life.variant
            answer = self.many.load(name, life.urls[variant])
            if answer.status == 200:
                life.variant = variant
            if (answer.status == 409) != (before is not None):
                self.mistakes.append(f"load {name}: {answer.status}, but loaded was {before}")
            return answer

    def unload(self, name: str, chance: random.Random) -> Answer | None:
        """Unload what is loaded; 404 if and only if nothing is."""
        life = self.lives[name]
        if not life.lock.acquire(blocking=False):
            return None
        with held(life):
            answer = self.many.unload(name)
            if (answer.status == 404) != (life.variant is None):
                self.mistakes.append(f"unload {name}: {answer.status} of {life.variant}")
            life.variant = None
            return answer

    def invoke(self, name: str, chance: random.Random) -> Answer:
        """Ask; what comes back is this model's answer to this very number."""
        life, value = self.lives[name], chance.randrange(900)
        before, variant = life.changes, life.variant
        answer = self.many.invoke(name, value)
        undisturbed = life.changes == before and before % 2 == 0
        if answer.status == 200:
            found = number(answer)
            right = {code(name, one) for one in ([variant] if undisturbed else range(VARIANTS))}
            if not any(abs(found - one - value / 1000) < 0.0005 for one in right):
                self.mistakes.append(f"invoke {name}: {found}, of {right}")
        if undisturbed and (answer.status == 200) != (variant is not None):
            self.mistakes.append(f"invoke {name}: {answer.status}, but loaded was {variant}")
        return answer

    def list(self, name: str, chance: random.Random) -> Answer:
        """List the models."""
        return self.many.server.ask("GET", "/models")

    def ping(self, name: str, chance: random.Random) -> Answer:
        """Ask for the server's health."""
        return self.many.server.ping()


class held:  # noqa: N801 - it reads as a word of the language
    """Marks a change of a life, whose lock is held already."""

    def __init__(self, life: Life) -> None:
        self.life = life

    def __enter__(self) -> None:
        self.life.changes += 1

    def __exit__(self, *_: object) -> None:
        self.life.changes += 1
        self.life.lock.release()


def code(name: str, variant: int | None) -> int:
    """What the variant of a model adds."""
    return 10 * int(name.removeprefix("model")) + (variant or 0)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's /proc")
def test_in_a_storm_every_answer_is_the_right_model_s_and_nothing_restarts(tmp_path: Path) -> None:
    with many_models(tmp_path, "megabytes=500") as many:
        lives = {}
        for name in (f"model{one}" for one in range(NAMES)):
            made = [f"{name}-{variant}" for variant in range(VARIANTS)]
            urls = [
                many.make(folder, number=code(name, variant), megabytes=40)
                for variant, folder in enumerate(made)
            ]
            lives[name] = Life(urls)
        (worker,) = many.server.workers()
        calm(many)
        before = family(worker), written(worker)

        storm, begun = Storm(many, lives), time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            for client in [pool.submit(storm.rage, seed, begun) for seed in range(CLIENTS)]:
                client.result()
        calm(many)

        assert storm.mistakes == []
        assert storm.missing() == []
        assert many.server.workers() == [worker]
        assert "The process of model" not in many.server.said()
        assert family(worker) == before[0]
        assert written(worker) < before[1] + GROWTH


def calm(many: Many) -> None:
    """One load of each kind has been made, and nothing is loaded."""
    for name in many.names():
        assert many.unload(name).status == 200
    url = many.make("calm", number=1)
    for _ in range(5):
        assert many.load("calm", url).status == 200
        assert many.unload("calm").status == 200
