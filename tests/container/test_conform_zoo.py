"""`plumbline conform` finds in each of many small servers the one rule that it breaks."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from running_container import wait_until

from plumbline.conformance.order import Order, Sample
from plumbline.conformance.run import conform
from plumbline.conformance.workbench import LABEL as LABEL_OF_A_RUN

pytestmark = pytest.mark.docker

ZOO = Path(__file__).parent / "zoo"

LABEL = "com.amazonaws.sagemaker.capabilities."

AT_ONCE = 6
"""Of which most wait most of the time."""


class Beast(NamedTuple):
    """A server that breaks one rule, where that is looked for, and which it is."""

    only: str
    broken: str
    dockerfile: str = ""
    """What makes its image another than the usual one."""
    more: str = ""
    """Of the command: what else it is asked to do."""


HOSTING = "H47,H48,H49,H50,H51,H53,H54"
"""Without H52, which fills a container of its own."""

BREAKS = {
    "serve": Beast("A,B11,B14,B15", "A2"),
    "loopback": Beast("A2,B11,B15", "B11"),
    "early": Beast("B11,B14,B15", "B14"),
    "never": Beast("A2,B11,B14,B15,C", "B15"),
    "broken model": Beast("B15,B16", "B16"),
    "port": Beast("B11,B12", "B12"),
    "ping body": Beast("C17,C18", "C17"),
    "crowd": Beast("C18,C19,D33", "C19"),
    "chatter": Beast("C18,C20,C21", "C21"),
    "no type": Beast("D", "D22"),
    "wrong answer": Beast("D", "D23"),
    "strict headers": Beast("D", "D25"),
    "short headers": Beast("D", "D26"),
    "long attributes": Beast("D", "D27"),
    "tracebacks": Beast("D", "D28"),
    "large body": Beast("D", "D29"),
    "chunks": Beast("D", "D30"),
    "one request": Beast("D", "D32"),
    "leaked slots": Beast("D", "D34"),
    "paths": Beast("D", "D35"),
    "disk": Beast("E36,E37,E39", "E36"),
    "model disk": Beast("A,B11,B15,E37", "E37"),
    "network": Beast("B11,E38", "E38"),
    "leak": Beast("D22,E41", "E41"),
    "drops": Beast("F", "F42"),
    "stubborn": Beast("F", "F43"),
    "parameter types": Beast("G", "G44", more="batch"),
    "parameters": Beast("G", "G45", more="batch"),
    "lines": Beast("G", "G46", more="batch"),
    "twice": Beast(HOSTING, "H48", more="multi_model"),
    "unknown model": Beast(HOSTING, "H50", more="multi_model"),
    "unload": Beast(HOSTING, "H51", more="multi_model"),
    "bad model": Beast(HOSTING, "H54", more="multi_model"),
    "torn log": Beast("D28,I", "I55"),
    "flood": Beast("I", "I55"),
    "metrics": Beast("I", "I56"),
    "no model": Beast("J57", "J57", more="train"),
    "trains online": Beast("J57,J58", "J58", more="train"),
    "hidden failure": Beast("J59,J60", "J59", more="train"),
    "silent failure": Beast("J59,J60", "J60", more="train"),
    "a shell's entry point": Beast("A", "A1", "ENTRYPOINT python3 -I /zoo/server.py"),
    "tini": Beast("A", "A3", 'ENTRYPOINT ["/zoo/tini", "/zoo/server.py"]'),
    "a user": Beast("A", "A4", "USER 12345"),
    "an unknown label": Beast("A", "A7", f"LABEL {LABEL}bidirectional-streaming=true"),
    "a volume": Beast("A", "A8", "VOLUME /opt/ml/model"),
    "a secret": Beast("A", "A9", "ENV API_TOKEN=0123456789abcdef"),
    "a shell in front": Beast("A1,B10,F", "B10", 'ENTRYPOINT ["/zoo/start.sh"]'),
}

DOCKERFILE = f"""
FROM {{base}}
COPY . /zoo/
LABEL {LABEL}accept-bind-to-port=true {LABEL}multi-models=true
ENTRYPOINT ["python3", "-I", "/zoo/server.py"]
"""

START = """#!/bin/sh
python3 -I /zoo/server.py "$@"
exit $?
"""


def built(client: Any, dockerfile: str, files: dict[str, tuple[str, int]]) -> str:
    """The name of an image."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, (text, mode) in {"Dockerfile": (dockerfile, 0o644), **files}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), mode
            tar.addfile(member, io.BytesIO(text.encode()))
    name = f"plumbline-zoo-{uuid.uuid4().hex[:12]}"
    stream.seek(0)
    client.images.build(fileobj=stream, custom_context=True, tag=name, rm=True, forcerm=True)
    return name


def like(client: Any, image: str, dockerfile: str) -> str:
    """The name of an image that differs from another in a line of its Dockerfile."""
    return built(client, f"FROM {image}\n{dockerfile}\n", {})


