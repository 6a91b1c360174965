"""Pictures by link: what is allowed arrives byte for byte, and nothing leads anywhere else."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sites import ADDRESS, Answer, Authority, Internet, Site, moved, plain, raw, running

from plumbline.errors import DeadlineExceeded, LinkFailed, LinkRefused, LinkTooLarge, RequestError
from plumbline.links.fetching import Links
from plumbline.links.policy import OFF, read_allowlist
from plumbline.pipeline.admission import Deadline

CONTAINER = Path(__file__).parents[2] / "container"
HOST = "pictures.example"
LINK = f"https://{HOST}/a.jpg"
ALLOW = f"https://{HOST}/*"
MEBIBYTE = 1024 * 1024
MOST = 100_000
PICTURE = bytes(range(256)) * 100
SECONDS = 0.5

PRIVATE = f"{LINK} leads into a private network, where this server fetches nothing."
ELSEWHERE = f"{LINK} is redirected to where PLUMBLINE_URL_ALLOW does not allow."
LARGE = (
    f"{LINK} has more than the {MOST / MEBIBYTE:g} MiB that are taken. Link to a smaller picture, "
    "or raise PLUMBLINE_MAX_BODY_MB."
)
UNREACHED = f"{LINK} can't be fetched: its host can't be reached, or ended the connection."
UNKNOWN = f"{LINK} can't be fetched: its host is unknown."
UNTRUSTED = (
    f"{LINK} can't be fetched: its host has no certificate for its name that is trusted here."
)
NOT_HTTP = f"{LINK} can't be fetched: its host does not speak HTTP as it should."
SLOW = (
    f"{LINK} did not arrive within {SECONDS:g} seconds; try again, or raise "
    "PLUMBLINE_URL_TIMEOUT_SECONDS."
)


def forever() -> float:
    """The seconds left of a request without a deadline."""
    return 3600.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whoever signs the certificates that are trusted here."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def site(authority: Authority) -> Iterator[Site]:
    """A web server that is pictures.example."""
    with running(authority.server(HOST)) as found:
        yield found


@pytest.fixture
def internet(authority: Authority, site: Site) -> Internet:
    """The names that there are, and where they lead."""
    return Internet(authority.client(), {HOST: [ADDRESS]}, {ADDRESS: site.port})


Fetch = Callable[..., bytes]


@pytest.fixture
def fetch(internet: Internet) -> Fetch:
    """`fetch(url, allow)` over that internet, with a limit and little time."""

    def get(
        url: str = LINK,
        allow: str = ALLOW,
        timeout: float = 10.0,
        time_left: Callable[[], float] = forever,
    ) -> bytes:
        return Links(read_allowlist(allow), MOST, timeout, internet.network).fetch(url, time_left)

    return get


@pytest.fixture(autouse=True)
def _no_thread_stays_behind() -> Iterator[None]:
    yield
    end = time.monotonic() + 30
    while any(thread.name == "link" for thread in threading.enumerate()):
        assert time.monotonic() < end, "a thread still fetches"
        time.sleep(0.01)


def refusal(error: type[RequestError], fetch: Fetch, *args: str, **options: float) -> str:
    """The message of the error that fetching ends in."""
    with pytest.raises(error) as caught:
        fetch(*args, **options)
    for secret in (ADDRESS, "10.1.2.3", "127.0.0.1", "secret", "Errno", "signature"):
        assert secret not in caught.value.message
    return caught.value.message


# --- what is allowed --------------------------------------------------------------------------


def test_a_picture_arrives_byte_for_byte(site: Site, fetch: Fetch) -> None:
    site.answers["/a.jpg"] = plain(PICTURE)
    assert fetch() == PICTURE


def test_the_request_says_nothing_of_whoever_asks(
    site: Site, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETRC", "/nowhere")
    site.answers["/a.jpg?b=c"] = plain(PICTURE)
    fetch(f"{LINK}?b=c#d")
    (request,) = site.requests
    assert request == (
        b"GET /a.jpg?b=c HTTP/1.1\r\n"
        b"Host: pictures.example\r\n"
        b"Accept: image/*, */*;q=0.5\r\n"
        b"Accept-Encoding: identity\r\n"
        b"User-Agent: plumbline\r\n"
        b"Connection: close\r\n\r\n"
    )
    assert site.names == [HOST]


def test_what_is_fetched_is_what_was_matched(site: Site, fetch: Fetch, internet: Internet) -> None:
    site.answers["/~ann/%C3%BC%2F?a=%7C"] = plain(PICTURE)
    assert fetch("HTTPS://Pictures.EXAMPLE.:0443/%7eann/ü%2f?%61=|#x") == PICTURE
    assert internet.looked_up == [HOST]
    assert internet.connected == [(ADDRESS, 443)]


def test_another_port_is_asked_and_named(site: Site, fetch: Fetch, internet: Internet) -> None:
    site.answers["/a.jpg"] = plain(PICTURE)
    assert fetch(f"https://{HOST}:8443/a.jpg", f"https://{HOST}:8443/*") == PICTURE
    assert internet.connected == [(ADDRESS, 8443)]
    assert b"\r\nHost: pictures.example:8443\r\n" in site.requests[0]


def test_a_name_beyond_ascii_is_asked_for_as_dns_knows_it(
    authority: Authority, fetch: Fetch, internet: Internet
) -> None:
    name = "xn--bcher-kva.example"
    with running(authority.server(name)) as site:
        internet.names[name], internet.ports[ADDRESS] = [ADDRESS], site.port
        site.answers["/a.jpg"] = plain(PICTURE)
        assert fetch("https://Bücher.example/a.jpg", "https://bücher.example/*") == PICTURE
        assert site.names == [name]


CHUNKED = (
    b"".join(b"%x;note=1\r\n%s\r\n" % (n, PICTURE[:n]) for n in (1, 4096, 9000)) + b"0\r\n\r\n"
)

WHOLE: dict[str, tuple[Answer, bytes]] = {
    "without a length": (raw("HTTP/1.1 200 OK", body=PICTURE), PICTURE),
    "of HTTP 1.0": (raw("HTTP/1.0 200 OK", body=PICTURE), PICTURE),
    "in chunks": (
        raw("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=CHUNKED),
        PICTURE[:1] + PICTURE[:4096] + PICTURE[:9000],
    ),
    "after an interim one": (
        raw("HTTP/1.1 100 Continue", "", "HTTP/1.1 200 OK", "Content-Length: 3", body=b"abc"),
        b"abc",
    ),
    "with more than it says": (raw("HTTP/1.1 200 OK", "Content-Length: 3", body=b"abcd"), b"abc"),
    "with a length below zero": (raw("HTTP/1.1 200 OK", "Content-Length: -1", body=b"ab"), b"ab"),
    "of no bytes": (plain(b""), b""),
    "that ends in its head": (lambda socket: socket.sendall(b"HTTP/1.1 200 OK\r\nDate"), b""),
    "that sets cookies": (plain(b"abc", "200 OK", "Set-Cookie: a=b"), b"abc"),
    "in gzip, unasked": (plain(b"\x1f\x8b", "200 OK", "Content-Encoding: gzip"), b"\x1f\x8b"),
    "of the largest size": (plain(bytes(MOST)), bytes(MOST)),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "body"), WHOLE.values(), ids=WHOLE)
def test_every_form_of_an_answer_is_read(
    answer: Answer, body: bytes, site: Site, fetch: Fetch
) -> None:
    site.answers["/a.jpg"] = answer
    assert fetch() == body


def test_several_threads_may_fetch(site: Site, internet: Internet) -> None:
    links = Links(read_allowlist(ALLOW), MOST, 10, internet.network)
    wanted = {f"https://{HOST}/{number}": bytes([number]) * 999 for number in range(24)}
    for link, body in wanted.items():
        site.answers[link.removeprefix(f"https://{HOST}")] = plain(body)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda link: links.fetch(link, forever), wanted)) == [*wanted.values()]


# --- what is not ------------------------------------------------------------------------------


def test_without_a_list_no_link_is_fetched(fetch: Fetch, internet: Internet) -> None:
    for link in (LINK, "s3://bucket/key", "http://169.254.169.254/"):
        assert refusal(LinkRefused, fetch, link, "") == OFF
    assert internet.looked_up == []


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/a.jpg",
        f"https://{HOST}.evil.example/a.jpg",
        f"https://{HOST}@evil.example/a.jpg",
        f"https://{HOST}/a/../../b",
        f"http://{HOST}/a.jpg",
        f"https://{HOST}:8443/a.jpg",
        "https://169.254.169.254/latest/meta-data/",
        "s3://bucket/key",
        "file:///etc/passwd",
    ],
)
def test_what_is_not_listed_is_not_even_looked_up(
    link: str, fetch: Fetch, internet: Internet
) -> None:
    refusal(LinkRefused, fetch, link)
    assert internet.looked_up == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.5"],
        ["169.254.169.254"],
        ["169.254.170.2"],
        ["100.64.0.1"],
        ["0.0.0.0"],
        ["224.0.0.1"],
        ["::1"],
        ["fd00:ec2::254"],
        ["fe80::1%eth0"],
        ["::ffff:169.254.169.254"],
        ["64:ff9b::a9fe:a9fe"],
        ["2002:a9fe:a9fe::1"],
        [ADDRESS, "10.0.0.5"],
        ["10.0.0.5", ADDRESS],
    ],
    ids=" ".join,
)
def test_a_name_with_one_address_that_is_not_public_is_refused(
    addresses: list[str], fetch: Fetch, internet: Internet
) -> None:
    internet.names[HOST] = addresses
    assert refusal(LinkRefused, fetch) == PRIVATE
    assert internet.connected == []


def test_the_address_that_was_checked_is_connected_to_and_no_second_is_asked_for(
    site: Site, fetch: Fetch, internet: Internet
) -> None:
    """DNS rebinding: a public address while it is looked at, and this machine's afterwards."""
    site.answers["/a.jpg"] = plain(PICTURE)
    answers = iter([[ADDRESS], ["127.0.0.1"]])
    internet.look_up = lambda _host, _port: next(answers)  # type: ignore[method-assign]
    assert fetch() == PICTURE
    assert internet.connected == [(ADDRESS, 443)]
    assert next(answers) == ["127.0.0.1"]


