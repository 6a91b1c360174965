"""Group E: less than a container is used to: disk, network, user, memory."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from plumbline.conformance.image_checks import CAPABILITY
from plumbline.conformance.inside import NothingInside, ask_inside
from plumbline.conformance.invocation_checks import invoke
from plumbline.conformance.rules import (
    INFO,
    MUST,
    SHOULD,
    Finding,
    Group,
    Where,
    failed,
    found,
    not_judged,
    passed,
)
from plumbline.conformance.scenes import Scene, copy
from plumbline.conformance.start import watch
from plumbline.emulator.serving_container import Answer

RESTRICTIONS = Group("E", "Restrictions")

READ_ONLY: dict[str, Any] = {"read_only": True, "tmpfs": {"/tmp": ""}}  # noqa: S108
OTHER_USER: dict[str, Any] = {
    "user": "12345",
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
}
SERVERLESS: dict[str, Any] = {"ipc_mode": "none", "mem_limit": "2g", "memswap_limit": "2g"}

PORT = 9123

MOST_GROWTH = 1.1

NOISE = 16 * 2**20
"""Bytes that any process may gain."""

PATIENCE = 40.0
"""Seconds in which the many requests must be through; else fewer are enough."""

ASKERS = 8


def under(scene: Scene, options: dict[str, Any]) -> str:
    """What is wrong with a server under these restrictions, or nothing."""
    order, given = scene.order, dict(options)
    model = copy(order.model, scene.bench.empty()) if order.model and "user" in given else None
    with scene.bench.serve(model, **given) as server:
        start = watch(server, order.starts_within, order.sample)
        if start.ready is None:
            return start.in_words(server)
    if not isinstance(start.first, Answer):
        return f"an invocation got {start.first}"
    wanted = range(200, 300) if order.sample.given else range(200, 500)
    return "" if start.first.status in wanted else f"an invocation got {start.first.status}"


def all_at_once(scene: Scene) -> dict[str, Any]:
    """Every restriction that can be had together, another port included if it may be chosen."""
    label = f"{CAPABILITY}accept-bind-to-port"
    options = {**READ_ONLY, **OTHER_USER, **SERVERLESS}
    if scene.bench.image.labels.get(label, "").lower() == "true":
        options["environment"] = {"SAGEMAKER_BIND_TO_PORT": str(PORT)}
    return options


def holds_under(scene: Scene, options: dict[str, Any]) -> str:
    """What is wrong under these restrictions, or nothing; who bears all at once bears each."""
    if "all at once" not in scene.facts:
        several = sum(map(scene.order.wants, ("B12", "E36", "E39", "E40"))) > 1
        scene.facts["all at once"] = several and not under(scene, all_at_once(scene))
    return "" if scene.facts["all at once"] else under(scene, options)


@RESTRICTIONS.check(
    36,
    SHOULD,
    Where.RESTRICTED,
    "Nothing is written but to /tmp: other places may be read-only, or small.",
    "Write to /tmp; make bytecode and caches when the image is built.",
)
def on_read_only_disk(scene: Scene) -> Finding:
    """The root read-only, /tmp in memory."""
    wrong = holds_under(scene, READ_ONLY)
    return found(not wrong, wrong or "it serves with a read-only root and /tmp in memory")


@RESTRICTIONS.check(
    37,
    MUST,
    Where.FIRST,
    "/opt/ml/model is read-only.",
    "Unpack, convert and compile below /tmp, or when the archive is made.",
)
def with_read_only_model(scene: Scene) -> Finding:
    """It was mounted so; if that did not work, once more so that it can be written to."""
    if scene.writable:
        return failed("it ends at once with a read-only model, and serves with a writable one")
    if not scene.is_ready:
        return not_judged("it was never healthy")
    return passed("it serves with a read-only model")


@RESTRICTIONS.check(
    38,
    SHOULD,
    Where.RESTRICTED,
    "Under network isolation (EnableNetworkIsolation) nothing can be reached: no S3, no package "
    "index, no instance metadata.",
    "Put all that is needed at the start into the image or the archive.",
)
def without_network(scene: Scene) -> Finding:
    """Asked from inside, as nobody else can."""
    order, place = scene.order, scene.bench.empty()
    (place / "sample").write_bytes(order.sample.body)
    (place / "sample").chmod(0o644)
    mounted = f"{place}:/conform:ro"
    with scene.bench.serve(network_mode="none", ports={}, volumes=[mounted]) as server:
        end = time.monotonic() + order.starts_within
        try:
            while not server.is_running() or ask_inside(server, "/ping") != 200:
                if not server.is_running() or time.monotonic() > end:
                    return failed(f"never healthy; {last_line(server.log())}")
                time.sleep(0.2)
            sent = ("/conform/sample", order.sample.content_type)
            status = ask_inside(server, "/invocations", *sent)
        except NothingInside:
            return not_judged("the image has neither python3 nor curl nor bash to ask from inside")
    good = status is not None and 200 <= status < (300 if order.sample.given else 500)
    return found(good, f"healthy without a network; an invocation got {status or 'no answer'}")


def last_line(log: str) -> str:
    """What the log ends with."""
    lines = [line for line in log.splitlines() if line.strip()]
    return f"its log ends: {lines[-1]}" if lines else "its log is empty"


@RESTRICTIONS.check(
    39,
    INFO,
    Where.RESTRICTED,
    "Outside SageMaker, containers are often run as an arbitrary user, without capabilities.",
    "Don't write below the home folder; let any user read what is in the image.",
)
def as_other_user(scene: Scene) -> Finding:
    """User 12345, who is nobody."""
    wrong = holds_under(scene, OTHER_USER)
    return found(not wrong, wrong or "it serves as user 12345 without capabilities")


@RESTRICTIONS.check(
    40,
    INFO,
    Where.RESTRICTED,
    "A serverless endpoint has 1 to 6 GB of memory, and possibly no /dev/shm.",
    "Size workers by the memory there is; put heartbeat files into /tmp where there is no "
    "/dev/shm (gunicorn: worker_tmp_dir).",
)
def as_serverless(scene: Scene) -> Finding:
    """Two gigabytes."""
    wrong = holds_under(scene, SERVERLESS)
    return found(not wrong, wrong or "it serves with 2 GB and no /dev/shm")


@RESTRICTIONS.check(
    41,
    SHOULD,
    Where.FIRST,
    "Memory does not grow with requests: a container runs for months.",
    "Look for what is kept of each request: caches, lists, traced functions.",
)
def keeps_its_memory(scene: Scene) -> Finding:
    """After 150 requests (500 with --thorough) as after 50, but for a tenth and 16 MB."""
    with asking(scene) as ask:
        done = ask(50)
        before = memory(scene)
        done += ask(scene.order.many - 50)
        after = memory(scene)
    if before is None or after is None:
        return not_judged("the engine does not tell the container's memory")
    said = f"{before / 2**20:.0f} MiB after 50 requests, {after / 2**20:.0f} MiB after {done}"
    return found(after <= before * MOST_GROWTH + NOISE, said)


@contextmanager
def asking(scene: Scene) -> Iterator[Any]:
    """A function that sends so many requests and says how many there was time for."""
    end = time.monotonic() + PATIENCE

    def once(_number: int) -> int:
        if time.monotonic() > end:
            return 0
        with suppress(OSError, http.client.HTTPException):
            invoke(scene)
        return 1

    with ThreadPoolExecutor(ASKERS) as pool:
        yield lambda count: sum(pool.map(once, range(count)))


def memory(scene: Scene) -> int | None:
    """Bytes that the container has in use, without the cache of files."""
    stats = scene.running.container.client.api.stats(
        scene.running.container.id, stream=False, one_shot=True
    )
    used = stats.get("memory_stats", {})
    if "usage" not in used:
        return None
    details = used.get("stats", {})
    cached = details.get("total_inactive_file", details.get("inactive_file", 0))
    return int(used["usage"]) - int(cached)
