"""Pictures by link from S3: moto's, asked over HTTP, and ones that misbehave."""

from __future__ import annotations

import itertools
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from sites import Answer, Site, plain, raw, running

from plumbline.errors import DeadlineExceeded, LinkFailed, LinkRefused, LinkTooLarge
from plumbline.links.fetching import Links
from plumbline.links.policy import OFF, read_allowlist
from plumbline.pipeline.admission import Deadline

MEBIBYTE = 1024 * 1024
MOST = 100_000
PICTURE = bytes(range(256)) * 100
SECONDS = 0.5
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
LINK = "s3://photos/a.jpg"
DENIED = "the server's role may not read it (s3:GetObject), or it is not there"
UNREACHED = f"{LINK} can't be fetched: S3 can't be reached, or ended the connection."
SLOW = (
    f"{LINK} did not arrive within {SECONDS:g} seconds; try again, or raise "
    "PLUMBLINE_URL_TIMEOUT_SECONDS."
)


def forever() -> float:
    """The seconds left of a request without a deadline."""
    return 3600.0


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An S3 of moto's, which asks for flask_cors on behalf of browsers; there are none here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "flask_cors", SimpleNamespace(CORS=lambda _app: None))
        from moto.server import ThreadedMotoServer
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint: str) -> None:
    """The environment of a container with a role, and with that S3 in place of AWS's."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)


@pytest.fixture
def bucket(endpoint: str) -> Iterator[Any]:
    """The bucket `photos`, empty."""
    s3 = boto3.resource("s3", endpoint_url=endpoint, region_name="us-east-1")
    made = s3.create_bucket(Bucket="photos")
    yield made
    made.objects.all().delete()
    made.delete()


def fetch(url: str = LINK, allow: str = "s3://photos/* s3://missing/*") -> bytes:
    """What is behind the link."""
    return Links(read_allowlist(allow), MOST, 10).fetch(url, forever)


def failure(url: str = LINK) -> str:
    """The message of the error that fetching ends in."""
    with pytest.raises(LinkFailed) as caught:
        fetch(url)
    for secret in (KEY_ID, "secret", "127.0.0.1", "Errno", "GetObject operation"):
        assert secret not in caught.value.message
    return caught.value.message


@pytest.fixture(autouse=True)
def _no_thread_stays_behind() -> Iterator[None]:
    ENOUGH.clear()
    yield
    ENOUGH.set()
    end = time.monotonic() + 30
    while any(thread.name == "link" for thread in threading.enumerate()):
        assert time.monotonic() < end, "a thread still fetches"
        time.sleep(0.01)


KEYS = [
    "a.jpg",
    "photos/2024/a b.jpg",
    "ü/中.jpg",
    "100%25.jpg",
    "%2e%2e/a.jpg",
    "a+b&c=d;e@f:g,h!i(j)*k'l~m.jpg",
    "a?versionId=b",
    "a#b",
    "a//b",
    "folder/",
]


@pytest.mark.parametrize("key", KEYS)
def test_an_object_arrives_byte_for_byte_by_the_very_key(key: str, bucket: Any) -> None:
    bucket.put_object(Key=key, Body=PICTURE)
    assert fetch(f"s3://photos/{key}") == PICTURE


@pytest.mark.parametrize("size", [0, 1, MOST])
def test_any_size_that_is_taken_arrives(size: int, bucket: Any) -> None:
    bucket.put_object(Key="a.jpg", Body=b"x" * size)
    assert fetch() == b"x" * size


def test_a_larger_object_is_refused(bucket: Any) -> None:
    bucket.put_object(Key="a.jpg", Body=bytes(MOST + 1))
    with pytest.raises(LinkTooLarge) as caught:
        fetch()
    assert caught.value.message == (
        f"{LINK} has more than the {MOST / MEBIBYTE:g} MiB that are taken. Link to a smaller "
        "picture, or raise PLUMBLINE_MAX_BODY_MB."
    )


@pytest.mark.parametrize(
    ("allow", "url", "words"),
    [
        ("", LINK, OFF),
        ("s3://photos/b/*", LINK, "is not among the links"),
        ("s3://photos/*", "s3://other/a.jpg", "is not among the links"),
        ("s3://photos/*", "s3://photos/b/../a.jpg", "there is a . or .. between its slashes"),
        ("https://photos/*", LINK, "is not among the links"),
    ],
)
def test_what_is_not_allowed_is_refused(allow: str, url: str, words: str, bucket: Any) -> None:
    bucket.put_object(Key="a.jpg", Body=PICTURE)
    with pytest.raises(LinkRefused) as caught:
        fetch(url, allow)
    assert words in caught.value.message


def test_what_is_not_there_is_told(bucket: Any) -> None:
    assert failure() == f"{LINK} can't be fetched: it is not there."
    assert failure("s3://missing/a.jpg") == (
        "s3://missing/a.jpg can't be fetched: there is no such bucket."
    )


def test_what_the_role_may_not_read_is_told(bucket: Any) -> None:
    bucket.put_object(Key="a.jpg", Body=PICTURE)
    denied = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::photos/*",
    }
    bucket.Policy().put(Policy=json.dumps({"Version": "2012-10-17", "Statement": [denied]}))
    assert failure() == f"{LINK} can't be fetched: {DENIED}."


def test_what_is_archived_is_told(bucket: Any) -> None:
    bucket.put_object(Key="a.jpg", Body=PICTURE, StorageClass="GLACIER")
    assert failure() == (f"{LINK} can't be fetched: it is archived, and must be restored first.")


def test_a_server_without_a_role_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert failure() == (
        f"{LINK} can't be fetched: the server has no credentials; give its container a role."
    )


def test_threads_share_one_client(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    client = boto3.session.Session.client

    def counted(*args: Any, **options: Any) -> Any:
        made.append(args)
        return client(*args, **options)

    monkeypatch.setattr(boto3.session.Session, "client", counted)
    bucket.put_object(Key="a.jpg", Body=PICTURE)
    links = Links(read_allowlist("s3://photos/*"), MOST, 10)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _number: links.fetch(LINK, forever), range(24)))
    assert (found, len(made)) == ([PICTURE] * 24, 1)


# --- an S3 that misbehaves --------------------------------------------------------------------


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A web server in S3's place."""
    with running(None) as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{found.port}")
        yield found


