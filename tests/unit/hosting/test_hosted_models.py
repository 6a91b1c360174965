"""The table of models, over processes that are threads here, asked anything in any order."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from plumbline.errors import ModelNotReady
from plumbline.hosting import messages, model_launch
from plumbline.hosting.errors import (
    ModelAlreadyLoaded,
    ModelNotLoadable,
    ModelNotLoaded,
    ModelProcessEnded,
    NotEnoughMemory,
)
from plumbline.hosting.fork_client import Child
from plumbline.hosting.frames import Frame, receive, send
from plumbline.hosting.hosted_models import Hosts
from plumbline.hosting.memory_estimates import COEFFICIENTS, PLAIN
from plumbline.hosting.memory_ledger import Ledger
from plumbline.hosting.model_launch import Means
from plumbline.hosting.model_process import next_connection
from plumbline.machine.cgroups import Memory
from plumbline.pipeline.admission import Admission, Deadline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.settings.server_settings import Settings
from plumbline.web.app import create_multi_model_app
from plumbline.web.multi_model_api import ManyModels
from plumbline.wire.requests import Request
from plumbline.wire.responses import Response

NAMES = st.sampled_from(["a", "b", "c"])
FOLDERS = st.sampled_from(["one", "two", "broken"])


class Process:
    """A model's process, as a thread: it answers with its folder's name, or dies when told to."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        ours, self.control = socket.socketpair()
        self.folder = Path(order["url"]).name
        self.child = Child(os.getpid(), ours, lambda _: self.kill())
        self.status = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def kill(self) -> None:
        """End soon."""
        self.status = -9
        with suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        """Load and answer, and end whatever happens."""
        try:
            self.answer()
        finally:
            self.control.close()
            self.child.end(self.status)

    def answer(self) -> None:
        """Load, and answer every connection in turn."""
        if self.folder == "broken":
            send(self.control, Frame({"failed": "It is broken."}))
        else:
            send(self.control, Frame({"loaded": {"engine": "thread"}}))
        connections = []
        while connection := next_connection(self.control):
            connections.append(connection)
            threading.Thread(target=self.converse, args=(connection,), daemon=True).start()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def converse(self, connection: socket.socket) -> None:
        """Answer one request after the other."""
        with connection:
            while True:
                try:
                    asked = messages.to_asked(receive(connection))
                except (EOFError, OSError):
                    return
                if asked.request.body == b"die":
                    return
                body = self.folder.encode() + asked.request.body
                send(
                    connection,
                    messages.from_answered(messages.Answered(Response(body), "m/1", {})),
                )


class Threads:
    """What stands for the nursery."""

    def fork(self, kind: str, order: Mapping[str, Any]) -> Child:
        """A thread that loads."""
        return Process(order).child

    def close(self) -> None:
        """Nothing is left to end."""


def asked(body: bytes) -> messages.Asked:
    """A request with this body."""
    return messages.Asked(Request(body, ""), "id", 20)


def invoke(hosts: Hosts, name: str, body: bytes) -> messages.Answered:
    """A model's answer."""
    with hosts.entered(name) as ask:
        return ask(asked(body))


def hosts_with(room: int) -> Hosts:
    """A table for so many models at a time, each of which takes what is guessed for none."""
    each = COEFFICIENTS[PLAIN].base
    found: list[Hosts] = []

    def memory() -> Memory:
        return Memory(room * each, each * len(found[0].listed("", 100)[0]))

    found.append(Hosts(Means(Threads(), Ledger(memory, 0))))  # type: ignore[arg-type]
    return found[0]


