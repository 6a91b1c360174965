"""Group H: many models in one container, loaded and unloaded over HTTP."""

from __future__ import annotations

import http.client
import json
from urllib.parse import quote

from plumbline.conformance.restriction_checks import memory
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
from plumbline.conformance.scenes import HOSTED, Scene, hosting
from plumbline.conformance.start import watch
from plumbline.emulator.serving_container import Answer, ServingContainer

MULTI_MODEL = Group("H", "Many models")

NAME = "4f0c6e2b9a"

ODD = "a/b %c & ü"

MOST_MODELS = 60

ROOM = 4
"""Times the memory of one model that the small container has beside the server's own."""

LEAST_MEMORY = 64 * 2**20


def load(server: ServingContainer, name: str, place: str) -> Answer:
    """`POST /models`."""
    document = {"model_name": name, "url": f"{HOSTED}/{place}/model"}
    headers = {"Content-Type": "application/json"}
    return server.ask("POST", "/models", json.dumps(document), headers)


def unload(server: ServingContainer, name: str) -> int:
    """`DELETE /models/<name>`."""
    return server.ask("DELETE", f"/models/{quote(name, safe='')}").status


def invoke(scene: Scene, name: str) -> int:
    """`POST /models/<name>/invoke` with the sample."""
    sample = scene.order.sample
    path = f"/models/{quote(name, safe='')}/invoke"
    return scene.running.ask("POST", path, sample.body, sample.headers).status


@MULTI_MODEL.check(
    47,
    MUST,
    Where.MULTI_MODEL,
    "With SAGEMAKER_MULTI_MODEL=true a container is healthy before any model is loaded.",
    "Load nothing at the start; answer GET /ping with 200.",
)
def healthy_without_models(scene: Scene) -> Finding:
    """As it starts."""
    if scene.server is None:
        return not_judged(scene.problem)
    said = f"healthy {scene.started.ready or 0:.1f} s after the start"
    return found(scene.is_ready, said if scene.is_ready else scene.started.in_words(scene.server))


@MULTI_MODEL.check(
    48,
    MUST,
    Where.MULTI_MODEL,
    "POST /models with model_name and url loads a model: 200, and 409 if it is loaded already.",
    "Keep what is loaded by its name.",
)
def loads_once(scene: Scene) -> Finding:
    """Before that an invocation is sent, for H50."""
    scene.facts["invoked early"] = invoke(scene, NAME)
    scene.facts["memory without"] = memory(scene)
    first = load(scene.running, NAME, "0")
    scene.facts["memory with"] = memory(scene)
    again = load(scene.running, NAME, "0").status
    said = f"{first.status}, again {again}"
    if first.status != 200:
        said += f": {first.body[:200].decode(errors='replace')}"
    return found(first.status == 200 and again == 409, said)


@MULTI_MODEL.check(
    49,
    MUST,
    Where.MULTI_MODEL,
    "GET /models lists what is loaded (modelName, modelUrl); GET /models/<name> returns one, or "
    "404.",
    'Answer {"models": [{"modelName": …, "modelUrl": …}]}.',
)
def lists(scene: Scene) -> Finding:
    """The one that is loaded, and one that is not."""
    listed, one = (scene.running.ask("GET", path) for path in ("/models", f"/models/{NAME}"))
    nobody = scene.running.ask("GET", "/models/nobody").status
    try:
        names = [model["modelName"] for model in listed.document["models"]]
    except (ValueError, KeyError, TypeError):
        return failed(f"GET /models: {listed.status} {listed.body[:200].decode(errors='replace')}")
    said = f"{names}; GET /models/{NAME} {one.status}, of an unknown one {nobody}"
    return found(names == [NAME] and (one.status, nobody) == (200, 404), said)


@MULTI_MODEL.check(
    50,
    MUST,
    Where.MULTI_MODEL,
    "POST /models/<name>/invoke answers for that model, and 404 if it is not loaded: SageMaker "
    "loads it then.",
    "Answer 404, not 400 or 500, for an unknown name.",
)
def invokes_what_is_loaded(scene: Scene) -> Finding:
    """Before it was loaded, and now."""
    early, now = scene.facts.get("invoked early"), invoke(scene, NAME)
    good = now in (range(200, 300) if scene.order.sample.given else range(200, 500)) and now != 404
    return found(early == 404 and good, f"before it was loaded {early}, after {now}")


