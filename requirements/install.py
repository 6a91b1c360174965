"""Make .venv with this Python, and install the developers' lock into it: what `make venv` runs.

pip brings uv, by the lock's own line for it, and uv the rest: in a quarter of the time that pip
needs. uv does not read pip's configuration, so what says there where packages come from, and whom
to trust, is told to it in its own variables. Of those that are set already, none is changed.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]

LOCK = ROOT / "requirements/dev.txt"

VENV = ROOT / ".venv"

GIGABYTE = 1e9

SIZE = 2.4
"""Gigabytes of the environment, as measured on Linux; uv's cache shares them on the same disk."""

WIDTH = 78

NO_ROOM = (
    "The disk is full. The environment takes 2.4 GB: make room, or let uv keep its cache, and all "
    "their temporary files, on another disk (UV_CACHE_DIR=/there TMPDIR=/there make venv)."
)

CAUSES = {
    "No space left on device|os error 28|Disk quota exceeded": NO_ROOM,
    "407 |[Pp]roxy ?Error|proxy": (
        "The proxy did not let the packages through. HTTPS_PROXY names it, with a name and a "
        "password if it wants them: export HTTPS_PROXY=http://user:password@host:port"
    ),
    "CERTIFICATE_VERIFY_FAILED|invalid peer certificate|UnknownIssuer": (
        "The package index, or the proxy before it, has a certificate that is not trusted here. "
        "Name the file of your organisation's: export PIP_CERT=/path/to/certificates.pem"
    ),
    "name resolution|dns error|new connection|[(]Connect[)]|unreachable|timed out|refused": (
        "The package index could not be reached. Is there a network? Where a proxy leads out, name "
        "it: export HTTPS_PROXY=http://host:port"
    ),
    "DO NOT MATCH THE HASHES|[Hh]ash mismatch": (
        "A package is not the one that requirements/dev.txt names by its hash: the index, or a "
        "proxy before it, gives another file."
    ),
    "Read-only file system|Permission denied": (
        "This checkout can't be written to, and .venv belongs into it: clone it elsewhere."
    ),
}
"""What an installer's words mean, the likeliest first."""

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
        raise SystemExit(f"{LOCK} does not name uv; `make lock` writes it again.")
    return found[0]


def main() -> None:
    """Make .venv and install, or end with a sentence."""
    began = time.monotonic()
    check_room()
    print(f"Installing into .venv, once: TensorFlow and what it needs, {SIZE:.1f} GB on disk.")
    run(sys.executable, "-m", "venv", "--clear", str(VENV))
    python = str(VENV / "bin/python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "uv.txt"
        wanted.write_text(line_of_uv(LOCK.read_text("utf-8")), "utf-8")
        options = ["-qq", "--retries", "2", "--require-hashes", "--no-deps"]
        run(*pip, "install", *options, "-r", str(wanted))
    listed = subprocess.run([*pip, "config", "list"], check=False, capture_output=True, text=True)
    os.environ.update(uv_variables(listed.stdout.splitlines(), os.environ))
    uv = [python, "-m", "uv", "pip", "install", "--no-progress", "--python", python]
    run(*uv, "--no-deps", "--require-hashes", "-r", str(LOCK), progress=Progress())
    run(*uv, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    files = (file.lstat().st_size for file in VENV.rglob("*") if file.is_file())
    size, seconds = sum(files) / GIGABYTE, time.monotonic() - began
    print(f"{installed()} packages are in .venv: {size:.1f} GB, after {seconds:.0f} s.")


def check_room() -> None:
    """End where the environment has no room, before anything is fetched."""
    free = shutil.disk_usage(ROOT).free / GIGABYTE
    if free < SIZE:
        raise SystemExit(
            f"There is no room for .venv: it takes {SIZE:.1f} GB, and the disk of {ROOT} has "
            f"{free:.1f} GB left. Make room there, or clone the repository to another disk."
        )


def installed() -> int:
    """How many packages the environment has."""
    return sum(1 for _ in VENV.glob("lib/python*/site-packages/*.dist-info"))


class Progress:
    """How far uv has come, by its own lines and by what is installed; a line that changes."""

    def __init__(self) -> None:
        self.total = 0
        self.fetched: dict[str, str] = {}

    def heed(self, line: str) -> None:
        """Take note of a line; elsewhere than on a terminal, downloads are told in lines."""
        if found := re.match(r"Resolved (\d+) packages", line):
            self.total = int(found[1])
        elif found := re.match(r" *Downloading (\S+) \((.+)\)", line):
            self.fetched[found[1]] = found[2]
            if not sys.stdout.isatty():
                print(line.strip(), flush=True)
        elif found := re.match(r" *Downloaded (\S+)", line):
            self.fetched.pop(found[1], None)

    def show(self) -> None:
        """Say it on a terminal."""
        if sys.stdout.isatty():
            downloads = ", ".join(f"{name} ({size})" for name, size in self.fetched.items())
            counted = f"{installed()} of {self.total or '…'} packages"
            said = f"{counted}; downloading {downloads}" if downloads else counted
            print(f"\r{said[:WIDTH]:<{WIDTH}}", end="", flush=True)

    def end(self) -> None:
        """Leave the line behind."""
        if sys.stdout.isatty():
            print(f"\r{'':<{WIDTH}}\r", end="", flush=True)


def run(*command: str, progress: Progress | None = None) -> None:
    """The command; where it fails, why in a sentence, or else all that it said."""
    lines: list[str] = []
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )

    def listen() -> None:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if progress:
                progress.heed(line)

    listener = threading.Thread(target=listen)
    listener.start()
    while listener.is_alive():
        listener.join(0.2)
        if progress:
            progress.show()
    if progress:
        progress.end()
    if process.wait() != 0:
        raise SystemExit(cause("\n".join(lines)))


def cause(said: str) -> str:
    """Why an installation failed, of what the installer said: a sentence and its last words."""
    known = next((why for sign, why in CAUSES.items() if re.search(sign, said)), None)
    if known is None:
        return f"The installation failed:\n{said}"
    told = [line for line in said.splitlines() if line.strip()]
    return f"{known}\nThe installer said: {told[-1].strip()}"


if __name__ == "__main__":
    main()