def test_each_redirect_is_looked_up_anew(site: Site, fetch: Fetch, internet: Internet) -> None:
    site.answers |= {"/a.jpg": moved("/b.jpg"), "/b.jpg": plain(PICTURE)}
    answers = iter([[ADDRESS], ["169.254.169.254"]])
    internet.look_up = lambda _host, _port: next(answers)  # type: ignore[method-assign]
    assert refusal(LinkRefused, fetch) == PRIVATE
    assert (internet.connected, site.paths) == ([(ADDRESS, 443)], ["/a.jpg"])


def test_the_systems_own_resolver_is_checked_too() -> None:
    """Without anything put in its place: localhost is refused, and nobody knocks there."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        links = Links(read_allowlist(f"https://localhost:{port}/*"), MOST, 10)
        with pytest.raises(LinkRefused, match="leads into a private network"):
            links.fetch(f"https://localhost:{port}/a", forever)
        listening.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listening.accept()


def test_proxies_of_the_environment_have_no_part_in_it(
    site: Site, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.answers["/a.jpg"] = plain(PICTURE)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        assert fetch() == PICTURE
        proxy.settimeout(0.1)
        with pytest.raises(TimeoutError):
            proxy.accept()


# --- redirects --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    ["/photos/b.jpg", "photos/b.jpg", f"https://{HOST}/photos/b.jpg#x", f"//{HOST}/%70hotos/b.jpg"],
)
def test_a_redirect_to_what_is_allowed_is_followed(
    status: int, location: str, site: Site, fetch: Fetch
) -> None:
    site.answers |= {"/a.jpg": moved(location, status), "/photos/b.jpg": plain(PICTURE)}
    assert fetch() == PICTURE
    assert site.paths == ["/a.jpg", "/photos/b.jpg"]


def test_a_redirect_may_lead_to_another_host(
    authority: Authority, site: Site, fetch: Fetch, internet: Internet
) -> None:
    address = "1.1.1.1"
    with running(authority.server("cdn.example")) as other:
        internet.names["cdn.example"], internet.ports[address] = [address], other.port
        site.answers["/a.jpg"] = moved("https://cdn.example/b.jpg")
        other.answers["/b.jpg"] = plain(PICTURE)
        assert fetch(LINK, f"{ALLOW} https://cdn.example/*") == PICTURE
        assert internet.connected == [(ADDRESS, 443), (address, 443)]
        assert other.names == ["cdn.example"]


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/latest",
        "https://2852039166/latest",
        "https://evil.example/secret",
        "//evil.example/secret",
        f"http://{HOST}/photos/b.jpg",
        f"https://user:secret@{HOST}/photos/b.jpg",
        f"https://{HOST}:8443/photos/b.jpg",
        f"https://{HOST}/photos/../secret",
        f"https://{HOST}/photos/%2e%2e/secret",
        "/secret",
        "../secret",
        "\\\\evil.example\\secret",
        "s3://bucket/photos/b.jpg",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://[::1",
        "https://evil.example\t/",
    ],
)
def test_a_redirect_to_anything_else_is_not_followed(
    location: str, site: Site, fetch: Fetch, internet: Internet
) -> None:
    site.answers["/a.jpg"] = moved(location)
    allow = f"{LINK} https://{HOST}/photos/* s3://bucket/*"
    assert refusal(LinkRefused, fetch, LINK, allow) == ELSEWHERE
    assert (internet.looked_up, site.paths) == ([HOST], ["/a.jpg"])


def test_three_redirects_are_followed_and_no_fourth(site: Site, fetch: Fetch) -> None:
    site.answers |= {f"/{number}": moved(f"/{number + 1}") for number in range(4)}
    site.answers["/4"] = plain(PICTURE)
    assert fetch(f"https://{HOST}/1") == PICTURE
    message = refusal(LinkFailed, fetch, f"https://{HOST}/0")
    assert message == f"https://{HOST}/0 is redirected more than 3 times."


def test_a_circle_of_redirects_ends(site: Site, fetch: Fetch) -> None:
    site.answers |= {"/a.jpg": moved("/b.jpg"), "/b.jpg": moved("/a.jpg")}
    assert refusal(LinkFailed, fetch) == f"{LINK} is redirected more than 3 times."
    assert len(site.requests) == 4


# --- statuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", [201, 204, 206, 300, 301, 304, 400, 401, 403, 404, 429, 500, 503]
)
def test_another_status_is_told_and_the_body_is_not(status: int, site: Site, fetch: Fetch) -> None:
    site.answers["/a.jpg?signature=1"] = plain(b"the secret", f"{status} secret", "Location:")
    message = refusal(LinkFailed, fetch, f"{LINK}?signature=1")
    assert message == f"{LINK} is answered with status {status}; 200 was expected."


# --- bytes ------------------------------------------------------------------------------------


def endless(head: bytes, piece: bytes) -> Answer:
    """An answer that goes on until nobody reads any more."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        with suppress(OSError):
            for _ in range(500):  # long after anybody has given up
                connection.sendall(piece)

    return answer


CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

TOO_MUCH: dict[str, tuple[Answer, str]] = {
    "a byte more than is taken": (plain(bytes(MOST + 1)), LARGE),
    "a length that is never sent": (raw("HTTP/1.1 200 OK", "Content-Length: 99999999999"), LARGE),
    "no length, and no end": (endless(b"HTTP/1.1 200 OK\r\n\r\n", bytes(9999)), LARGE),
    "a length beside chunks": (
        endless(CHUNKS[:-2] + b"Content-Length: 3\r\n\r\n", b"270f\r\n%s\r\n" % bytes(9999)),
        LARGE,
    ),
    "one long chunk": (endless(CHUNKS + b"ffffffff\r\n", bytes(9999)), LARGE),
    "a chunk of less than no bytes": (endless(CHUNKS + b"-1\r\n", bytes(9999)), NOT_HTTP),
    "chunks of notes": (endless(CHUNKS, b"1;%s\r\nx\r\n" % (b"n" * 60_000)), NOT_HTTP),
    "endless trailers": (endless(CHUNKS + b"0\r\n", b"a: b\r\n" * 999), NOT_HTTP),
    "endless headers": (endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"), NOT_HTTP),
    "an endless header": (endless(b"HTTP/1.1 200 OK\r\na: ", b"b" * 9999), NOT_HTTP),
    "an endless status": (endless(b"HTTP/1.1 200 ", b"O" * 9999), NOT_HTTP),
    "endless interim answers": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 999), NOT_HTTP),
}


