"""Channels in Pipe mode: FIFOs that come late, one an epoch."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.training.errors import TrainingError
from plumbline.training.job import Channel
from plumbline.training.pipes import open_epoch

DATA = os.urandom(300_000)


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    return Channel("train", tmp_path / "train", mode="Pipe")


def later(act: Callable[[], object]) -> threading.Thread:
    """Do it in a moment, beside the test."""
    thread = threading.Thread(target=lambda: (time.sleep(0.1), act()), daemon=True)
    thread.start()
    return thread


def test_each_epoch_is_a_fifo_of_its_own_that_may_come_late(channel: Channel) -> None:
    def write() -> None:
        for epoch in range(3):
            fifo = channel.path.with_name(f"train_{epoch}")
            os.mkfifo(fifo)
            fifo.write_bytes(DATA[epoch:])
            time.sleep(0.05)

    thread = later(write)
    for epoch in range(3):
        with open_epoch(channel, epoch, 10) as stream:
            assert stream.read() == DATA[epoch:]
    thread.join(10)


def test_an_epoch_may_be_left_early(channel: Channel) -> None:
    os.mkfifo(channel.path.with_name("train_0"))
    broken = threading.Event()

    def write() -> None:
        try:
            channel.path.with_name("train_0").write_bytes(DATA)
        except BrokenPipeError:
            broken.set()

    later(write)
    with open_epoch(channel, 0, 10) as stream:
        assert stream.read(4) == DATA[:4]
    assert broken.wait(10)


def test_an_empty_epoch_ends(channel: Channel) -> None:
    os.mkfifo(channel.path.with_name("train_0"))

    def write() -> None:
        with channel.path.with_name("train_0").open("wb"):
            time.sleep(0.2)

    later(write)
    with open_epoch(channel, 0, 10) as stream:
        assert stream.read() == b""


def test_a_fifo_that_never_comes_is_waited_for_with_a_deadline(channel: Channel) -> None:
    expected = r"channel train is in Pipe mode, and SageMaker has not made .*train_1 within 0\.2 s"
    with pytest.raises(TrainingError, match=expected), open_epoch(channel, 1, 0.2):
        pass


def test_a_fifo_that_nobody_writes_is_named(channel: Channel) -> None:
    os.mkfifo(channel.path.with_name("train_0"))
    expected = r"train_0: nothing has been written to it for 0\.2 s, not even once"
    with pytest.raises(TrainingError, match=expected), open_epoch(channel, 0, 0.2) as stream:
        stream.read(1)


def test_a_writer_that_goes_silent_is_named(channel: Channel) -> None:
    fifo = channel.path.with_name("train_0")
    os.mkfifo(fifo)
    done = threading.Event()

    def write() -> None:
        with fifo.open("wb", 0) as stream:
            stream.write(b"abcd")
            done.wait(10)

    later(write)
    with (
        pytest.raises(TrainingError, match=r"written to it for 0\.3 s\. SageMaker"),
        open_epoch(channel, 0, 0.3) as stream,
    ):
        stream.read(8)
    done.set()


def test_a_file_in_the_place_of_a_fifo_is_refused(channel: Channel) -> None:
    channel.path.with_name("train_0").write_bytes(DATA)
    with pytest.raises(TrainingError, match="no FIFO; set its TrainingInputMode to File"):
        open_epoch(channel, 0, 0.2).__enter__()
