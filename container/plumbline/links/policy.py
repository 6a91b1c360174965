"""Which links may be fetched, and from where: an allowlist, and one form in which links compare.

A link is brought into its normal form, looked up in that form, and fetched in that form, so that
nobody reads it differently later on. A link that two programs could read differently is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from types import MappingProxyType

from plumbline.errors import LinkRefused

HTTPS_PORT = 443

LONGEST = 8192
"""Characters of a link: what web servers take, and several times what S3 signs."""

LONGEST_SHOWN = 160

ROUNDS_OF_DECODING = 3
"""Servers behind servers decode a path more than once."""

AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]")

LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")

NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A host whose last label is one is an address to many programs: 127.0.0.1, 0x7f.1, 2130706433."""

PORT = re.compile(r"[0-9]{1,5}")

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

TO_BE_NORMALIZED = re.compile(rb"%([0-9A-Fa-f]{2})?|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?]")

UNRESERVED = re.compile(rb"[A-Za-z0-9\-._~]")

OFF = (
    "This server fetches no pictures by link: PLUMBLINE_URL_ALLOW, which lists what it may fetch, "
    "is empty. Send the picture itself."
)

NEVER_FETCHED_FROM: tuple[IPv4Network | IPv6Network, ...] = (
    *map(IPv4Network, ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24")),
    *map(IPv6Network, ("2001::/23", "2002::/16", "3fff::/20")),
)
"""What Python's older versions, or all of them, count among the public addresses.

Azure's metadata, protocol assignments (Oracle's metadata among them), relays to IPv6; and Teredo,
6to4, which hold an IPv4 address, and documentation.
"""

PUBLIC_IPV6 = IPv6Network("2000::/3")
"""All that is given out; NAT64 and the mapped IPv4 addresses are outside."""


@dataclass(frozen=True)
class Link:
    """A link in its normal form; `target` is the path with its query, or "/" and S3's key."""

    scheme: str
    host: str
    target: str
    port: int = HTTPS_PORT

    def __str__(self) -> str:
        port = "" if self.port == HTTPS_PORT else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.target}"

    @property
    def name(self) -> str:
        """What messages call it: shortened, and without its query, which may hold a signature."""
        text = str(self)
        if self.scheme == "https":
            text = text.partition("?")[0]
        return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


@dataclass(frozen=True)
class Entry:
    """One link that is allowed, or all that begin with it."""

    link: Link
    prefix: bool

    def allows(self, link: Link) -> bool:
        """Whether this is the link, or a beginning of it."""
        text = str(link)
        return text.startswith(str(self.link)) if self.prefix else text == str(self.link)


@dataclass(frozen=True)
class Allowlist:
    """All that may be fetched; nothing, where it is empty."""

    entries: tuple[Entry, ...] = ()

    def link(self, text: str) -> Link:
        """The link, in the form to fetch it in. Raises `LinkRefused`."""
        if not self.entries:
            raise LinkRefused(OFF)
        try:
            link = parse(text)
        except ValueError as exc:
            raise LinkRefused(f"The link is refused because {exc}.") from exc
        if not any(entry.allows(link) for entry in self.entries):
            raise LinkRefused(
                f"{link.name} is not among the links that PLUMBLINE_URL_ALLOW allows. Send the "
                "picture itself, or have whoever runs the server allow it."
            )
        return link


def read_allowlist(text: str) -> Allowlist:
    """`s3://bucket/photos/*, https://host/a.jpg` → what it allows.

    Entries stand between commas or white space, and `*` at the end of one means anything. Raises
    `ValueError`.
    """
    entries = filter(None, re.split(r"[,\s]+", text))
    return Allowlist(tuple(map(named_entry, entries)))


def named_entry(text: str) -> Entry:
    """One entry. Raises `ValueError` that names it."""
    try:
        return read_entry(text)
    except ValueError as exc:
        raise ValueError(
            "a list of links such as s3://bucket/photos/* and https://example.com/photos/*; "
            f"{text!r} is wrong because {exc}"
        ) from exc


def read_entry(text: str) -> Entry:
    """One entry. Raises `ValueError` that says why it is none."""
    beginning = text.removesuffix("*")
    prefix = beginning != text
    if "*" in beginning:
        raise ValueError("* may only be its last character")
    link = parse(beginning, prefix)
    if "/" not in beginning.partition("://")[2]:
        raise ValueError("there is no / behind the host or the bucket")
    if link.scheme == "https" and "#" in text:
        raise ValueError("what follows a # is never sent")
    return Entry(link, prefix)


