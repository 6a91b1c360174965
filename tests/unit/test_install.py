"""Where uv is told to look, of what pip's configuration says."""

from __future__ import annotations

import pytest

from requirements.install import LOCK, cause, line_of_uv, uv_variables

LISTED = r"""
:env:.find-links='/opt/mine'
global.cert='/etc/global.pem'
global.extra-index-url='\nfile:///opt/first\nfile:///opt/second'
global.find-links='/opt/wheels /opt/more'
global.index-url='https://user:secret@packages.example/simple'
global.timeout='60'
install.cert='/etc/install.pem'
""".splitlines()
"""As `pip config list` prints it, a value of several lines included."""


def test_uv_looks_where_pip_would() -> None:
    told = uv_variables(LISTED, {})
    assert told["UV_DEFAULT_INDEX"] == "https://user:secret@packages.example/simple"
    assert told["UV_INDEX"] == "file:///opt/first file:///opt/second"
    assert told["UV_FIND_LINKS"] == "/opt/mine"
    assert told["SSL_CERT_FILE"] == "/etc/install.pem"
    assert told["UV_INDEX_STRATEGY"] == "unsafe-best-match"


def test_what_uv_has_been_told_already_stays() -> None:
    mine = {"UV_DEFAULT_INDEX": "https://mine.example/simple", "UV_SYSTEM_CERTS": "0"}
    told = uv_variables((line for line in LISTED if ":env:" not in line), mine)
    assert told.items() >= mine.items()
    assert told["UV_FIND_LINKS"] == "/opt/wheels,/opt/more"


def test_uv_comes_by_the_line_of_the_lock() -> None:
    first, *hashes = line_of_uv(LOCK.read_text()).splitlines()
    assert first.startswith("uv==")
    assert hashes
    assert all(line.startswith("    --hash=sha256:") for line in hashes)


UV_OFFLINE = """\
error: Request failed after 3 retries in 4.5s
  cause: Failed to fetch: https://packages.example/pyparsing/
  cause: error sending request for url (https://packages.example/pyparsing/)
  cause: client error (Connect)
  cause: dns error
  cause: failed to lookup address information: Temporary failure in name resolution"""

PIP_OFFLINE = """\
WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object>: \
Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': /uv/
ERROR: No matching distribution found for uv==0.13.8"""

UV_FULL = """\
error: Failed to write to the client cache
  cause: failed to write to file `/cache/.tmpRz2GC8`: No space left on device (os error 28)"""

PIP_PROXY = """\
WARNING: Retrying (Retry(total=0)) after connection broken by 'ProxyError('Cannot connect to \
proxy.', \
OSError('Tunnel connection failed: 407 Proxy Authentication Required'))': /uv/
ERROR: No matching distribution found for uv==0.13.8"""


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (UV_OFFLINE, "The package index could not be reached. Is there a network?"),
        (PIP_OFFLINE, "The package index could not be reached. Is there a network?"),
        (UV_FULL, "The disk is full. The environment takes 2.4 GB: make room, or"),
        (PIP_PROXY, "The proxy did not let the packages through. HTTPS_PROXY names it"),
    ],
)
def test_what_installers_say_is_told_in_a_sentence(said: str, sentence: str) -> None:
    first, last = cause(said).splitlines()
    assert first.startswith(sentence)
    assert last == f"The installer said: {said.splitlines()[-1].strip()}"


def test_what_is_not_known_is_shown_whole() -> None:
    assert cause("one\ntwo") == "The installation failed:\none\ntwo"
