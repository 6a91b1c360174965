"""What the server and a model's process say to each other arrives as it was said, or not at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import ImageTooLarge, PlumblineError, ServerBusy
from plumbline.hosting import messages
from plumbline.hosting.frames import LENGTHS, MOST_OF_HEADER, Frame, receive, send
from plumbline.wire import responses
from plumbline.wire.requests import Request

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
HEADERS = st.dictionaries(st.text(), VALUES, max_size=4)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        theirs.settimeout(10)
        yield ours, theirs


def passed(frame: Frame) -> Frame:
    """The frame, once it has gone through a socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sending = threading.Thread(target=send, args=(ours, frame))
        sending.start()
        try:
            return receive(theirs)
        finally:
            sending.join()


@given(HEADERS, st.binary(max_size=300))
def test_a_frame_arrives_as_it_was_sent(header: dict[str, object], body: bytes) -> None:
    assert passed(Frame(header, body)) == Frame(header, body)


def test_a_body_larger_than_any_buffer_arrives_whole() -> None:
    body = bytes(range(256)) * 40_000
    assert passed(Frame({}, body)).body == body


def test_frames_follow_each_other(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    for number in range(3):
        send(ours, Frame({"number": number}, b"x" * number))
    assert [receive(theirs).header["number"] for _ in range(3)] == [0, 1, 2]


@given(st.data())
def test_a_frame_that_breaks_off_is_none(data: st.DataObject) -> None:
    header, body = b'{"id":"a"}', b"four"
    whole = LENGTHS.pack(len(header), len(body)) + header + body
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(whole[: data.draw(st.integers(0, len(whole) - 1))])
        with pytest.raises(EOFError):
            receive(theirs)


@pytest.mark.parametrize("header", [b"[", b"\xff\xff"])
def test_a_header_that_is_no_json_is_refused(
    header: bytes, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    ours.sendall(LENGTHS.pack(len(header), 0) + header)
    with pytest.raises(ValueError, match=r"."):
        receive(theirs)


def test_a_header_of_any_length_is_not_waited_for(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    ours.sendall(LENGTHS.pack(MOST_OF_HEADER + 1, 0))
    with pytest.raises(ValueError, match="none of ours"):
        receive(theirs)


@given(st.binary(), st.text(), st.text(), st.dictionaries(st.text(), st.integers() | st.text()))
def test_a_request_arrives_as_it_was_asked(
    body: bytes, content_type: str, accept: str, options: dict[str, object]
) -> None:
    asked = messages.Asked(Request(body, content_type, accept, options), "id", 2.5)
    assert messages.to_asked(passed(messages.from_asked(asked))) == asked


@given(st.binary(), st.text(), st.dictionaries(st.text(), st.floats(0, 1e9)))
def test_an_answer_arrives_as_it_was_given(
    body: bytes, content_type: str, laps: dict[str, float]
) -> None:
    answered = messages.Answered(responses.Response(body, content_type), "model/1", laps)
    assert messages.to_answered(passed(messages.from_answered(answered))) == answered


def as_tensorflow() -> PlumblineError:
    error = ImageTooLarge("too many pixels")
    error.as_tensorflow = True
    return error


@pytest.mark.parametrize(
    "error", [ImageTooLarge("too many pixels"), as_tensorflow(), ServerBusy("wait", 7)]
)
def test_an_error_is_raised_again_as_it_was(error: PlumblineError) -> None:
    with pytest.raises(PlumblineError) as raised:
        messages.to_answered(passed(messages.from_error(error)))
    told = raised.value
    assert (told.message, told.code, told.status) == (error.message, error.code, error.status)
    assert told.as_tensorflow == error.as_tensorflow
    assert getattr(told, "retry_after", None) == getattr(error, "retry_after", None)
