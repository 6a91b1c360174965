"""What the page says while a model loads, when it can't, and of pictures that are refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from gunicorn_server import Server, running, wait_until
from open_page import Open, Page
from PIL import Image
from sagemaker_runtime import listening

from plumbline.browser_page import about
from plumbline.web.endpoint_page import Elsewhere, app_for

Show = Callable[..., Page]

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a real server with a fake model, and the page."""
    with ExitStack() as stack:

        def start(arguments: str = "", **settings: str) -> Server:
            settings = {"PLUMBLINE_PAGE": "true", **settings}
            server = stack.enter_context(running(tmp_path, arguments, settings))
            wait_until(lambda: not server.refuses())
            return server

        yield start


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}/"


def png(size: tuple[int, int] = (32, 32), mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, "PNG")
    return stream.getvalue()


def refused(page: Page) -> tuple[str, str]:
    """The code and the message of a refusal, which are shown."""
    assert page.find("error").is_displayed()
    assert not page.find("found").is_displayed()
    assert not page.find("canvas").is_displayed()
    return page.text("code"), page.text("message")


def test_the_page_waits_until_the_model_is_loaded(
    serve: Callable[..., Server], visit: Open, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    page = visit(address(serve(f"loads_after={str(gate)!r}")))
    page.until_state("The model fake is loading.")
    page.drop(png())
    assert refused(page) == ("503 model_not_ready", "The model fake is loading.")

    gate.touch()
    page.until_state("Ready: model/1")
    page.find("again").click()
    page.until_state("Answered: it.png")
    assert page.find("found").is_displayed()


def test_the_page_says_why_a_model_failed_to_load_and_that_the_server_is_gone(
    serve: Callable[..., Server], visit: Open
) -> None:
    server = serve("failure='Its weights are <b>torn</b>.'", PLUMBLINE_FAILURE_GRACE_SECONDS="3")
    page = visit(address(server))
    page.until_state("The model failed to load: Its weights are <b>torn</b>.")
    page.until_state("The server does not answer.")
    page.drop(png())
    assert refused(page) == ("no_answer", "The server gave no answer. Is it still running?")


def test_a_busy_server_is_asked_again_by_a_button(
    serve: Callable[..., Server], visit: Open, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    server = serve(f"answers_after={str(gate)!r}", PLUMBLINE_SLOTS="1", PLUMBLINE_QUEUE="0")
    page = visit(address(server)).until_state("Ready")
    with ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(server.invoke, png()) for _ in range(2)]
        try:
            wait_until(lambda: any(each.done() for each in sent))
            page.drop(png())
            assert refused(page)[0] == "503 server_busy"
        finally:
            gate.touch()
    page.find("again").click()
    page.until_state("Answered: it.png")


@pytest.mark.parametrize(
    ("name", "data", "media_type", "code"),
    [
        ("large.png", png((10_000, 6_000), "1"), "image/png", "413 image_too_large"),
        ("notes.txt", b"Dear diary", "text/plain", "400 not_an_image"),
        ("IMG_0001.HEIC", HEIC, "image/heic", "415 image_format_refused"),
        ("IMG_0001.HEIC", HEIC, "", "415 image_format_refused"),
        ("half.png", png((500, 500))[:200], "image/png", "400 image_damaged"),
        ("empty.png", b"", "image/png", "400 empty_body"),
    ],
    ids=["60-megapixels", "text", "heic", "heic-untyped", "damaged", "empty"],
)
def test_what_is_no_picture_for_the_server_is_told_in_its_words(
    name: str, data: bytes, media_type: str, code: str, show: Show
) -> None:
    page = show().drop(data, name, media_type)
    assert refused(page)[0] == code
    assert refused(page)[1] == json.loads(page.text("raw"))["error"]["message"]

    page.drop(png(), "good.png")
    assert not page.find("error").is_displayed()
    assert len(page.rows()) == 5


def test_what_was_drawn_before_does_not_come_back_after_a_refusal(show: Show) -> None:
    page = show().drop(png())
    page.run("document.querySelector('#rows button').focus()")
    page.drop(b"Dear diary", "notes.txt", kind="paste")
    page.run("document.activeElement.blur()")
    assert refused(page)[0] == "400 not_an_image"


@pytest.mark.parametrize(
    "document",
    [
        '{"predictions": [{"classes": [{"name": "bee"}, 7]}]}',
        '{"predictions": [{"detections": [{"label": "bee", "score": 1}]}]}',
        '{"predictions": []}',
        "null",
        "no JSON",
    ],
)
def test_whatever_a_handler_answers_is_shown_as_it_came(document: str, visit: Open) -> None:
    told = about.of_endpoint("cats", "eu-central-1", None, 2**20)

    def ask(*_: object) -> tuple[int, str, bytes]:
        return 200, "application/json", document.encode()

    with listening(app_for(Elsewhere(ask, told, 2**20))) as url:
        page = visit(f"{url}/").until_state("Ready").drop(png())
        page.until(lambda page: page.find("found").is_displayed())
        assert page.text("raw") == document
        assert page.text("count") == "Plain numbers: see the raw answer"
        assert page.find("canvas").is_displayed()


def test_a_file_with_too_many_bytes_is_not_even_sent(show: Show) -> None:
    page = show()
    page.requests()
    page.run("""
      const held = new DataTransfer();
      held.items.add(new File([new Uint8Array(26 * 2 ** 20)], "huge.png", { type: "image/png" }));
      dispatchEvent(new DragEvent("drop", { dataTransfer: held, cancelable: true }));
    """)
    page.until_state("Refused: huge.png")
    assert refused(page)[0] == "body_too_large"
    assert page.requests() == []