def parse(text: str, prefix: bool = False) -> Link:
    """The link in its normal form. Raises `ValueError` that says why there is none.

    The beginning of a link, a `prefix`, needs no key.
    """
    if len(text) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} characters")
    if AMBIGUOUS.search(text):
        raise ValueError("there is a backslash or a control character in it")
    scheme, _, rest = text.partition("://")
    reader = READERS.get(scheme.lower())
    if reader is None:
        raise ValueError("it begins with neither https:// nor s3://")
    link = reader(rest)
    if link.scheme == "s3" and link.target == "/" and not prefix:
        raise ValueError("it names no key in the bucket")
    return link


def read_s3(rest: str) -> Link:
    """`bucket/key`; a key means what it says, percent signs and spaces included."""
    bucket, _, key = rest.partition("/")
    if not BUCKET.fullmatch(bucket):
        raise ValueError("what follows s3:// is not the name of a bucket")
    check_dots(key)
    return Link("s3", bucket, f"/{key}")


def read_https(rest: str) -> Link:
    """`host:port/path?query#fragment`, the last of which no client sends."""
    if any(map(str.isspace, rest)):
        raise ValueError("there is white space in it; write a space as %20")
    place, mark, query = rest.partition("#")[0].partition("?")
    authority, _, path = place.partition("/")
    if "@" in authority:
        raise ValueError("there is a user's name or a password in it")
    host, colon, port = authority.partition(":")
    target = normal_path(f"/{path}") + normal(mark + query)
    return Link("https", read_host(host), target, read_port(port) if colon else HTTPS_PORT)


def read_port(text: str) -> int:
    """The number of a port."""
    if PORT.fullmatch(text) and 1 <= int(text) <= 65535:
        return int(text)
    raise ValueError("what follows its host is no port from 1 to 65535")


def read_host(text: str) -> str:
    """A host's name in lower-case ASCII, without the dot that may end it."""
    host = to_ascii(text.lower().removesuffix("."))
    labels = host.split(".")
    named = all(LABEL.fullmatch(label) for label in labels) and len(host) <= 253
    if not named or NUMERIC.fullmatch(labels[-1]):
        raise ValueError("its host is not a name such as example.com; addresses are not taken")
    return host


def to_ascii(host: str) -> str:
    """The host as DNS knows it; a name that IDNA's two editions read differently is refused."""
    if host.isascii():
        return host
    try:
        name = host.encode("idna")
        same = name.decode("idna") == host
    except UnicodeError:
        same = False
    if not same:
        raise ValueError("its host can be read in two ways; write it in ASCII, as xn--…")
    return name.decode("ascii")


def normal_path(path: str) -> str:
    """The path in its normal form, if no server can find another path in it."""
    found = normal(path)
    if "//" in found:
        raise ValueError("there is // in its path")
    for reading in readings(found.encode("ascii")):
        if AMBIGUOUS.search(reading):
            raise ValueError("there is a backslash or a control character in its path")
        check_dots(reading)
    return found


def normal(text: str) -> str:
    """Percent-encoded where it must be and not where it need not, in upper-case digits."""
    return TO_BE_NORMALIZED.sub(normal_byte, text.encode()).decode("ascii")


def normal_byte(found: re.Match[bytes]) -> bytes:
    """One byte, or one that is percent-encoded, in its normal form."""
    if found[0] == b"%":
        raise ValueError("there is a % without two hexadecimal digits in it")
    byte = bytes.fromhex(found[1].decode("ascii")) if found[1] else found[0]
    return byte if UNRESERVED.fullmatch(byte) else b"%%%02X" % ord(byte)


def readings(path: bytes) -> Iterator[str]:
    """The path as a server reads it, and as those behind it do that decode it again."""
    for _ in range(ROUNDS_OF_DECODING):
        path = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), path)
        try:
            yield path.decode()
        except UnicodeDecodeError as exc:
            raise ValueError("its path is not UTF-8") from exc


def check_dots(path: str) -> None:
    """Raise `ValueError` where a segment leads elsewhere, with parameters or blanks or without."""
    if any(part.partition(";")[0].strip() in {".", ".."} for part in path.split("/")):
        raise ValueError("there is a . or .. between its slashes")


READERS: Mapping[str, Callable[[str], Link]] = MappingProxyType(
    {"https": read_https, "s3": read_s3}
)
"""By the scheme; plain http is not among them."""


def is_public(address: str) -> bool:
    """Whether anybody on the internet may be found there, and nobody inside any network.

    Addresses with an IPv4 address inside count as none, whatever that one is.
    """
    found = ip_address(address)
    if found.is_multicast or not found.is_global:
        return False
    if isinstance(found, IPv6Address) and found not in PUBLIC_IPV6:
        return False
    return not any(found in network for network in NEVER_FETCHED_FROM)
