"""build_and_push.sh with a real engine and a real registry: build, push, pull, run what was pulled.

Where AWS's part is asked for it is moto's server. The registry's name in Amazon ECR leads to the
local one by a `docker` that comes first on PATH and exchanges the one for the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from running_container import running, wait_until

import moto_server

pytestmark = [pytest.mark.docker, pytest.mark.registry, pytest.mark.tensorflow]

ROOT = Path(__file__).parents[2]

HOST = f"{moto_server.ACCOUNT}.dkr.ecr.{moto_server.REGION}.amazonaws.com"

KINDS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)

LEADS = """#!/bin/sh
# $AMAZON stands for $LOCAL; the login goes nowhere.
case $1 in login) cat >"$LOGIN"; exit ;; esac
for argument; do
    shift
    case $argument in "$AMAZON"/*) argument=$LOCAL/${argument#*/} ;; esac
    set -- "$@" "$argument"
done
case $1 in manifest) shift 2; set -- manifest inspect --insecure "$@" ;; esac
exec "$DOCKER" "$@"
"""


@dataclass
class Pusher:
    """Pushes to the registry at `host`."""

    host: str
    variables: dict[str, str] = field(default_factory=dict)

    def push(self, *options: str) -> subprocess.CompletedProcess[str]:
        """The script; the slim image, which is the smaller."""
        mine = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
        return subprocess.run(
            [ROOT / "build_and_push.sh", "--target", "slim", *options],
            env={**mine, "PYTHON": sys.executable, "PLUMBLINE_REGISTRY": self.host}
            | self.variables,
            check=False,
            capture_output=True,
            text=True,
            timeout=900,
        )


@contextmanager
def listening(folder: Path) -> Iterator[str]:
    """Host and port of an empty registry."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"localhost:{probe.getsockname()[1]}"
    (folder / "registry.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/blobs}}}}\n"
        f"http: {{addr: '{host.replace('localhost', '127.0.0.1')}'}}\n"
    )
    with (folder / "registry.log").open("wb") as log:
        command = ["docker-registry", "serve", folder / "registry.yml"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(host), seconds=20)
        yield host
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder / "blobs", ignore_errors=True)


def answers(host: str) -> bool:
    """Whether the registry is there."""
    try:
        with urllib.request.urlopen(f"http://{host}/v2/", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


@pytest.fixture(scope="module")
def pusher(
    tmp_path_factory: pytest.TempPathFactory, docker_client: Any, slim_image: Any
) -> Iterator[Pusher]:
    """Someone with a registry; the image is in the engine's cache."""
    with listening(tmp_path_factory.mktemp("registry")) as host:
        yield Pusher(host)
    forget(docker_client, host)


def forget(client: Any, host: str) -> None:
    """Have the engine know nothing of the registry."""
    for kind in ("RepoTags", "RepoDigests"):  # most digests go with the last tag
        for name in [name for image in client.images.list() for name in image.attrs[kind]]:
            if name.startswith(f"{host}/"):
                client.images.remove(name)


@pytest.fixture(scope="module")
def pushed(pusher: Pusher) -> str:
    """The digest URI of the image."""
    done = pusher.push()
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.rstrip("\n")


def fetched(url: str, accept: str = "*/*") -> tuple[str, bytes]:
    """What the registry gives: its type and its bytes."""
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.headers["Content-Type"], answer.read()


def test_what_was_pushed_is_pulled_by_its_digest_and_answers(
    pushed: str, pusher: Pusher, docker_client: Any, model: Path
) -> None:
    forget(docker_client, pusher.host)
    with pytest.raises(docker.errors.ImageNotFound):
        docker_client.images.get(pushed)

    pulled = docker_client.images.pull(pushed)

    assert pushed in pulled.attrs["RepoDigests"]
    assert (pulled.attrs["Os"], pulled.attrs["Architecture"]) == ("linux", "amd64")
    with running(docker_client, pushed, model) as server:
        wait_until(server.is_ready)
        assert server.ping().status == 200


def test_twice_pushes_nothing_and_prints_the_same(pusher: Pusher, pushed: str) -> None:
    again = pusher.push()

    assert again.stdout == f"{pushed}\n", again.stderr[-3000:]
    assert "is there already; nothing to push" in again.stderr
    (file,) = re.findall(r"What it is made of: (.*)", again.stderr)
    document = json.loads((ROOT / file).read_text("utf-8"))
    assert document["metadata"]["component"]["name"] == "plumbline-slim"
    assert any(each["name"] == "gunicorn" for each in document["components"])


def test_a_tag_of_another_image_is_not_taken_over(
    pusher: Pusher, pushed: str, docker_client: Any
) -> None:
    name = f"{pushed.partition('@')[0]}:taken"
    assert docker_client.images.get("debian:trixie-slim").tag(name)
    assert "error" not in docker_client.images.push(name)

    refused = pusher.push("--tag", "taken")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "has the tag taken already, for another image" in refused.stderr


def test_the_registry_has_every_part_in_a_form_that_sagemaker_takes(pushed: str) -> None:
    """Docker's or OCI's manifest of one image; an index, as attestations make it, is refused."""
    host, _, path = pushed.partition("/")
    name, _, digest = path.partition("@")

    kind, manifest = fetched(f"http://{host}/v2/{name}/manifests/{digest}", ", ".join(KINDS))

    assert kind in KINDS
    assert hashlib.sha256(manifest).hexdigest() == digest.removeprefix("sha256:")
    document = json.loads(manifest)
    for part in (document["config"], *document["layers"]):
        _, blob = fetched(f"http://{host}/v2/{name}/blobs/{part['digest']}")
        assert hashlib.sha256(blob).hexdigest() == part["digest"].removeprefix("sha256:")


def test_a_base_image_is_taken_by_the_digest_that_its_registry_tells(
    pusher: Pusher, docker_client: Any
) -> None:
    name = f"{pusher.host}/debian:trixie-slim"
    assert docker_client.images.get("debian:trixie-slim").tag(name)
    assert "error" not in docker_client.images.push(name)
    kind, manifest = fetched(f"http://{pusher.host}/v2/debian/manifests/trixie-slim", KINDS[0])

    done = subprocess.run(
        [ROOT / "images/base.sh", name, "linux/amd64"], check=True, capture_output=True, text=True
    )

    assert kind == KINDS[0]
    digest = hashlib.sha256(manifest).hexdigest()
    assert done.stdout == f"{pusher.host}/debian@sha256:{digest}\n"


def test_amazon_s_registry_is_prepared_logged_in_to_and_pushed_to(
    pusher: Pusher, pushed: str, tmp_path: Path
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text(LEADS)
    (folder / "docker").chmod(0o755)
    leads = {
        "AMAZON": HOST,
        "LOCAL": pusher.host,
        "DOCKER": str(shutil.which("docker")),
        "LOGIN": str(tmp_path / "login"),
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PLUMBLINE_REGISTRY": "",
    }
    with moto_server.serving() as url:
        amazon = Pusher("", {**leads, **moto_server.environment(url)})
        done = amazon.push("--account", moto_server.ACCOUNT, "--repository", "cats")

    digest = pushed.partition("@")[2]
    assert done.stdout == f"{HOST}/cats@{digest}\n", done.stderr[-3000:]
    assert (tmp_path / "login").read_text() == f"{moto_server.ACCOUNT}-auth-token\n"
    assert "Making the repository cats" in done.stderr