@MULTI_MODEL.check(
    51,
    MUST,
    Where.MULTI_MODEL,
    "DELETE /models/<name> unloads a model and answers when its memory is free: 200, then 404.",
    "Free what the model holds before answering.",
)
def unloads(scene: Scene) -> Finding:
    """And then it is gone."""
    first, again = unload(scene.running, NAME), unload(scene.running, NAME)
    asked = invoke(scene, NAME)
    used = [scene.facts.get("memory with"), memory(scene)]
    freed = " → ".join(f"{bytes_ / 2**20:.0f} MiB" for bytes_ in used if bytes_ is not None)
    said = f"{first}, again {again}, an invocation {asked}; memory {freed or 'unknown'}"
    return found((first, again) == (200, 404) and asked >= 400, said)


@MULTI_MODEL.check(
    53,
    INFO,
    Where.MULTI_MODEL,
    "The name of a model is opaque; SageMaker's own are hashes.",
    "Decode the path's part, and use the name as a key alone.",
)
def takes_any_name(scene: Scene) -> Finding:
    """With a slash, a percent sign, spaces and a letter that is not ASCII."""
    loaded = load(scene.running, ODD, "1").status
    asked, gone = invoke(scene, ODD), unload(scene.running, ODD)
    said = f"{ODD!r}: load {loaded}, invoke {asked}, unload {gone}"
    return found((loaded, gone) == (200, 200) and asked != 404, said)


@MULTI_MODEL.check(
    54,
    MUST,
    Where.MULTI_MODEL,
    "A model that can't be loaded is neither 200 nor 507: for 507 SageMaker unloads others and "
    "tries again.",
    "Answer 4xx or 500 with the reason.",
)
def refuses_bad_models(scene: Scene) -> Finding:
    """A folder with a file that is no model."""
    answer = load(scene.running, "bad", "bad")
    said = f"{answer.status}: {answer.body[:200].decode(errors='replace')}"
    alive = scene.running.ask("GET", "/ping").status
    return found(answer.status not in (200, 507) and alive == 200, f"{said}; then a ping {alive}")


@MULTI_MODEL.check(
    52,
    SHOULD,
    Where.MULTI_MODEL,
    "Where memory is short a load is answered with 507, and the container lives on.",
    "Refuse before the kernel ends a process: compare the limit of the cgroup with what is used.",
)
def refuses_when_full(scene: Scene) -> Finding:
    """In a container with memory for a few models."""
    before, after = scene.facts.get("memory without"), scene.facts.get("memory with")
    if before is None or after is None:
        return not_judged("the engine does not tell the container's memory")
    limit = max(before + ROOM * (after - before), before + LEAST_MEMORY)
    options = hosting(scene.bench, MOST_MODELS)
    small = {"mem_limit": limit, "memswap_limit": limit}
    with scene.bench.serve(**options, **small) as server:
        start = watch(server, scene.order.starts_within)
        if start.ready is None:
            return not_judged(f"with {limit / 2**20:.0f} MiB: {start.in_words(server)}")
        return filled(server, limit)


def filled(server: ServingContainer, limit: int) -> Finding:
    """Load until it is refused."""
    status, count = 200, 0
    while status == 200 and count < MOST_MODELS:
        try:
            status = load(server, f"model{count}", str(count)).status
        except (OSError, http.client.HTTPException):
            status = 0
        count += status == 200
    server.container.reload()
    killed = server.container.attrs["State"]["OOMKilled"]
    said = f"with {limit / 2**20:.0f} MiB {count} models were loaded, then {status or 'no answer'}"
    if killed or not server.is_running():
        return failed(f"{said}; the kernel has killed a process because memory ran out")
    if status == 200:
        return passed(f"{said}: {MOST_MODELS} did not fill it")
    return found(status == 507, said)
