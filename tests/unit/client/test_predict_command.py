"""`plumbline predict`: who is asked, what is shown, what is drawn where; and SageMaker's errors."""

from __future__ import annotations

import http.client
import io
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.response import StreamingBody
from botocore.stub import Stubber
from click.testing import CliRunner, Result
from rich.console import Console

from plumbline.cli import main
from plumbline.client import endpoint, predict
from plumbline.client.base import Answer, NoAnswer, NotReached, Refused, Server, ask, prediction
from plumbline.client.endpoint import Endpoint
from plumbline.client.predict import Job, jobs
from plumbline.errors import CommandError
from plumbline.results.task_results import Classes, Detections, Segments, Values
from plumbline.results.task_results import Result as Said
from plumbline.vision.geometry import Geometry
from plumbline.wire.responses import json_part, json_whole


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(main, ["predict", *map(str, arguments)])


def answered(result: Said) -> Any:
    """A result as a client reads it."""
    body = json_whole([json_part(result, 0, "typed")], True)
    return prediction(Answer(200, "application/json", body))


def shown(result: Said) -> list[list[str]]:
    """The words of each line of a result's table."""
    screen = io.StringIO()
    predict.show(Console(file=screen, width=100), Job(Path("a/cat.jpg")), answered(result))
    first, *lines = screen.getvalue().splitlines()
    assert first == "a/cat.jpg"
    return [line.split() for line in lines if line]


# -- tables -------------------------------------------------------------------------------------


def test_classes_have_their_scores_and_bars() -> None:
    scores = np.array([0.25, 0.5, 0.00001], np.float32)
    found = shown(Classes(scores, (1, 0, 2), ("[red]dog", "cat", "bird")))
    assert found == [
        ["[red]dog", "█" * 12, "0.5000"],
        ["cat", "█" * 6, "0.2500"],
        ["bird", "0.0000"],
    ]


def test_scores_that_are_no_shares_are_shown_as_they_are() -> None:
    scores = np.array([12.34567, -3.0, np.nan], np.float32)
    found = shown(Classes(scores, (0, 1, 2), ("cat", "dog", "bird")))
    assert found == [["cat", "█" * 24, "12.35"], ["dog", "-3"], ["bird", "–"]]


def test_detections_have_their_boxes() -> None:
    boxes = np.array([[1, 2, 30.26, 40]], np.float32)
    whole = Geometry.whole((50, 60))
    found = Detections(boxes, np.array([0.75], np.float32), np.array([1]), ("bee",), whole)
    assert shown(found) == [
        ["score", "left", "top", "right", "bottom"],
        ["bee", "0.7500", "1.0", "2.0", "30.3", "40.0"],
    ]


def test_segments_have_their_shares_and_pixels() -> None:
    mask = np.zeros((40, 50), np.uint8)
    mask[:10] = 1
    colors = ((0, 0, 0), (255, 0, 0))
    found = shown(Segments(mask, ("ground", "cat"), colors, Geometry.whole((40, 50))))
    assert found == [
        ["ground", "█" * 18, "75.0%", "1,500", "pixels"],
        ["cat", "█" * 6, "25.0%", "500", "pixels"],
    ]


def test_nothing_found_is_said() -> None:
    none = np.zeros((0, 4), np.float32)
    found = Detections(none, np.zeros(0), np.zeros(0, int), (), Geometry.whole((5, 5)))
    assert shown(found) == [["no", "detections"]]
    assert shown(Classes(np.ones(2, np.float32), (), ())) == [["no", "classes"]]


def test_raw_values_have_their_shape_and_the_first_of_them() -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 8
    assert shown(Values({"output": values})) == [
        ["[2,", "3,", "4]", "0", "0.125", "0.25", "0.375", "0.5", "0.625", "…"]
    ]
    several = Values({"count": np.float32(3), "names": np.array([b"x", b"y"], object)})
    assert shown(several) == [["count", "[]", "3"], ["names", "[2]", "x", "y"]]


# -- drawings -----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a few files that could be pictures."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.png", "other/a.jpg", "other/a.png"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(b"picture")
    return tmp_path


