"""Group A: what an image says of itself, without starting it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from plumbline.conformance.rules import (
    INFO,
    MUST,
    SHOULD,
    Finding,
    Group,
    Where,
    failed,
    found,
    passed,
)
from plumbline.conformance.scenes import Scene

IMAGE = Group("A", "The image")

CAPABILITY = "com.amazonaws.sagemaker.capabilities."

KNOWN = ("accept-bind-to-port", "multi-models", "bidirectional-streaming")

SHELLS = ("sh", "bash", "dash", "ash")

SECRET = re.compile(
    r"(SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|PRIVATE_?KEY|ACCESS_?KEY)", re.IGNORECASE
)
"""In the name of a variable; how long its value is matters, too."""

KEY_ID = re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b")

MOST_VARIABLES = 100
MOST_BYTES_OF_ONE = 1024
MOST_BYTES = 32 * 1024

GIGABYTE = 10**9


def config(scene: Scene) -> dict[str, Any]:
    """What the image declares."""
    return dict(scene.bench.image.attrs["Config"])


def entry_point(scene: Scene) -> list[str]:
    """The ENTRYPOINT, or an empty list."""
    return list(config(scene).get("Entrypoint") or [])


@IMAGE.check(
    1,
    MUST,
    Where.IMAGE,
    "SageMaker runs `docker run IMAGE serve`: ENTRYPOINT is in exec form, as a shell would swallow "
    "the argument and the signals.",
    'Write ENTRYPOINT ["program", "argument"] in the Dockerfile, not ENTRYPOINT program argument.',
)
def exec_form(scene: Scene) -> Finding:
    """Docker keeps the other form as /bin/sh -c."""
    words = entry_point(scene)
    shell = len(words) > 1 and PurePosixPath(words[0]).name in SHELLS and words[1] == "-c"
    return found(not shell and bool(words), f"ENTRYPOINT {words}" if words else "no ENTRYPOINT")


@IMAGE.check(
    2,
    MUST,
    Where.FIRST,
    "The argument `serve` takes CMD's place, and starts the server.",
    "Let the ENTRYPOINT take `serve` as its first argument, and do without CMD.",
)
def takes_serve(scene: Scene) -> Finding:
    """It neither fails to start nor ends at once."""
    if scene.start is None:
        return failed(scene.problem)
    if scene.started.status is not None:
        return failed(scene.problem or scene.started.in_words(scene.running))
    return passed(f"{entry_point(scene)} serve goes on running")


@IMAGE.check(
    3,
    SHOULD,
    Where.IMAGE,
    "tini and similar init programs can't be the entry point: they take `serve` and `train` as "
    "their own arguments.",
    "Start the server itself; let it reap its children.",
)
def no_init(scene: Scene) -> Finding:
    """By the name of the first word."""
    words = entry_point(scene) or ["nothing"]
    name = PurePosixPath(words[0]).name
    return found(name not in ("tini", "dumb-init", "tini-static"), f"it begins with {name}")


@IMAGE.check(
    4,
    SHOULD,
    Where.IMAGE,
    "SageMaker runs containers as root; USER is root, or not set.",
    "Remove USER from the Dockerfile; give privileges up in the server if need be.",
)
def root(scene: Scene) -> Finding:
    """What USER says."""
    user = str(config(scene).get("User") or "")
    return found(user.partition(":")[0] in ("", "root", "0"), f"USER {user or 'is not set'}")


@IMAGE.check(
    5,
    SHOULD,
    Where.IMAGE,
    "Instances are of amd64 or arm64, and run Linux.",
    "docker build --platform linux/amd64 (or linux/arm64 for Graviton instances).",
)
def platform(scene: Scene) -> Finding:
    """What was built."""
    attributes = scene.bench.image.attrs
    name = f"{attributes.get('Os')}/{attributes.get('Architecture')}"
    return found(name in ("linux/amd64", "linux/arm64"), name)


@IMAGE.check(
    6,
    INFO,
    Where.IMAGE,
    "A serverless endpoint takes images of 10 GB at most; every instance downloads all layers.",
    "Leave out compilers, caches and headers; build in a stage of its own.",
)
def size(scene: Scene) -> Finding:
    """Unpacked; and how the largest layer came about."""
    attributes = scene.bench.image.attrs
    layers = scene.bench.image.history()
    weight, made = max(
        ((int(one["Size"]), str(one["CreatedBy"])) for one in layers), default=(0, "")
    )
    share = f"the largest {weight / 1e6:.0f} MB by: {made[:120]}"
    total = attributes["Size"]
    return found(total <= 10 * GIGABYTE, f"{total / 1e6:.0f} MB in {len(layers)} layers, {share}")


@IMAGE.check(
    7,
    MUST,
    Where.IMAGE,
    f"Of the labels {CAPABILITY}* accept-bind-to-port and multi-models are known, and true or "
    "false; bidirectional-streaming promises a WebSocket.",
    f"LABEL {CAPABILITY}accept-bind-to-port=true; remove what the image can't do.",
)
def labels(scene: Scene) -> Finding:
    """Whether a promise is kept is for other checks: B12, H47."""
    given = {
        name.removeprefix(CAPABILITY): value
        for name, value in (config(scene).get("Labels") or {}).items()
        if name.startswith(CAPABILITY)
    }
    wrong = [
        f"{name}={value}"
        for name, value in given.items()
        if name not in KNOWN or value.lower() not in ("true", "false")
    ]
    if given.get("bidirectional-streaming", "").lower() == "true":
        wrong.append("bidirectional-streaming=true, which is not judged here")
    return found(not wrong, ", ".join(wrong) or f"{given or 'none'}")


@IMAGE.check(
    8,
    SHOULD,
    Where.IMAGE,
    "SageMaker mounts its files below /opt/ml; no VOLUME may hide them.",
    "Remove VOLUME /opt/ml… from the Dockerfile.",
)
def volumes(scene: Scene) -> Finding:
    """What VOLUME says."""
    declared = list(config(scene).get("Volumes") or {})
    over = [name for name in declared if PurePosixPath(name).is_relative_to("/opt/ml")]
    return found(not over, f"VOLUME {', '.join(over or declared) or 'is not set'}")


@IMAGE.check(
    9,
    SHOULD,
    Where.IMAGE,
    "At most 100 variables of 1 KiB each, 32 KiB together; whoever pulls an image reads its ENV.",
    "Give secrets at run time, from Secrets Manager; rebuild without them, and revoke them.",
)
def variables(scene: Scene) -> Finding:
    """Names and sizes only: evidence must not repeat a secret."""
    pairs = [text.partition("=")[::2] for text in config(scene).get("Env") or []]
    secret = [
        name
        for name, value in pairs
        if (SECRET.search(name) and len(value) >= 8) or KEY_ID.search(value)
    ]
    large = [name for name, value in pairs if len(value.encode()) > MOST_BYTES_OF_ONE]
    total = sum(len(name) + len(value.encode()) for name, value in pairs)
    wrong = [f"{name} looks like a secret" for name in secret]
    wrong += [f"{name} has more than 1 KiB" for name in large]
    if len(pairs) > MOST_VARIABLES or total > MOST_BYTES:
        wrong.append("too many")
    return found(not wrong, ", ".join(wrong) or f"{len(pairs)} variables, {total:,} bytes")
