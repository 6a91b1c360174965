"""What each image says that it is made of, against what its own tools find in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

pytestmark = pytest.mark.docker

FOLDER = "/usr/share/doc/plumbline"

PYTHON = (
    "import json, importlib.metadata as m;"
    "print(json.dumps([[d.metadata['Name'], d.version] for d in m.distributions()]))"
)


class Pieces:
    """An image, its inventory, and what runs in a container of it."""

    def __init__(self, image: Any, container: Any) -> None:
        self.image = image
        self.container = container
        self.text = self.run("cat", f"{FOLDER}/sbom.cdx.json")
        self.document = json.loads(self.text)

    def run(self, *command: str) -> str:
        """What a command prints; by way of a container's log the end of it may be lost."""
        status, said = self.container.exec_run(list(command))
        assert status == 0, said.decode()
        return str(said.decode())

    def named(self, kind: str) -> set[tuple[str, str]]:
        """Names and versions, by the package URLs of a kind."""
        urls = (each["purl"] for each in self.document["components"] if "purl" in each)
        found = [PackageURL.from_string(url) for url in urls]
        return {(each.name, str(each.version)) for each in found if each.type == kind}


@pytest.fixture(scope="module", params=["image", "slim_image"])
def pieces(request: pytest.FixtureRequest, docker_client: Any) -> Iterator[Pieces]:
    """Each of the images."""
    image = request.getfixturevalue(request.param)
    container = docker_client.containers.run(image.id, ["sleep", "infinity"], detach=True)
    try:
        yield Pieces(image, container)
    finally:
        container.remove(force=True)


def test_the_inventory_is_what_cyclonedx_asks_for(pieces: Pieces) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(pieces.text) is None


def test_every_debian_package_is_in_it(pieces: Pieces) -> None:
    listed = pieces.run("dpkg-query", "--show", "--showformat", "${Package} ${Version}\n")

    there = {tuple(line.split()) for line in listed.splitlines()}
    assert pieces.named("deb") == there
    assert ("python3", "3.13") in {(name, version[:4]) for name, version in there}


def test_every_python_distribution_is_in_it(pieces: Pieces) -> None:
    listed = json.loads(pieces.run("/opt/venv/bin/python", "-c", PYTHON))

    there = {(PackageURL("pypi", name=name).name, version) for name, version in listed}
    assert pieces.named("pypi") == there
    assert "gunicorn" in {name for name, _ in there}


def test_it_names_the_image_its_version_and_its_base(pieces: Pieces) -> None:
    version = pieces.run("python", "-c", "import plumbline; print(plumbline.__version__)").strip()
    base = pieces.image.labels["org.opencontainers.image.base.name"]

    metadata = pieces.document["metadata"]

    assert metadata["component"]["version"] == version
    assert {"name": "plumbline:base-image", "value": base} in metadata["properties"]
    assert base.startswith("debian:trixie-slim")


def test_what_depends_on_what_is_in_it(pieces: Pieces) -> None:
    needed = {each["ref"]: each["dependsOn"] for each in pieces.document["dependencies"]}
    (flask,) = (ref for ref in needed if ref.startswith("pkg:pypi/flask@"))

    assert {ref.split("@")[0] for ref in needed[flask]} >= {"pkg:pypi/werkzeug", "pkg:pypi/jinja2"}
    known = {each["bom-ref"] for each in pieces.document["components"]}
    assert {ref for refs in needed.values() for ref in refs} <= known


def test_the_licence_of_everything_is_listed_with_the_place_of_its_text(pieces: Pieces) -> None:
    lines = pieces.run("cat", f"{FOLDER}/licences.txt").splitlines()[2:]

    components = pieces.document["components"]
    assert len(lines) == len(components)
    assert all("licenses" in each for each in components)
    places = sorted({line.rsplit("; ", 1)[1] for line in lines})
    missing = pieces.run(
        "sh", "-c", 'for f in "$@"; do [ -e "$f" ] || echo "$f"; done', "-", *places
    )
    assert missing == ""
