"""Links: one normal form, an allowlist that nothing slips past, and addresses that are public."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, unquote, urlsplit

import idna
import pytest
import urllib3
from hypothesis import assume, example, given
from hypothesis import strategies as st

from plumbline.errors import LinkRefused
from plumbline.links.policy import (
    LONGEST,
    LONGEST_SHOWN,
    OFF,
    Allowlist,
    Link,
    is_public,
    parse,
    read_allowlist,
)
from strategies import nasty

WHITE = "there is white space in it; write a space as %20"
HIDDEN = "there is a backslash or a control character in it"
HIDDEN_IN_PATH = "there is a backslash or a control character in its path"
SCHEME = "it begins with neither https:// nor s3://"
DOTS = "there is a . or .. between its slashes"
HOST = "its host is not a name such as example.com; addresses are not taken"
TWO_READINGS = "its host can be read in two ways; write it in ASCII, as xn--…"
USER = "there is a user's name or a password in it"
PORT = "what follows its host is no port from 1 to 65535"
HALF_ENCODED = "there is a % without two hexadecimal digits in it"
BUCKET = "what follows s3:// is not the name of a bucket"
NO_KEY = "it names no key in the bucket"

# --- the normal form --------------------------------------------------------------------------

NORMAL = {
    "https://example.com/a.jpg": "https://example.com/a.jpg",
    "HTTPS://EXAMPLE.Com/A.jpg": "https://example.com/A.jpg",
    "https://example.com": "https://example.com/",
    "https://example.com?a=b": "https://example.com/?a=b",
    "https://example.com./a": "https://example.com/a",
    "https://example.com:443/a": "https://example.com/a",
    "https://example.com:00443/a": "https://example.com/a",
    "https://example.com:8443/a": "https://example.com:8443/a",
    "https://example.com/a?b=/../c&d=%2e%2E#e": "https://example.com/a?b=/../c&d=..",
    "https://example.com/a#/../b": "https://example.com/a",
    "https://example.com/a?": "https://example.com/a?",
    "https://example.com/%7Eann/%61%2D%5f": "https://example.com/~ann/a-_",
    "https://example.com/%c3%bc%2f%20": "https://example.com/%C3%BC%2F%20",
    "https://example.com/ü|{}": "https://example.com/%C3%BC%7C%7B%7D",
    "https://example.com/100%25.jpg": "https://example.com/100%25.jpg",
    "https://example.com/...": "https://example.com/...",
    "https://example.com/.hidden/a..b": "https://example.com/.hidden/a..b",
    "https://my_bucket.example.com/a": "https://my_bucket.example.com/a",
    "https://BÜCHER.example/a": "https://xn--bcher-kva.example/a",
    "https://xn--bcher-kva.example/a": "https://xn--bcher-kva.example/a",
    "https://1.example/a": "https://1.example/a",
    "s3://bucket/a/b.jpg": "s3://bucket/a/b.jpg",
    "S3://bucket/A": "s3://bucket/A",
    "s3://my.bucket-1/a b/%2e%2E/ü?x#y": "s3://my.bucket-1/a b/%2e%2E/ü?x#y",
    "s3://bucket//a": "s3://bucket//a",
}


@pytest.mark.parametrize(("text", "normal"), NORMAL.items())
def test_a_link_has_one_normal_form(text: str, normal: str) -> None:
    assert str(parse(text)) == normal
    assert parse(normal) == parse(text)


UNREADABLE = {
    "": SCHEME,
    "a.jpg": SCHEME,
    "/etc/passwd": SCHEME,
    "//example.com/a": SCHEME,
    "http://example.com/a": SCHEME,
    "ftp://example.com/a": SCHEME,
    "file:///etc/passwd": SCHEME,
    "data:image/png;base64,iVBOR": SCHEME,
    "gopher://example.com/_a": SCHEME,
    "https:example.com/a": SCHEME,
    "https:/example.com/a": SCHEME,
    " https://example.com/a": SCHEME,
    "https ://example.com/a": SCHEME,
    "hţtps://example.com/a": SCHEME,
    "https:\\\\example.com\\a": HIDDEN,
    "https://example.com\\@evil.example/a": HIDDEN,
    "https://example.com/a/..\\b": HIDDEN,
    "https://example.com/a\r\nHost: evil.example": HIDDEN,
    "https://example.com/a\x00.jpg": HIDDEN,
    "https://example.com\t/a": HIDDEN,
    "https://example.com/\x85": HIDDEN,
    "https://example.com/\ud800": HIDDEN,
    "s3://bucket/a\nb": HIDDEN,
    "s3://bucket/a\\..\\b": HIDDEN,
    "https://example.com/a b": WHITE,
    "https://example.com/a ": WHITE,
    "https://example.com/\u00a0": WHITE,
    "https://exam\u2028ple.com/": WHITE,
    "https:///a": HOST,
    "https://": HOST,
    "https://.example.com/a": HOST,
    "https://example..com/a": HOST,
    "https://example.com../a": HOST,
    "https://-example.com/a": HOST,
    "https://exam%70le.com/a": HOST,
    "https://example.com%00.evil.example/a": HOST,
    "https://example.com,evil.example/a": HOST,
    "https://*.example.com/a": HOST,
    f"https://{'a' * 64}.com/a": HOST,
    f"https://{'a.' * 127}com/a": HOST,
    "https://127.0.0.1/a": HOST,
    "https://127.0.0.1./a": HOST,
    "https://127.1/a": HOST,
    "https://2130706433/a": HOST,
    "https://017700000001/a": HOST,
    "https://0x7f000001/a": HOST,
    "https://0X7F.0.0.0x1/a": HOST,
    "https://0x/a": HOST,
    "https://169.254.169.254/latest/meta-data/": HOST,
    "https://example.169/a": HOST,
    "https://[::1]/a": HOST,
    "https://[::ffff:169.254.169.254]:443/a": HOST,
    "https://[fd00:ec2::254]/a": HOST,
    "https://[fe80::1%25eth0]/a": HOST,
    "https://[v1.x]/a": HOST,
    "https://::1/a": HOST,
    "https://１２７.0.0.1/a": TWO_READINGS,
    "https://①②⑦.⓪.⓪.①/a": TWO_READINGS,
    "https://example。com/a": TWO_READINGS,
    "https://ｅxample.com/a": TWO_READINGS,
    "https://faß.example/a": TWO_READINGS,
    "https://exa\u00admple.com/a": TWO_READINGS,
    "https://bu\u0308cher.example/a": TWO_READINGS,
    "https://℀.example/a": TWO_READINGS,
    f"https://{'ü' * 70}.example/a": TWO_READINGS,
    "https://user@example.com/a": USER,
    "https://user:secret@example.com/a": USER,
    "https://example.com@evil.example/a": USER,
    "https://example.com:443@evil.example/a": USER,
    "https://@example.com/a": USER,
    "https://example.com:/a": PORT,
    "https://example.com:0/a": PORT,
    "https://example.com:65536/a": PORT,
    "https://example.com:+443/a": PORT,
    "https://example.com:443:443/a": PORT,
    "https://example.com:٤٤٣/a": PORT,
    "https://example.com/photos/../secret": DOTS,
    "https://example.com/..": DOTS,
    "https://example.com/photos/./a": DOTS,
    "https://example.com/photos/%2e%2e/secret": DOTS,
    "https://example.com/photos/.%2E/secret": DOTS,
    "https://example.com/photos/..%2fsecret": DOTS,
    "https://example.com/photos%2f..%2fsecret": DOTS,
    "https://example.com/photos/%252e%252e/secret": DOTS,
    "https://example.com/photos/%25252e%25252e/secret": DOTS,
    "https://example.com/photos/%2%65%2%65/secret": HALF_ENCODED,
    "https://example.com/photos/..;/secret": DOTS,
    "https://example.com/photos/..;a=b/secret": DOTS,
    "https://example.com/photos/..%3Ba/secret": DOTS,
    "https://example.com/photos/..%20/secret": DOTS,
    "https://example.com/photos/..%5csecret": HIDDEN_IN_PATH,
    "https://example.com/photos/%255c": HIDDEN_IN_PATH,
    "https://example.com/photos/%0d%0aHost:%20evil": HIDDEN_IN_PATH,
    "https://example.com/photos/a.jpg%00.png": HIDDEN_IN_PATH,
    "https://example.com/photos//a": "there is // in its path",
    "https://example.com//evil.example/a": "there is // in its path",
    "https://example.com/%c0%ae%c0%ae/secret": "its path is not UTF-8",
    "https://example.com/%ff": "its path is not UTF-8",
    "https://example.com/%": HALF_ENCODED,
    "https://example.com/%a": HALF_ENCODED,
    "https://example.com/%zz": HALF_ENCODED,
    "https://example.com/%u002e": HALF_ENCODED,
    "https://example.com/a?b=%": HALF_ENCODED,
    "s3://bucket": NO_KEY,
    "s3://bucket/": NO_KEY,
    "s3:///key": BUCKET,
    "s3://Bucket/key": BUCKET,
    "s3://bu/key": BUCKET,
    "s3://bucket./key": BUCKET,
    f"s3://{'b' * 64}/key": BUCKET,
    "s3://bucket:443/key": BUCKET,
    "s3://user@bucket/key": BUCKET,
    "s3://bucket?/key": BUCKET,
    "s3://arn:aws:s3:eu-central-1:1:accesspoint/a/key": BUCKET,
    "s3://bucket/photos/../secret": DOTS,
    "s3://bucket/./key": DOTS,
    f"https://example.com/{'a' * LONGEST}": f"it is longer than {LONGEST} characters",
}


@pytest.mark.parametrize(
    ("text", "why"), UNREADABLE.items(), ids=[ascii(text)[1:50] for text in UNREADABLE]
)
def test_a_link_that_can_be_read_in_two_ways_is_refused(text: str, why: str) -> None:
    everything = read_allowlist("https://example.com/* https://evil.example/* s3://bucket/*")
    with pytest.raises(LinkRefused) as caught:
        everything.link(text)
    assert caught.value.message == f"The link is refused because {why}."
    assert (caught.value.status, caught.value.code) == (403, "link_refused")


hosts = st.from_regex(r"[a-z0-9]{1,5}\.[a-z]{1,5}", fullmatch=True)
harmless = "/ . a B ~ é ? & = : @ * ' + | ; # %2F %7e %C3%BC %25"
harmful = ".. %2e %252e %5C %00 % %2 \\ \t"
pieces = st.sampled_from([*harmless.split(" ") * 3, *harmful.split(" "), " "])
rests = st.lists(pieces, max_size=12).map("".join)


@nasty
@given(hosts, rests)
@example("a.b", "/%2E%2e/")
def test_what_is_accepted_means_to_others_what_it_means_here(host: str, rest: str) -> None:
    """urllib3 normalises too and finds nothing to do; urllib reads the same parts."""
    text = f"https://{host}/{rest}"
    try:
        link = parse(text)
    except ValueError:
        return
    said, again = urlsplit(text), urlsplit(str(link))
    assert urllib3.util.parse_url(str(link)).url == str(link)
    assert (again.hostname, again.port, again.fragment) == (host, None, "")
    assert unquote(again.path) == unquote(said.path)
    assert unquote(again.query) == unquote(said.query)


@nasty
@given(st.text(max_size=30), st.sampled_from(["https://", "s3://", "https://a.b/", ""]))
def test_any_text_has_a_normal_form_or_none(rest: str, beginning: str) -> None:
    try:
        link = parse(beginning + rest)
    except ValueError:
        return
    assert parse(str(link)) == link
    if link.scheme == "https":
        assert str(link).isascii()
        assert str(link).isprintable()
        assert " " not in str(link)


@nasty
@given(st.text("abcABC019äÖüßéжΛςא中ı", min_size=1, max_size=8))
def test_a_host_beyond_ascii_is_the_one_that_idna_2008_names(name: str) -> None:
    """The `idna` package implements the edition that browsers and registries follow."""
    try:
        host = parse(f"https://{name}.example/").host
    except ValueError:
        return
    assume(not name.isascii())
    assert host == idna.encode(f"{name}.example".lower(), uts46=False).decode()


# --- the allowlist ----------------------------------------------------------------------------

ALLOWED = [
    ("https://example.com/photos/*", "https://example.com/photos/a.jpg"),
    ("https://example.com/photos/*", "https://example.com/photos/"),
    ("https://example.com/photos/*", "https://EXAMPLE.com:443/photos/a/b.jpg?w=3#top"),
    ("https://example.com/photos/*", "https://example.com/%70hotos/a.jpg"),
    ("https://example.com/photo*", "https://example.com/photos/a.jpg"),
    ("https://example.com/*", "https://example.com"),
    ("https://Example.com:443/%70hotos/*", "https://example.com/photos/a.jpg"),
    ("https://example.com:8443/*", "https://example.com:8443/a"),
    ("https://example.com/a?id=*", "https://example.com/a?id=3"),
    ("https://example.com/a.jpg", "https://example.com/a.jpg#x"),
    ("https://bücher.example/*", "https://xn--bcher-kva.example/a"),
    ("https://example.com/ü*", "https://example.com/%c3%bc.jpg"),
    ("s3://bucket/photos/*", "s3://bucket/photos/a b.jpg"),
    ("s3://bucket/*", "s3://bucket/a"),
    ("s3://bucket/a.jpg", "s3://bucket/a.jpg"),
    ("s3://bucket/a#*", "s3://bucket/a#b"),
    ("s3://other/*,s3://bucket/*", "s3://bucket/a"),
    (" s3://other/* ,\n\t s3://bucket/*,", "s3://bucket/a"),
]


@pytest.mark.parametrize(("entries", "text"), ALLOWED)
def test_what_is_listed_is_allowed(entries: str, text: str) -> None:
    assert read_allowlist(entries).link(text) == parse(text)


NOT_ALLOWED = [
    ("https://example.com/photos/*", "https://example.com/photos"),
    ("https://example.com/photos/*", "https://example.com/Photos/a"),
    ("https://example.com/photos/*", "https://example.com/photos%2Fa"),
    ("https://example.com/photos/*", "https://example.com/secret?/photos/a"),
    ("https://example.com/photos/*", "https://example.com:8443/photos/a"),
    ("https://example.com/photos/*", "https://example.com.evil.example/photos/a"),
    ("https://example.com/photos/*", "https://evil.example/?https://example.com/photos/a"),
    ("https://example.com/photos/*", "https://evil.example/photos/a"),
    ("https://example.com/photos/*", "https://www.example.com/photos/a"),
    ("https://example.com/photos/*", "s3://example.com/photos/a"),
    ("https://example.com/*", "https://example.co/a"),
    ("https://example.com:8443/*", "https://example.com/a"),
    ("https://example.com/a.jpg", "https://example.com/a.jpg?b"),
    ("https://example.com/a.jpg", "https://example.com/a.jpg.png"),
    ("s3://bucket/photos/*", "s3://bucket/secret/a"),
    ("s3://bucket/photos/*", "s3://bucket/%70hotos/a"),
    ("s3://bucket/photos/*", "s3://bucket//photos/a"),
    ("s3://bucket/photos/*", "s3://bucket-2/photos/a"),
    ("s3://bucket/photos/*", "https://bucket/photos/a"),
    ("s3://bucket/a.jpg", "s3://bucket/a.jpg2"),
]


@pytest.mark.parametrize(("entries", "text"), NOT_ALLOWED)
def test_what_is_not_listed_is_refused_by_its_name(entries: str, text: str) -> None:
    with pytest.raises(LinkRefused) as caught:
        read_allowlist(entries).link(text)
    assert caught.value.message == (
        f"{parse(text).name} is not among the links that PLUMBLINE_URL_ALLOW allows. Send the "
        "picture itself, or have whoever runs the server allow it."
    )


beginnings = st.sampled_from(
    ["https://a.b/photos/", "https://a.b/p", "https://a.b:8443/~x/", "s3://bucket/photos/", "s3://bucket/"]
)  # fmt: skip


@nasty
@given(beginnings, rests)
def test_a_listed_beginning_allows_exactly_what_begins_with_it(beginning: str, rest: str) -> None:
    try:
        link = parse(beginning + rest)
    except ValueError:
        return
    assert str(link).startswith(beginning)
    if link.target != "/":
        assert read_allowlist(f"{beginning}*").link(beginning + rest) == link


@nasty
@given(beginnings, st.sampled_from(["https://a.b/", "https://a.b:8443/", "s3://bucket/"]), rests)
def test_nothing_else_is_allowed(beginning: str, other: str, rest: str) -> None:
    try:
        found = read_allowlist(f"{beginning}*").link(other + rest)
    except LinkRefused:
        return
    assert str(found).startswith(beginning)


@pytest.mark.parametrize("text", ["", " ", ",", " ,\n"])
def test_an_empty_list_allows_nothing_and_says_how_to_allow(text: str) -> None:
    allow = read_allowlist(text)
    assert allow == Allowlist()
    for link in ("https://example.com/a", "s3://bucket/key", "nonsense"):
        with pytest.raises(LinkRefused) as caught:
            allow.link(link)
        assert caught.value.message == OFF


STAR = "* may only be its last character"

WRONG_ENTRIES = {
    "*": SCHEME,
    "http://example.com/*": SCHEME,
    "example.com/*": SCHEME,
    "https://*.example.com/a": STAR,
    "https://*/a": STAR,
    "https://example.com/*/a": STAR,
    "https://example.com/**": STAR,
    "https://*": HOST,
    "https://example.com": "there is no / behind the host or the bucket",
    "https://example.com*": "there is no / behind the host or the bucket",
    "https://example.com?a*": "there is no / behind the host or the bucket",
    "https://example.com:8*/a": STAR,
    "https://10.0.0.1/*": HOST,
    "https://user@example.com/*": USER,
    "https://example.com/a/../*": DOTS,
    "https://example.com/a#b*": "what follows a # is never sent",
    "https://example.com/%2*": HALF_ENCODED,
    "s3://bucket": NO_KEY,
    "s3://bucket/": NO_KEY,
    "s3://bucket*": "there is no / behind the host or the bucket",
    "s3://*/a": STAR,
    "s3://Bucket/*": BUCKET,
}


@pytest.mark.parametrize(("entry", "why"), WRONG_ENTRIES.items())
def test_a_wrong_entry_is_named_with_what_is_wrong(entry: str, why: str) -> None:
    with pytest.raises(ValueError, match="a list of links such as") as caught:
        read_allowlist(f"s3://bucket/a, {entry}")
    assert str(caught.value) == (
        "a list of links such as s3://bucket/photos/* and https://example.com/photos/*; "
        f"{entry!r} is wrong because {why}"
    )


def test_messages_call_a_link_by_its_beginning_and_without_its_signature() -> None:
    signed = parse("https://example.com/a.jpg?X-Amz-Signature=0123")
    assert signed.name == "https://example.com/a.jpg"
    assert parse("s3://bucket/a?b").name == "s3://bucket/a?b"
    long = Link("https", "example.com", "/" + "a" * 500)
    assert long.name == f"{str(long)[:LONGEST_SHOWN]}…"


# --- addresses --------------------------------------------------------------------------------

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "52.218.0.1",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.0",
    "172.32.0.1",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2600:1f18::1",
    "2a00:1450:4001::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_known(address: str) -> None:
    assert is_public(address)


NOT_PUBLIC = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier-grade NAT",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "Azure's metadata",
    "169.254.0.0/16": "link-local, where metadata are",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4 relays",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved, and broadcast",
    "::/96": "unspecified, loopback, and IPv4 inside",
    "::ffff:0:0/96": "IPv4, mapped",
    "::ffff:0:0:0/96": "IPv4, translated",
    "64:ff9b::/96": "NAT64",
    "64:ff9b:1::/48": "NAT64 of a network's own",
    "100::/64": "discarded",
    "2001::/32": "Teredo",
    "2001:2::/48": "benchmarks",
    "2001:10::/28": "ORCHID",
    "2001:20::/28": "ORCHID",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique local",
    "fd00:ec2::254/128": "AWS's metadata",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}


@nasty
@given(st.data(), st.sampled_from(list(NOT_PUBLIC)))
def test_no_address_of_a_network_that_is_not_public_is(data: st.DataObject, network: str) -> None:
    assert not is_public(str(data.draw(st.ip_addresses(network=network))))


@pytest.mark.parametrize("network", NOT_PUBLIC)
def test_nor_is_its_first(network: str) -> None:
    assert not is_public(network.partition("/")[0])


@pytest.mark.parametrize("address", ["fe80::1%eth0", "169.254.169.254", "fd00:ec2::254"])
def test_nor_are_these(address: str) -> None:
    assert not is_public(address)


@nasty
@given(st.ip_addresses(v=4))
def test_no_address_holds_a_public_one_inside(inner: object) -> None:
    ways: tuple[Callable[[str], str], ...] = (
        "::ffff:{}".format,
        "64:ff9b::{}".format,
        "::{}".format,
        "::ffff:0:{}".format,
    )
    assert not any(is_public(way(str(inner))) for way in ways)


def test_a_quoted_name_and_the_name_are_one() -> None:
    name = "Grüße [3] {4}|5.jpg"
    assert parse(f"https://example.com/{quote(name)}") == parse(
        f"https://example.com/{name.replace(' ', '%20')}"
    )
