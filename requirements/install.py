"""Install the developers' lock into the environment whose Python runs this.

pip brings uv, by the lock's own line for it, and uv the rest: in a quarter of the time that pip
needs. uv does not read pip's configuration, so what says there where packages come from, and whom
to trust, is told to it in its own variables. Of those that are set already, none is changed.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]

LOCK = ROOT / "requirements/dev.txt"

NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
}
"""pip's settings, and the variables by which uv is told the same."""

SECTIONS = ("global", "install", ":env:")
"""Of pip's configuration; a later one counts for more."""

LIKE_PIP = {
    # pip looks at all indexes for a version; whatever is found there, the lock's hashes must fit.
    "UV_INDEX_STRATEGY": "unsafe-best-match",
    "UV_SYSTEM_CERTS": "1",
}


def uv_variables(lines: Iterable[str], mine: Mapping[str, str]) -> dict[str, str]:
    """What uv is told, of the lines of `pip config list` and this process's variables."""
    found: dict[tuple[str, str], str] = {}
    for line in lines:
        if setting := re.fullmatch(r"(global|install|:env:)\.([a-z-]+)=(['\"].*)", line):
            section, name, value = setting.groups()
            found[section, name] = str(ast.literal_eval(value))
    told = dict(LIKE_PIP)
    for name, variable in NAMES.items():
        values = [found[section, name] for section in SECTIONS if (section, name) in found]
        if values:
            told[variable] = ("," if name == "find-links" else " ").join(values[-1].split())
    return {**told, **mine}


def line_of_uv(lock: str) -> str:
    """The lock's requirement of uv, with its hashes."""
    found = re.search(r"^uv==(.*\\\n)*.*\n", lock, re.MULTILINE)
    if found is None:
        raise SystemExit(f"{LOCK} does not name uv; `make lock` writes it anew.")
    return found[0]


def main() -> None:
    """Install, or end with the status of what failed."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "uv.txt"
        wanted.write_text(line_of_uv(LOCK.read_text("utf-8")), "utf-8")
        run(*pip, "install", "-qq", "--require-hashes", "--no-deps", "-r", str(wanted))
    listed = subprocess.run([*pip, "config", "list"], check=False, capture_output=True, text=True)
    os.environ.update(uv_variables(listed.stdout.splitlines(), os.environ))
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
    run(*uv, "--no-deps", "--require-hashes", "-r", str(LOCK))
    run(*uv, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))


def run(*command: str) -> None:
    """The command, which says itself what it can't do."""
    status = subprocess.run(command, check=False).returncode
    if status != 0:
        raise SystemExit(status)


if __name__ == "__main__":
    main()