def test_the_container_signs_with_its_role(site: Site) -> None:
    site.answers["/photos/a.jpg"] = plain(PICTURE)
    assert fetch() == PICTURE
    assert f"Credential={KEY_ID}/".encode() in site.requests[0]


ERROR = b"<Error><Code>%s</Code><Message>the secret</Message></Error>"

FAILING: dict[str, tuple[Answer, str]] = {
    "down": (plain(b"", "503 Slow Down"), f"{LINK} can't be fetched: S3 answered with status 503."),
    "of no sense": (raw("SSH-2.0"), UNREACHED),
    "silent": (lambda _connection: None, UNREACHED),
    "that breaks off": (
        raw("HTTP/1.1 200 OK", "Content-Length: 9", body=b"abc"),
        UNREACHED,
    ),
    "with an unknown error": (
        plain(ERROR % b"Secret", "400 Bad Request"),
        f"{LINK} can't be fetched: S3 answered with status 400.",
    ),
    "that denies": (
        plain(ERROR % b"AccessDenied", "403 Forbidden"),
        f"{LINK} can't be fetched: {DENIED}.",
    ),
    "without a code": (plain(b"", "404 Not Found"), f"{LINK} can't be fetched: it is not there."),
    "for which the role has run out": (
        plain(ERROR % b"ExpiredToken", "400 Bad Request"),
        f"{LINK} can't be fetched: the server's credentials have expired.",
    ),
    "that moves elsewhere": (
        plain(b"", "307 Moved", "Location: http://169.254.169.254/latest"),
        f"{LINK} can't be fetched: S3 answered with status 307.",
    ),
}


@pytest.mark.parametrize(("answer", "message"), FAILING.values(), ids=FAILING)
def test_what_goes_wrong_is_told_in_our_own_words(answer: Answer, message: str, site: Site) -> None:
    site.answers["/photos/a.jpg"] = answer
    assert failure() == message
    assert len(site.requests) <= 2


def test_an_s3_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    assert failure() == UNREACHED


ENOUGH = threading.Event()
"""Set once a test is over: what is slow need not go on."""


def drip(connection: socket.socket) -> None:
    """A body that goes on for longer than anybody waits."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
    for _ in range(500):
        connection.sendall(b"a")
        if ENOUGH.wait(0.02):
            return


def pause(_connection: socket.socket) -> None:
    """No answer."""
    ENOUGH.wait(10)


def flood(connection: socket.socket) -> None:
    """More than it says, without a length."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in itertools.repeat(0):
        connection.sendall(bytes(9999))


def ready(timeout: float, most: int = MOST) -> Links:
    """With its client made, which takes a while on a busy machine."""
    links = Links(read_allowlist("s3://photos/*"), most, timeout)
    links._s3.client()
    return links


@pytest.mark.parametrize("answer", [drip, pause], ids=["drips", "pauses"])
def test_an_s3_that_is_slow_ends_in_time(answer: Answer, site: Site) -> None:
    site.answers["/photos/a.jpg"] = answer
    links, start = ready(SECONDS), time.monotonic()
    with pytest.raises(LinkFailed) as caught:
        links.fetch(LINK, forever)
    assert caught.value.message == SLOW
    assert SECONDS <= time.monotonic() - start < SECONDS + 5
    assert len(site.requests) == 1


def stream(connection: socket.socket) -> None:
    """A body that would take an hour."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in itertools.repeat(0):
        connection.sendall(bytes(65536))
        time.sleep(0.05)


def test_what_was_given_up_is_not_read_on(site: Site) -> None:
    """The fixture that looks for threads would find this one."""
    site.answers["/photos/a.jpg"] = stream
    links = ready(SECONDS, 1024 * MEBIBYTE)
    with pytest.raises(LinkFailed) as caught:
        links.fetch(LINK, forever)
    assert caught.value.message == SLOW


def test_a_request_whose_own_time_is_up_says_so(site: Site) -> None:
    site.answers["/photos/a.jpg"] = drip
    links, start = ready(30), time.monotonic()
    with pytest.raises(DeadlineExceeded):
        links.fetch(LINK, Deadline(SECONDS).remaining)
    assert time.monotonic() - start < SECONDS + 5
    assert len(site.requests) == 1


def test_a_body_without_a_length_is_counted_while_it_is_read(site: Site) -> None:
    site.answers["/photos/a.jpg"] = flood
    with pytest.raises(LinkTooLarge):
        fetch()