@pytest.mark.parametrize(
    ("pictures", "out", "targets"),
    [
        (["a.jpg"], None, [None]),
        (["a.jpg"], "drawn.png", ["drawn.png"]),
        (["a.jpg"], "drawn", ["drawn/a.png"]),
        (["a.jpg"], "other.d/x.PNG", ["other.d/x.PNG"]),
        (["a.jpg", "b.png"], "drawn", ["drawn/a.png", "drawn/b.png"]),
        (["other/a.jpg", "other/a.png"], "drawn", ["drawn/a.jpg.png", "drawn/a.png.png"]),
        (["b.png"], "other", ["other/b.png"]),
    ],
)
def test_drawings_are_called_after_their_pictures(
    pictures: list[str], out: str | None, targets: list[str | None], folder: Path
) -> None:
    found = jobs([Path(name) for name in pictures], Path(out) if out else None)
    assert [job.target and str(job.target) for job in found] == targets


@pytest.mark.parametrize(
    ("pictures", "out", "message"),
    [
        (["b.png"], "b.png", "would overwrite a picture"),
        (["b.png", "a.jpg"], ".", "would overwrite a picture"),
        (["a.jpg", "other/a.jpg"], "drawn", "would both be drawn to drawn/a.jpg.png"),
        (["a.jpg"], "drawn.jpg", "call it drawn.png"),
        (["a.jpg", "other/a.png"], "b.png", "a folder and a file are mixed up"),
    ],
)
def test_a_drawing_never_takes_anothers_place(
    pictures: list[str], out: str, message: str, folder: Path
) -> None:
    done = run(*pictures, "--out", out)
    assert done.exit_code == 2
    assert message in done.stderr
    assert {file.read_bytes() for file in folder.rglob("*.*") if file.is_file()} == {b"picture"}