class Table(RuleBasedStateMachine):
    """Loads, unloads and requests, held against a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        for name in ("one", "two", "broken"):
            (self.root / name).mkdir()
        self.patch = pytest.MonkeyPatch()
        # All of them are in this one process, which is as large as it is.
        self.patch.setattr(model_launch, "memory_of", lambda _: COEFFICIENTS[PLAIN].base)
        self.hosts = hosts_with(room=2)
        self.loaded: dict[str, str] = {}

    @rule(name=NAMES, folder=FOLDERS)
    def load(self, name: str, folder: str) -> None:
        """Refused where it is loaded, where there is no room, and where it is broken."""
        url = str(self.root / folder)
        if name in self.loaded:
            with pytest.raises(ModelAlreadyLoaded):
                self.hosts.load(name, url)
        elif len(self.loaded) >= 2:
            with pytest.raises(NotEnoughMemory):
                self.hosts.load(name, url)
        elif folder == "broken":
            with pytest.raises(ModelNotLoadable, match=r"It is broken\."):
                self.hosts.load(name, url)
        else:
            self.hosts.load(name, url)
            self.loaded[name] = folder

    @rule(name=NAMES)
    def unload(self, name: str) -> None:
        """Refused where it is not loaded."""
        if name not in self.loaded:
            with pytest.raises(ModelNotLoaded):
                self.hosts.unload(name)
        else:
            self.hosts.unload(name)
            del self.loaded[name]

    @rule(name=NAMES, body=st.binary(max_size=2))
    def invoke(self, name: str, body: bytes) -> None:
        """Answered by what was loaded under the name."""
        if name not in self.loaded:
            with pytest.raises(ModelNotLoaded):
                invoke(self.hosts, name, body)
        else:
            answered = invoke(self.hosts, name, body)
            assert answered.response.body == self.loaded[name].encode() + body

    @invariant()
    def lists_what_is_loaded(self) -> None:
        """In alphabetical order, whatever the size of the pages."""
        found, after = [], ""
        while after is not None:
            page, after = self.hosts.listed(after, 1)
            found += [one["modelName"] for one in page]
        assert found == sorted(self.loaded)

    def teardown(self) -> None:
        """Unload everything."""
        self.hosts.close()
        self.patch.undo()
        self.folder.cleanup()


TestTable = Table.TestCase
TestTable.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)


def test_a_request_whose_connection_breaks_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbline.hosting.running_model.GRACE", 0.01)
    hosts = hosts_with(room=2)
    hosts.load("a", str(tmp_path))
    with pytest.raises(ModelProcessEnded):
        invoke(hosts, "a", b"die")
    hosts.close()


def test_a_process_that_ends_is_replaced_once_unless_it_has_answered_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Process] = []

    class Noted(Threads):
        def fork(self, kind: str, order: Mapping[str, Any]) -> Child:
            made.append(Process(order))
            return made[-1].child

    memory = Ledger(lambda: Memory(2**40, 0), 0)
    hosts = Hosts(Means(Noted(), memory))  # type: ignore[arg-type]
    hosts.load("a", str(tmp_path))

    def invoked() -> bytes | None:
        try:
            return invoke(hosts, "a", b"").response.body
        except (ModelNotReady, ModelProcessEnded):
            return None

    for count in (2, 3):
        made[-1].child.kill()
        end = time.monotonic() + 20
        while (len(made) < count or invoked() is None) and time.monotonic() < end:
            time.sleep(0.01)
        assert invoked() == tmp_path.name.encode()
        assert len(made) == count
    for _ in range(2):  # the second time, nobody has been answered since the first
        made[-1].child.kill()
        count = len(made)
        end = time.monotonic() + 2
        while len(made) == count and hosts.listed("", 9)[0] and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.1)
    assert len(made) == 4
    assert hosts.listed("", 9) == ([], None)
    hosts.close()


def test_requests_that_wait_for_a_slot_are_answered_before_their_model_is_unloaded(
    tmp_path: Path,
) -> None:
    admission, others = Admission(1, 3), Admission(2, 2)
    service = ManyModels(hosts_with(room=2), admission, others, others, Settings(), 2**30)
    client = create_multi_model_app(service).test_client
    service.hosts.load("a", str(tmp_path))
    with ThreadPoolExecutor() as pool:
        with admission.slot(Deadline(60), Stopwatch()):
            sent = [pool.submit(client().post, "/models/a/invoke", data=b"!") for _ in range(3)]
            until(lambda: len(admission._waiting) == 3)
            unloading = pool.submit(client().delete, "/models/a")
            until(lambda: client().get("/models/a").status_code == 404)
            assert not unloading.done()
        expected = f"{tmp_path.name}!".encode()
        assert [one.result().data for one in sent] == [expected] * 3
        assert unloading.result().status_code == 200
    assert client().post("/models/a/invoke").status_code == 404


def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_process_that_has_grown_ends_before_its_successor_where_there_is_no_room_for_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    base = COEFFICIENTS[PLAIN].base
    made: list[Process] = []

    class Noted(Threads):
        def fork(self, kind: str, order: Mapping[str, Any]) -> Child:
            made.append(Process(order))
            return made[-1].child

    def memory() -> Memory:
        grown = base * 20 * bool(made) * (not made[0].child.ended.is_set()) if made else 0
        return Memory(base * 20, grown)

    hosts = Hosts(Means(Noted(), Ledger(memory, 0)))  # type: ignore[arg-type]
    monkeypatch.setattr(model_launch, "memory_of", lambda _: base)
    hosts.load("a", str(tmp_path))
    monkeypatch.setattr(model_launch, "memory_of", lambda _: base * 2)

    def is_replaced() -> bool:
        with suppress(ModelNotReady):
            assert invoke(hosts, "a", b"").response.body == tmp_path.name.encode()
        return len(made) > 1

    for _ in range(3):
        time.sleep(0.3)
        assert not is_replaced(), "it was judged by the room alone"
    monkeypatch.setattr(model_launch, "memory_of", lambda _: base * 20)
    until(is_replaced)
    monkeypatch.setattr(model_launch, "memory_of", lambda _: base)
    assert made[0].child.ended.is_set()
    until(lambda: hosts.describe("a")["state"] == "ready")
    assert invoke(hosts, "a", b"").response.body == tmp_path.name.encode()
    assert "has grown from 72 MiB to 1,440, of 1,440 MiB that it may have" in caplog.text
    hosts.close()
