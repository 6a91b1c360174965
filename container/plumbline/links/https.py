"""Pictures from web servers: over TLS alone, and from public addresses alone.

The name is looked up once; every address that it has is checked, and the connection is made to
one that was checked, so that a second answer of the DNS can't lead elsewhere. No proxy, cookie or
password has a part in it.
"""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urljoin

from plumbline.errors import LinkFailed, LinkRefused
from plumbline.links.limits import Bounds
from plumbline.links.policy import HTTPS_PORT, Allowlist, Link, is_public

MOST_REDIRECTS = 3

MOST_HEADERS = 256 * 1024

WRAPPING = 2
"""Times the body's size that it may have on its way, in chunks; usual ones add a thousandth."""

REDIRECTS = (301, 302, 303, 307, 308)

FAILURES: Sequence[tuple[type[Exception], str]] = (
    (socket.gaierror, "its host is unknown"),
    (ssl.SSLCertVerificationError, "its host has no certificate for its name that is trusted here"),
    (ssl.SSLError, "its host does not speak TLS as it should"),
    (OSError, "its host can't be reached, or ended the connection"),
    (HTTPException, "its host does not speak HTTP as it should"),
)
"""What went wrong, in our own words; the first that fits."""


def look_up(host: str, port: int) -> Sequence[str]:
    """Every address of a host, as its network's DNS says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


@cache
def trusting_the_system() -> ssl.SSLContext:
    """TLS that checks certificates and names against what this machine trusts."""
    return ssl.create_default_context()


@dataclass(frozen=True)
class Network:
    """The ways out: name → addresses, (address, port) and seconds → connection, and TLS."""

    look_up: Callable[[str, int], Sequence[str]] = look_up
    connect: Callable[[tuple[str, int], float], socket.socket] = socket.create_connection
    tls: Callable[[], ssl.SSLContext] = trusting_the_system


class Received(io.RawIOBase):
    """What comes over a connection, within its bounds; `HTTPResponse` takes it for a socket.

    All bytes count here, those between the body's, too, of which http.client reads any number.
    """

    def __init__(self, connection: socket.socket, bounds: Bounds) -> None:
        self._connection = connection
        self._bounds = bounds
        self._left = WRAPPING * bounds.size + MOST_HEADERS

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for bytes as long as there is time. Raises `TimeoutError`, `HTTPException`."""
        self._connection.settimeout(self._bounds.left())
        count = self._connection.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise HTTPException
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        """As of a socket."""
        return io.BufferedReader(self)


def fetch(link: Link, allow: Allowlist, bounds: Bounds, network: Network) -> bytes:
    """The body behind a link, redirects followed as far as they are allowed.

    Raises `LinkRefused`, `LinkFailed`, `LinkTooLarge` and `TimeoutError`.
    """
    target = link
    for _ in range(1 + MOST_REDIRECTS):
        with answered(link, target, bounds, network) as response:
            if response.status == 200:
                return bounds.collect(link, response.length, response.read)
            target = redirected(link, target, response, allow)
    raise LinkFailed(f"{link.name} is redirected more than {MOST_REDIRECTS} times.")


@contextmanager
def answered(link: Link, target: Link, bounds: Bounds, network: Network) -> Iterator[HTTPResponse]:
    """The answer to a request for `target`, which `link` led to, with its body yet to be read."""
    try:
        with (
            connected(link, target, bounds, network) as plain,
            network.tls().wrap_socket(plain, server_hostname=target.host) as secured,
        ):
            secured.settimeout(bounds.left())
            secured.sendall(request(target))
            with closing(HTTPResponse(Received(secured, bounds))) as response:  # type: ignore[arg-type]
                response.begin()
                yield response
    except TimeoutError:
        raise
    except (OSError, HTTPException) as exc:
        words = next(words for kind, words in FAILURES if isinstance(exc, kind))
        raise LinkFailed(f"{link.name} can't be fetched: {words}.") from exc


def connected(link: Link, target: Link, bounds: Bounds, network: Network) -> socket.socket:
    """A connection to the first of the host's addresses that answers, each with its share of time.

    Raises `LinkRefused` if any of them is not public, `OSError` if none answers.
    """
    addresses = network.look_up(target.host, target.port)
    if not all(map(is_public, addresses)):
        raise LinkRefused(
            f"{link.name} leads into a private network, where this server fetches nothing."
        )
    failure = OSError()
    for number, address in enumerate(addresses):
        share = bounds.left() / (len(addresses) - number)
        try:
            connection = network.connect((address, target.port), share)
        except OSError as exc:
            failure = exc
        else:
            connection.settimeout(bounds.left())
            return connection
    raise failure


def request(link: Link) -> bytes:
    """A request for the link, and nothing beside it that could tell who asks."""
    port = "" if link.port == HTTPS_PORT else f":{link.port}"
    lines = (
        f"GET {link.target} HTTP/1.1",
        f"Host: {link.host}{port}",
        "Accept: image/*, */*;q=0.5",
        "Accept-Encoding: identity",
        "User-Agent: plumbline",
        "Connection: close",
        "\r\n",
    )
    return "\r\n".join(lines).encode("ascii")


def redirected(link: Link, target: Link, response: HTTPResponse, allow: Allowlist) -> Link:
    """Where the answer sends us. Raises `LinkRefused`, and `LinkFailed` where it sends nowhere."""
    location = response.getheader("Location")
    if response.status not in REDIRECTS or not location:
        raise LinkFailed(
            f"{link.name} is answered with status {response.status}; 200 was expected."
        )
    try:
        found = allow.link(urljoin(str(target), location))
    except (LinkRefused, ValueError) as exc:
        raise elsewhere(link) from exc
    if found.scheme != "https":
        raise elsewhere(link)
    return found


def elsewhere(link: Link) -> LinkRefused:
    """The error for a redirect that is not followed; it doesn't tell where that leads."""
    return LinkRefused(f"{link.name} is redirected to where PLUMBLINE_URL_ALLOW does not allow.")
