"""Which of its two networks OpenVINO computes with: that of a lone caller, or that of a crowd."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from plumbline.engines import openvino
from plumbline.engines.openvino import Network, OpenVINOEngine
from plumbline.engines.openvino_networks import Places
from plumbline.engines.time_left import lasting
from plumbline.machine.shared_counts import Counts
from plumbline.signature import Signature, TensorSpec

SIGNATURE = Signature(
    (TensorSpec("x", (None, 1), "float32"),), (TensorSpec("y", (None, 1), "float32"),)
)


class Compiled:
    """A network whose every output is its own number; `done` says when it has computed."""

    def __init__(self, number: float, done: threading.Event) -> None:
        self.number, self.done = number, done

    def create_infer_request(self) -> Any:
        """A request of OpenVINO's, as far as it is used."""
        output = SimpleNamespace(data=np.full((1, 1), self.number, np.float32))
        return SimpleNamespace(
            set_input_tensor=lambda *_: None,
            infer=lambda **_: None,
            start_async=lambda *_, **__: None,
            wait_for=lambda milliseconds: self.done.wait(milliseconds / 1000),
            get_output_tensor=[output].__getitem__,
        )


@pytest.fixture
def done() -> threading.Event:
    """What all computations wait for."""
    return threading.Event()


@pytest.fixture
def engine(done: threading.Event) -> OpenVINOEngine:
    """An engine whose answers say which network gave them: 1 for a lone caller, 2 for a crowd."""
    networks = [Network(Compiled(number, done)) for number in (1, 2)]
    return OpenVINOEngine(SIGNATURE, Places({"x": 0}, {"y": 0}), networks, Counts())


def ask(engine: OpenVINOEngine) -> float:
    """Which network answers one more request."""
    answer = engine.run({"x": np.zeros((1, 1), np.float32)}, lasting(30))
    return float(answer["y"].item())


def test_a_lone_caller_after_another_has_all_threads(
    engine: OpenVINOEngine, done: threading.Event
) -> None:
    done.set()
    assert [ask(engine) for _ in range(3)] == [1, 1, 1]


def test_who_meets_another_shares_and_so_do_others_for_a_while(
    engine: OpenVINOEngine, done: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=lambda: now, perf_counter=lambda: now)
    monkeypatch.setattr(openvino, "time", clock)
    now = 100.0
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, engine)
        while engine._running.own < 1:
            assert not first.done()
        threading.Timer(0.01, done.set).start()
        assert ask(engine) == 2
        assert first.result() == 1
    now += openvino.CROWD_SECONDS - 0.01
    assert ask(engine) == 2
    now += 0.02
    assert ask(engine) == 1
