"""What the event loop answers itself, and what it leaves to threads."""

from __future__ import annotations

import pytest

from plumbline.web.quick_requests import LONG_SECONDS, MOST_BYTES, QuickRequests
from plumbline.web.received_request import ReceivedRequest

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def request(
    body: bytes = PNG, *fields: str, method: str = "POST", target: str = "/invocations"
) -> ReceivedRequest:
    """One that has come whole."""
    lines = (f"{method} {target} HTTP/1.1", "Host: here", f"Content-Length: {len(body)}", *fields)
    made = ReceivedRequest("\r\n".join((*lines, "", "")).encode())
    made.take(bytearray(body))
    return made


PICTURES = {
    "a JPEG": ("Content-Type: image/jpeg",),
    "a PNG, with parameters": ("content-type: IMAGE/PNG; q=1",),
    "SageMaker's name for pictures": ("Content-Type: application/x-image",),
    "what S3 knows nothing of": ("Content-Type: binary/octet-stream",),
    "no type": (),
}

OTHERS = {
    "JSON": request(b'{"instances": []}', "Content-Type: application/json"),
    "links, called a picture by no name": request(b'{"instances": [{"url": "https://a/b.png"}]}'),
    "links, called anything": request(b'[{"url": 1}]', "Content-Type: application/octet-stream"),
    "an array": request(b"\x93NUMPY", "Content-Type: application/x-npy"),
    "text": request(b"a cat", "Content-Type: text/plain"),
    "packed": request(PNG, "Content-Type: image/png", "Content-Encoding: gzip"),
    "large": request(bytes(MOST_BYTES + 1), "Content-Type: image/png"),
    "empty": request(b"", "Content-Type: image/png"),
    "another address": request(PNG, "Content-Type: image/png", target="/invocations/"),
    "another method": request(PNG, "Content-Type: image/png", method="PUT"),
}


@pytest.fixture
def quick() -> QuickRequests:
    """Those of a quick model."""
    return QuickRequests(lambda: True)


@pytest.mark.parametrize("fields", PICTURES.values(), ids=PICTURES)
def test_a_small_picture_is(quick: QuickRequests, fields: tuple[str, ...]) -> None:
    assert quick.include(request(PNG, *fields))


def test_as_large_a_picture_as_may_be_is(quick: QuickRequests) -> None:
    assert quick.include(request(bytes(MOST_BYTES), "Content-Type: image/png"))


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_anything_else_is_not(quick: QuickRequests, other: ReceivedRequest) -> None:
    assert not quick.include(other)


def test_a_body_that_broke_off_is_not(quick: QuickRequests) -> None:
    broken = request(PNG, "Content-Type: image/png")
    broken.trouble = ValueError()  # type: ignore[assignment]
    assert not quick.include(broken)


def test_nothing_is_where_the_model_is_not_quick_or_somebody_waits() -> None:
    assert not QuickRequests(lambda: False).include(request())


@pytest.mark.parametrize(("seconds", "goes_on"), [(LONG_SECONDS, True), (0.021, False)])
def test_after_one_that_took_long_threads_answer_for_a_while(seconds: float, goes_on: bool) -> None:
    now = [100.0]
    quick = QuickRequests(lambda: True, lambda: now[0])

    with quick.timed():
        now[0] += seconds

    assert quick.include(request()) is goes_on
    now[0] += 49.9 * seconds
    assert quick.include(request()) is goes_on
    now[0] += 0.2 * seconds
    assert quick.include(request())
