"""Requests from inside a container, by whatever it has that can send one."""

from __future__ import annotations

from plumbline.emulator.serving_container import PORT, ServingContainer

PYTHON = """
import sys
from urllib import error, request
body = open(sys.argv[2], "rb").read() if len(sys.argv) > 2 else None
headers = {"Content-Type": sys.argv[3]} if len(sys.argv) > 3 else {}
try:
    answer = request.urlopen(request.Request(sys.argv[1], body, headers), timeout=60)
except error.HTTPError as refused:
    answer = refused
except OSError as problem:
    sys.exit(f"no answer: {problem}")
print(answer.status)
"""

BASH = r"""
exec 3<>"/dev/tcp/127.0.0.1/$4" || exit 1
if [ -n "$2" ]; then
    printf 'POST /invocations HTTP/1.0\r\nContent-Type: %s\r\nContent-Length: %s\r\n\r\n' \
        "$3" "$(wc -c <"$2")" >&3
    cat "$2" >&3
else
    printf 'GET /ping HTTP/1.0\r\n\r\n' >&3
fi
read -r _ status _ <&3 && echo "$status"
"""


class NothingInside(Exception):
    """The image has no program that could send a request."""


def ask_inside(server: ServingContainer, path: str, *sent: str, port: int = PORT) -> int | None:
    """The status that a path answers to a client inside, or None; `sent` are a file and its type.

    Raises `NothingInside`.
    """
    arguments = [f"http://127.0.0.1:{port}{path}", *sent]
    curl = ["curl", "-s", "-m60", "-o/dev/null", "-w%{http_code}", arguments[0]]
    if sent:
        curl += ["--data-binary", f"@{sent[0]}", "-H", f"Content-Type: {sent[1]}"]
    padded = ["bash", *arguments, *[""] * (2 - len(sent))]
    ways = (
        ["python3", "-c", PYTHON, *arguments],
        curl,
        ["bash", "-c", BASH, *padded, str(port)],
    )
    for way in ways:
        status, output = server.run(*way)
        if status in (126, 127) or "executable file not found" in output:
            continue
        word = output.strip()
        return int(word) if status == 0 and word.isdigit() and word != "000" else None
    raise NothingInside


def answers_inside(server: ServingContainer, port: int) -> bool:
    """Whether a ping inside is answered on that port."""
    try:
        return ask_inside(server, "/ping", port=port) is not None
    except (NothingInside, OSError):
        return False
