"""What stands for docker: it keeps what it was asked, and fails where a test says so.

Its folder holds `asked` (a line for each command), `fail-COMMAND` (what the command then says
before it fails), `registry/` (the manifests that were pushed) and `password` (of the last login).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

HOME = Path(os.environ.get("DOCKER_SCRIPT", "."))

MANIFEST = "sha256:" + "d" * 64

BASE = "sha256:" + "b" * 64
"""Of the base image, in the registry that it comes from."""


def say(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(f"{text}\n")


def fails(command: str) -> None:
    """End as the test says."""
    file = HOME / f"fail-{command}"
    if file.exists():
        sys.exit(file.read_text())


def identity() -> str:
    """The checksum of what was built."""
    return "sha256:" + (HOME / "built").read_text() * 64


def manifest(reference: str) -> Path:
    """Where the registry keeps it."""
    return HOME / "registry" / reference.replace("/", "_")


def version() -> None:
    """The engine."""
    say("linux/amd64")


def build() -> None:
    """An image; what was built before stays if the test has not changed it."""
    say("Successfully built it")


def image() -> None:
    """`docker image inspect --format …`."""
    if ".Id" in sys.argv[4]:
        say(identity())
    elif ".RepoDigests" in sys.argv[4]:
        say(f"{sys.argv[5].partition(':')[0]}@{BASE}" if (HOME / "pulled").exists() else "")
    else:
        say((HOME / "platform").read_text())


def pull() -> None:
    """An image, which has a digest from then on."""
    (HOME / "pulled").touch()


def copy() -> None:
    """`docker cp CONTAINER:FILE TO`: a file that names its place in the image."""
    Path(sys.argv[3]).write_text(sys.argv[2])


def login() -> None:
    """Keep the password."""
    (HOME / "password").write_text(sys.stdin.read())


def inspect() -> None:
    """`docker manifest inspect --verbose REFERENCE`."""
    file = manifest(sys.argv[-1])
    if not file.exists():
        sys.exit(f"no such manifest: {sys.argv[-1]}")
    say(file.read_text())


def push() -> None:
    """Into the registry."""
    document = {
        "Ref": sys.argv[-1],
        "Descriptor": {"digest": MANIFEST},
        "SchemaV2Manifest": {"config": {"digest": identity()}},
    }
    manifest(sys.argv[-1]).parent.mkdir(exist_ok=True)
    manifest(sys.argv[-1]).write_text(json.dumps(document, indent=2))
    say("pushed")


COMMANDS = {
    "version": version,
    "build": build,
    "image": image,
    "login": login,
    "manifest": inspect,
    "push": push,
    "pull": pull,
    "create": lambda: say("made"),
    "cp": copy,
    "rm": lambda: None,
    "tag": lambda: None,
}

if __name__ == "__main__":
    with (HOME / "asked").open("a") as kept:
        kept.write(" ".join(sys.argv[1:]) + "\n")
    fails(sys.argv[1])
    COMMANDS[sys.argv[1]]()
