"""Where uv is told to look, of what pip's configuration says."""

from __future__ import annotations

from requirements.install import LOCK, line_of_uv, uv_variables

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