def test_a_link_to_a_picture_is_not_written_through(folder: Path) -> None:
    Path("link.png").symlink_to("b.png")
    with pytest.raises(CommandError, match="would overwrite"):
        jobs([Path("b.png")], Path("link.png"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'PICTURES...'"),
        (["nothing.jpg"], "does not exist"),
        (["other"], "is a directory"),
        (["a.jpg", "--mask"], "--mask says how to draw"),
        (["a.jpg", "--top-k", "0"], "1<=x<=1000"),
        (["a.jpg", "--url", "x://y"], "it must be like http://127.0.0.1:8080"),
        (["a.jpg", "--url", "http://host:port"], "Port could not be cast"),
        (["a.jpg", "--url", "http://host", "--endpoint", "x"], "one of the two"),
        (["a.jpg", "--variant", "blue"], "--variant is of an endpoint"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    arguments: list[str], message: str, folder: Path
) -> None:
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


# -- servers that are none ----------------------------------------------------------------------


def test_nobody_there_to_ask_is_said_with_what_to_do(folder: Path) -> None:
    done = run("a.jpg", "--url", "http://127.0.0.1:1")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: There is no response from http://127.0.0.1:1 (")
    assert "plumbline serve MODEL starts one" in done.stderr


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """The URL of a server that answers anything with these bytes, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(said: bytes) -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as stream:
                length = int(http.client.parse_headers(skip_line(stream))["Content-Length"])
                stream.read(length)
                connection.sendall(said)

        threads: list[threading.Thread] = []

        def start(said: bytes) -> str:
            threads.append(threading.Thread(target=serve, args=(said,)))
            threads[-1].start()
            return "http://{}:{}".format(*listener.getsockname())

        yield start
        for thread in threads:
            thread.join(10)


def skip_line(stream: io.BufferedReader) -> io.BufferedReader:
    """The stream behind its first line."""
    stream.readline()
    return stream


def with_header(status: str, content_type: str, body: bytes) -> bytes:
    header = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}"
    return f"{header}\r\n\r\n".encode() + body


@pytest.mark.parametrize("said", [b"", b"garbage\r\n", with_header("200 OK", "x/y", b"12345")[:-2]])
def test_a_server_that_hangs_up_is_no_answer(
    said: bytes, answering: Callable[[bytes], str]
) -> None:
    with pytest.raises(NoAnswer, match="hung up without an answer"):
        ask(Server(answering(said)), b"picture", "*/*", "")


@pytest.mark.parametrize(
    ("said", "code", "message"),
    [
        (
            with_header("502 Bad Gateway", "text/html", b"<p>Bad\n gateway"),
            "http_502",
            "The server answered with status 502: <p>Bad gateway",
        ),
        (with_header("500 X", "x/y", b""), "http_500", "status 500: nothing more"),
        (
            with_header("400 X", "application/json", b'{"error": "no such thing"}'),
            "http_400",
            "no such thing",
        ),
        (with_header("500 X", "application/json", b"[1]"), "http_500", "status 500: [1]"),
    ],
)
def test_errors_of_foreign_servers_are_shown_as_they_are(
    said: bytes, code: str, message: str, answering: Callable[[bytes], str]
) -> None:
    with pytest.raises(Refused) as caught:
        ask(Server(answering(said)), b"picture", "*/*", "")
    assert caught.value.code == code
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"predictions": [{"classes": []}]}', {"classes": []}),
        (b'{"predictions": [[0.5, 1]]}', [0.5, 1]),
        (b'{"predictions": [[1], [2]]}', {"predictions": [[1], [2]]}),
        (b'{"prediction": [0.5, 1]}', [0.5, 1]),
        (b'{"scores": 1}', {"scores": 1}),
        (b"[1, 2]", [1, 2]),
    ],
)
def test_predictions_are_found_in_every_form(body: bytes, expected: Any) -> None:
    assert prediction(Answer(200, "application/json", body)) == expected


def test_an_answer_that_is_no_json_is_refused() -> None:
    with pytest.raises(Refused, match=r"^The answer is not JSON, but text/html\.$"):
        prediction(Answer(200, "text/html", b"<html>"))


# -- SageMaker ----------------------------------------------------------------------------------


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Endpoint, Stubber]]:
    """An endpoint over boto3's own client, which checks what is sent by SageMaker's own model."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    found = endpoint.connect("cats", "eu-central-1", "blue")
    with Stubber(found.runtime) as stubber:
        yield found, stubber
        stubber.assert_no_pending_responses()


def test_an_endpoint_is_asked_by_its_variant_with_its_attributes(
    stub: tuple[Endpoint, Stubber],
) -> None:
    cats, stubber = stub
    body = b'{"predictions": [1]}'
    stubber.add_response(
        "invoke_endpoint",
        {"Body": StreamingBody(io.BytesIO(body), len(body)), "ContentType": "application/json"},
        {
            "EndpointName": "cats",
            "Body": b"picture",
            "ContentType": "application/x-image",
            "Accept": "image/png",
            "CustomAttributes": "top_k=3",
            "TargetVariant": "blue",
        },
    )
    answer = ask(cats, b"picture", "image/png", "top_k=3")
    assert answer == Answer(200, "application/json", body)


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        (
            {
                "OriginalStatusCode": 413,
                "OriginalMessage": '{"error": {"code": "x", "message": "y"}}',
            },
            413,
            "y",
        ),
        ({"OriginalStatusCode": 500, "OriginalMessage": "plain"}, 500, "status 500: plain"),
        (
            {"OriginalStatusCode": 0, "OriginalMessage": "Your invocation timed out"},
            504,
            "timed out",
        ),
        ({"OriginalStatusCode": 500}, 500, "status 500: Received server error (500)"),
    ],
)
def test_an_error_of_the_container_is_its_answer(
    fields: dict[str, Any], status: int, message: str, stub: tuple[Endpoint, Stubber]
) -> None:
    cats, stubber = stub
    stubber.add_client_error(
        "invoke_endpoint",
        "ModelError",
        "Received server error (500) from primary and could not load the entire response body.",
        http_status_code=424,
        modeled_fields=fields,
    )
    with pytest.raises(Refused) as caught:
        ask(cats, b"picture", "*/*", "")
    assert caught.value.status == status
    assert message in caught.value.message


