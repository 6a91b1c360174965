"""Many models in one container, whose memory Docker limits."""

from __future__ import annotations

import json
import random
import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from running_container import Answer, Running, wait_until

pytestmark = [pytest.mark.docker, pytest.mark.tensorflow]

MODELS = 50

STORM_SECONDS = 6.0

MOST_SECONDS = 60.0
"""On a busy machine it takes longer until all has happened that may happen."""

ALLOWED = {"load": {200, 409, 507}, "unload": {200, 404}, "invoke": {200, 404}}

BUSY = ("invoke", 503)
"""There is one slot and a short queue in so little memory: on a slow machine they may be full."""


@pytest.fixture(scope="module")
def models(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's model in many archives, each with labels of its own: `three-17`."""
    folder = tmp_path_factory.mktemp("many") / "models"
    for number in range(MODELS):
        copied = folder / str(number) / "model"
        shutil.copytree(model, copied, ignore=shutil.ignore_patterns("manifest.json"))
        labels = (model / "labels.txt").read_text().split()
        (copied / "labels.txt").write_text("\n".join(f"{label}-{number}" for label in labels))
    return folder


@pytest.fixture
def serve(start: Callable[..., Running], models: Path) -> Callable[[str], Running]:
    """Start a multi-model container with so much memory, and wait until it is ready."""

    def ready(memory: str) -> Running:
        server = start(
            models,
            place="/opt/ml/models",
            environment={"SAGEMAKER_MULTI_MODEL": "true"},
            mem_limit=memory,
            memswap_limit=memory,
        )
        wait_until(server.is_ready)
        return server

    return ready


def load(server: Running, number: int) -> Answer:
    """`POST /models`."""
    document = {"model_name": f"model{number}", "url": f"/opt/ml/models/{number}/model"}
    return server.ask("POST", "/models", json.dumps(document))


def unload(server: Running, number: int) -> Answer:
    """`DELETE /models/<name>`."""
    return server.ask("DELETE", f"/models/model{number}")


def invoke(server: Running, number: int, picture: bytes) -> Answer:
    """`POST /models/<name>/invoke`."""
    path = f"/models/model{number}/invoke"
    return server.ask("POST", path, picture, **{"Content-Type": "image/png"})


def best(answer: Answer) -> str:
    """The best label of an answer that must be a success."""
    assert answer.status == 200, answer.body
    return next(iter(answer.scores))


def unharmed(server: Running, workers: list[int]) -> bool:
    """Whether nothing was killed or restarted."""
    server.container.reload()
    killed = server.container.attrs["State"]["OOMKilled"]
    return not killed and server.workers() == workers and "The process of" not in server.said()


def test_fifty_small_models_fit_into_two_gigabytes(serve, demo) -> None:
    server: Running = serve("2g")
    workers = server.workers()

    assert [load(server, number).status for number in range(MODELS)] == [200] * MODELS

    for number in range(MODELS):
        assert best(invoke(server, number, demo.pictures["three"])) == f"three-{number}"
    assert len(json.loads(server.ask("GET", "/models").body)["models"]) == MODELS
    assert unharmed(server, workers)


def test_a_load_is_refused_before_memory_runs_out_and_unloading_makes_room(serve, demo) -> None:
    server: Running = serve("700m")
    workers = server.workers()
    status, loaded = load(server, 0).status, []
    while status == 200:
        loaded.append(len(loaded))
        status = load(server, len(loaded)).status

    assert status == 507
    assert 3 <= len(loaded) < MODELS - 1
    for number in loaded:
        assert best(invoke(server, number, demo.pictures["five"])) == f"five-{number}"
    for number in loaded[:2]:  # since they were asked, they hold a little more than one needs
        assert unload(server, number).status == 200
    assert load(server, MODELS - 1).status == 200
    assert unharmed(server, workers)


def test_a_storm_within_a_memory_limit(serve, demo) -> None:
    server: Running = serve("600m")
    workers, port, begun = server.workers(), server.published, time.monotonic()
    labels = list(demo.pictures)
    wanted = {(act, status) for act, statuses in ALLOWED.items() for status in statuses}
    seen: set[tuple[str, int]] = set()

    def rage(seed: int) -> None:
        chance = random.Random(seed)
        while time.monotonic() < begun + (STORM_SECONDS if wanted <= seen else MOST_SECONDS):
            number, label = chance.randrange(24), chance.choice(labels)
            act = chance.choices(["load", "unload", "invoke"], [4, 1, 12])[0]
            if act == "invoke":
                answer = invoke(server, number, demo.pictures[label])
            else:
                answer = (load if act == "load" else unload)(server, number)
            assert answer.status in ALLOWED[act] or (act, answer.status) == BUSY, (act, answer)
            if act == "invoke" and answer.status == 200:
                assert re.fullmatch(rf"\w+-{number}", best(answer))
            seen.add((act, answer.status))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(rage, range(8)))

    assert port == server.published
    assert seen - {BUSY} == wanted
    assert unharmed(server, workers)