@pytest.mark.parametrize(("answer", "message"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_is_too_much_is_not_read_to_its_end(
    answer: Answer, message: str, site: Site, fetch: Fetch
) -> None:
    site.answers["/a.jpg"] = answer
    error = LinkTooLarge if message == LARGE else LinkFailed
    assert refusal(error, fetch) == message


SHORT: dict[str, tuple[Answer, str]] = {
    "less than it says": (
        raw("HTTP/1.1 200 OK", "Content-Length: 9", body=b"abc"),
        f"{LINK} breaks off before its end; try again.",
    ),
    "nothing of what it says": (
        raw("HTTP/1.1 200 OK", "Content-Length: 9"),
        f"{LINK} breaks off before its end; try again.",
    ),
    "half a chunk": (
        raw("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=b"9\r\nabc"),
        NOT_HTTP,
    ),
    "no last chunk": (
        raw("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"),
        NOT_HTTP,
    ),
    "nothing at all": (lambda _connection: None, UNREACHED),
    "another protocol": (raw("SSH-2.0-OpenSSH_9.2"), NOT_HTTP),
    "HTTP 2": (raw("HTTP/2 200"), NOT_HTTP),
    "a picture without a head": (raw(body=PICTURE), NOT_HTTP),
    "a status of letters": (raw("HTTP/1.1 OK fine"), NOT_HTTP),
}


@pytest.mark.parametrize(("answer", "message"), SHORT.values(), ids=SHORT)
def test_what_is_no_whole_answer_is_refused(
    answer: Answer, message: str, site: Site, fetch: Fetch
) -> None:
    site.answers["/a.jpg"] = answer
    assert refusal(LinkFailed, fetch) == message


# --- time -------------------------------------------------------------------------------------


def dripping(head: bytes, piece: bytes) -> Answer:
    """An answer that always comes before one would give up waiting for the next byte."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        with suppress(OSError):
            for _ in range(500):  # long after anybody has given up
                connection.sendall(piece)
                time.sleep(0.02)

    return answer


DRIPS = {
    "silence": dripping(b"", b""),
    "a status": dripping(b"HTTP/1.1 200 ", b"O"),
    "headers": dripping(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
    "a body": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"a"),
    "a body without a length": dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
    "chunks": dripping(CHUNKS, b"1\r\na\r\n"),
    "redirects": dripping(b"HTTP/1.1 302 Moved\r\nLocation: /a.jpg\r\n", b"a: b\r\n"),
}


def taken(call: Callable[[], object]) -> float:
    """The seconds that a call takes."""
    start = time.monotonic()
    call()
    return time.monotonic() - start


@pytest.mark.parametrize("answer", DRIPS.values(), ids=DRIPS)
def test_what_drips_ends_in_time(answer: Answer, site: Site, fetch: Fetch) -> None:
    site.answers["/a.jpg"] = answer

    def run() -> None:
        assert refusal(LinkFailed, fetch, timeout=SECONDS) == SLOW

    assert SECONDS <= taken(run) < SECONDS + 5


def test_a_host_that_never_shakes_hands_ends_in_time(fetch: Fetch, internet: Internet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        internet.ports[ADDRESS] = silent.getsockname()[1]

        def run() -> None:
            assert refusal(LinkFailed, fetch, timeout=SECONDS) == SLOW

        assert SECONDS <= taken(run) < SECONDS + 5


@pytest.mark.parametrize("step", ["look_up", "connect"])
def test_a_look_up_or_a_connection_that_hangs_ends_in_time(
    step: str, fetch: Fetch, internet: Internet
) -> None:
    """What nothing can break off goes on in a thread of its own."""
    done = threading.Event()

    def hang(*_args: object) -> list[str]:
        done.wait(20)
        return [ADDRESS]

    setattr(internet, step, hang)
    try:
        assert taken(lambda: refusal(LinkFailed, fetch, timeout=SECONDS)) < SECONDS + 5
    finally:
        done.set()


def test_a_request_whose_own_time_is_up_says_so(site: Site, fetch: Fetch) -> None:
    site.answers["/a.jpg"] = DRIPS["a body"]

    def run() -> None:
        with pytest.raises(DeadlineExceeded):
            fetch(timeout=30, time_left=Deadline(SECONDS).remaining)

    assert SECONDS / 2 < taken(run) < SECONDS + 5


def test_a_request_without_time_fetches_nothing(fetch: Fetch, internet: Internet) -> None:
    with pytest.raises(DeadlineExceeded):
        fetch(time_left=Deadline(0).remaining)
    assert internet.looked_up == []


# --- hosts ------------------------------------------------------------------------------------


def test_a_name_that_nobody_knows_is_told(fetch: Fetch, internet: Internet) -> None:
    internet.names.clear()
    assert refusal(LinkFailed, fetch) == UNKNOWN


@pytest.mark.parametrize("addresses", [[], ["1.1.1.1"], ["1.1.1.1", "2600::1"]], ids=len)
def test_a_host_that_does_not_answer_is_told(
    addresses: list[str], fetch: Fetch, internet: Internet
) -> None:
    internet.names[HOST] = addresses
    assert refusal(LinkFailed, fetch) == UNREACHED
    assert internet.connected == [(address, 443) for address in addresses]


def test_the_next_address_is_tried(site: Site, fetch: Fetch, internet: Internet) -> None:
    site.answers["/a.jpg"] = plain(PICTURE)
    internet.names[HOST] = ["2600::1", ADDRESS]
    assert fetch() == PICTURE


def test_the_first_address_leaves_time_for_the_next(
    site: Site, fetch: Fetch, internet: Internet
) -> None:
    site.answers["/a.jpg"] = plain(PICTURE)
    internet.names[HOST] = ["1.1.1.1", ADDRESS]
    connect = internet.connect

    def hang(place: tuple[str, int], seconds: float) -> socket.socket:
        if place[0] == "1.1.1.1":
            time.sleep(seconds)
            raise TimeoutError
        return connect(place, seconds)

    internet.connect = hang  # type: ignore[method-assign]
    assert fetch(timeout=6.0) == PICTURE


WRONG_CERTIFICATES: dict[str, Callable[[Authority, Path], ssl.SSLContext]] = {
    "another name's": lambda authority, _folder: authority.server("other.example"),
    "a name below": lambda authority, _folder: authority.server(f"www.{HOST}"),
    "one that has run out": lambda authority, _folder: authority.server(HOST, days=-1),
    "another authority's": lambda _authority, folder: Authority(folder).server(HOST),
}


@pytest.mark.parametrize("made", WRONG_CERTIFICATES.values(), ids=WRONG_CERTIFICATES)
def test_a_certificate_must_be_trusted_and_of_that_name(
    made: Callable[[Authority, Path], ssl.SSLContext],
    authority: Authority,
    fetch: Fetch,
    internet: Internet,
    tmp_path: Path,
) -> None:
    with running(made(authority, tmp_path)) as site:
        internet.ports[ADDRESS] = site.port
        site.answers["/a.jpg"] = plain(PICTURE)
        assert refusal(LinkFailed, fetch) == UNTRUSTED
        assert site.requests == []


def test_the_systems_trust_is_what_is_trusted_by_default(site: Site, internet: Internet) -> None:
    network = type(internet.network)(internet.look_up, internet.connect)
    links = Links(read_allowlist(ALLOW), MOST, 10, network)
    site.answers["/a.jpg"] = plain(PICTURE)
    assert refusal(LinkFailed, lambda: links.fetch(LINK, forever)) == UNTRUSTED
    assert network.tls().verify_mode == ssl.CERT_REQUIRED
    assert network.tls().check_hostname


def test_a_host_without_tls_is_told(fetch: Fetch, internet: Internet) -> None:
    with running(None) as site:
        internet.ports[ADDRESS] = site.port
        site.serve = plain(b"secret", "400 Bad Request")  # type: ignore[method-assign]
        assert refusal(LinkFailed, fetch) == (
            f"{LINK} can't be fetched: its host does not speak TLS as it should."
        )


def test_the_library_for_s3_is_imported_when_the_first_link_to_s3_comes() -> None:
    code = (
        "import sys, plumbline.links.fetching; "
        "print({'boto3', 'botocore', 'urllib3'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(CONTAINER)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "set()\n"