SAID_BY_SAGEMAKER = [
    ("ValidationError", 400, "Request 1 has oversize body.", 413, "body_too_large"),
    ("413", 413, "HTTP content length exceeded 5246976 bytes.", 413, "body_too_large"),
    (
        "ValidationError",
        400,
        "Value at 'body' failed to satisfy: Member must have length less than or equal to 6",
        413,
        "body_too_large",
    ),
    ("ServiceUnavailable", 503, "Try later.", 503, "ServiceUnavailable"),
    ("ModelNotReadyException", 429, "Loading.", 503, "ModelNotReadyException"),
    ("ThrottlingException", 400, "Rate exceeded", 503, "ThrottlingException"),
    ("InternalFailure", 500, "Oh.", 503, "InternalFailure"),
]


@pytest.mark.parametrize(("code", "http_status", "said", "status", "shown_as"), SAID_BY_SAGEMAKER)
def test_what_a_picture_or_a_moment_can_mend_is_an_answer(
    code: str,
    http_status: int,
    said: str,
    status: int,
    shown_as: str,
    stub: tuple[Endpoint, Stubber],
) -> None:
    cats, stubber = stub
    stubber.add_client_error("invoke_endpoint", code, said, http_status_code=http_status)
    with pytest.raises(Refused) as caught:
        ask(cats, b"picture", "*/*", "")
    assert (caught.value.status, caught.value.code) == (status, shown_as)


@pytest.mark.parametrize(
    ("code", "status", "said", "hint"),
    [
        ("ValidationError", 400, "Endpoint cats of account 1 not found.", "Check --endpoint"),
        ("AccessDeniedException", 403, "You are not authorized.", "sagemaker:InvokeEndpoint"),
        ("ExpiredTokenException", 403, "The token is expired", "Check your AWS credentials."),
    ],
)
def test_what_no_picture_can_mend_ends_it(
    code: str, status: int, said: str, hint: str, stub: tuple[Endpoint, Stubber]
) -> None:
    cats, stubber = stub
    stubber.add_client_error("invoke_endpoint", code, said, http_status_code=status)
    with pytest.raises(NotReached) as caught:
        ask(cats, b"picture", "*/*", "")
    assert said in caught.value.message
    assert hint in caught.value.message


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (NoCredentialsError(), NotReached, "There are no AWS credentials"),
        (EndpointConnectionError(endpoint_url="https://x"), NotReached, "can't be reached"),
        (ReadTimeoutError(endpoint_url="https://x"), NoAnswer, "gave no answer"),
        (ConnectionClosedError(endpoint_url="https://x"), NoAnswer, "gave no answer"),
    ],
)
def test_what_boto3_meets_on_the_way_is_a_sentence(
    error: BotoCoreError, kind: type[CommandError], message: str
) -> None:
    class Failing:
        def invoke_endpoint(self, **_: Any) -> None:
            raise error

    with pytest.raises(kind, match=message):
        Endpoint("cats", Failing()).invoke(b"x", "a/b", "*/*", "")


def test_a_region_that_nobody_says_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "none"))
    done = run("a.jpg", "--endpoint", "cats")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "--region eu-central-1, say" in done.stderr


def test_a_profile_that_is_not_there_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    done = run("a.jpg", "--endpoint", "cats", "--region", "eu-central-1")
    assert done.exit_code == 1
    assert "AWS can't be reached: The config profile (nobody) could not be found." in done.stderr


def test_a_picture_that_sagemaker_would_not_take_is_not_sent(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        def invoke_endpoint(self, **_: Any) -> None:
            pytest.fail("it was sent")

    monkeypatch.setattr(endpoint, "connect", lambda *_: Endpoint("cats", Silent()))
    with Path("a.jpg").open("wb") as file:
        file.truncate(25 * 1024 * 1024 + 1)
    done = run("a.jpg", "--endpoint", "cats")
    assert done.exit_code == 1
    assert done.stderr.startswith("a.jpg: The file has 26,214,401 bytes, and 25 MiB are taken")