@dataclass(frozen=True)
class Images:
    """The images of the zoo, by what they break."""

    usual: str
    others: dict[str, str]

    def of(self, breaks: str) -> str:
        """The image of a server."""
        return self.others.get(breaks, self.usual)


@pytest.fixture(scope="module")
def images(docker_client: Any, slim_image: Any) -> Iterator[Images]:
    """Python is what is wanted of the base; what differs are a few words of the Dockerfile."""
    files = {
        "server.py": ((ZOO / "server.py").read_text(), 0o644),
        "start.sh": (START, 0o755),
        "tini": ('#!/bin/sh\nexec python3 -I "$@"\n', 0o755),
    }
    usual = built(docker_client, DOCKERFILE.format(base=slim_image.id), files)
    others = {
        breaks: like(docker_client, usual, beast.dockerfile)
        for breaks, beast in BREAKS.items()
        if beast.dockerfile
    }
    yield Images(usual, others)
    for name in (*others.values(), usual):
        docker_client.images.remove(name, force=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the zoo: a number."""
    folder = tmp_path_factory.mktemp("zoo") / "model"
    folder.mkdir()
    (folder / "model.json").write_text('{"add": 2}')
    return folder


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Something to train with."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "training").mkdir()
    (folder / "training/one.txt").write_text("1")
    return folder


SAMPLE = Sample(b'{"x": [1, 2]}', "application/json", True, b'{"y": [3, 4]}')

Broken = dict[str, list[str]]


@pytest.fixture(scope="module")
def broken(images: Images, model: Path, channels: Path) -> Broken:
    """The checks that each server fails; all of them run side by side."""

    def judged(breaks: str) -> list[str]:
        beast = BREAKS[breaks]
        order = Order(
            images.of(breaks),
            model,
            SAMPLE,
            multi_model=beast.more == "multi_model",
            batch=beast.more == "batch",
            train=channels if beast.more == "train" else None,
            environment={"BREAKS": breaks},
            only=tuple(beast.only.split(",")),
            starts_within=3 if breaks == "never" else 20,
            ends_within=4,
        )
        results = conform(order, lambda _: None)
        return [
            f"{one.check.name} {one.evidence}" for one in results if one.finding.passed is False
        ]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(BREAKS, pool.map(judged, BREAKS), strict=True))


@pytest.mark.parametrize("breaks", BREAKS)
def test_a_broken_rule_is_found_by_its_check_alone(breaks: str, broken: Broken) -> None:
    assert [one.split()[0] for one in broken[breaks]] == [BREAKS[breaks].broken], broken[breaks]


def plumbline(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command line, in a process of its own."""
    command = [sys.executable, "-m", "plumbline", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)


def test_nothing_is_found_in_a_server_that_breaks_no_rule(
    images: Images, model: Path, channels: Path, tmp_path: Path
) -> None:
    (tmp_path / "request").write_bytes(SAMPLE.body)
    (tmp_path / "answer").write_bytes(SAMPLE.expected or b"")
    given = ("--model", model, "--request", tmp_path / "request", "--type", "application/json")
    more = ("--expect", tmp_path / "answer", "--train", channels, "--batch", "--multi-model")

    done = plumbline("conform", images.usual, *given, *more, "--json", tmp_path / "report.json")

    assert done.returncode == 0, done.stdout + done.stderr
    checks = json.loads((tmp_path / "report.json").read_text())["checks"]
    outcomes = {check["check"]: check["outcome"] for check in checks}
    assert {name for name, outcome in outcomes.items() if outcome != "passed"} == set()
    assert len(checks) == 62


def test_an_image_that_can_not_be_started_breaks_one_rule(
    docker_client: Any, images: Images
) -> None:
    name = like(docker_client, images.usual, 'ENTRYPOINT ["/nowhere"]')
    try:
        done = plumbline("conform", name)
    finally:
        docker_client.images.remove(name, force=True)
    assert done.returncode == 1
    assert done.stderr == ""
    assert "/nowhere" in done.stdout
    assert done.stdout.endswith("It breaks the contract: A2.\n")


def test_an_image_that_is_not_there_is_one_sentence(docker_client: Any) -> None:
    done = plumbline("conform", "plumbline-nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: There is no image plumbline-nowhere on this engine: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_container_is_left_by_who_is_interrupted(
    number: signal.Signals, docker_client: Any, images: Images
) -> None:
    filters = {"ancestor": images.usual, "label": LABEL_OF_A_RUN}
    ours = {"all": True, "filters": filters, "ignore_removed": True}
    command = [sys.executable, "-m", "plumbline", "conform", images.usual, "--env", "BREAKS=crowd"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        wait_until(lambda: docker_client.containers.list(**ours))
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == (1 if number == signal.SIGINT else 143), said
    assert b"Traceback" not in said
    assert docker_client.containers.list(**ours) == []
