"""build_and_push.sh: what it asks of AWS and of Docker, and what it says where that fails.

AWS is moto's server, Docker a script that keeps what it was asked (docker_script.py).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import docker_script
import pytest
from werkzeug import Request, Response
from werkzeug.serving import make_server

import moto_server
from forking import forking
from warm_processes import WarmProcesses

ROOT = Path(__file__).parents[3]

SCRIPT = ROOT / "build_and_push.sh"

TOOLS = ("bash", "cat", "dirname", "find", "grep", "head", "id", "make", "mkdir", "mktemp", "rm")
TOOLS += ("sed", "sh", "tail", "tee")

HOST = f"{moto_server.ACCOUNT}.dkr.ecr.{moto_server.REGION}.amazonaws.com"

URI = f"{HOST}/plumbline@{docker_script.MANIFEST}\n"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Where moto's AWS listens."""
    with moto_server.serving() as url:
        yield url


@dataclass
class Machine:
    """A user's machine: commands on PATH, and variables."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *options: str, script: Path = SCRIPT) -> subprocess.CompletedProcess[str]:
        """The script, from another folder than its own."""
        return subprocess.run(
            ["bash", script, *options],
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": str(self.home / "bin"), **self.variables},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def fails(self, *options: str) -> str:
        """What it says when it fails, the lines of others before it left out."""
        done = self.run(*options)
        assert done.returncode != 0, done.stderr
        assert done.stdout == ""
        last = done.stderr.rindex("build_and_push.sh: ")
        return done.stderr[last:].removeprefix("build_and_push.sh: ")

    def asked(self, command: str) -> list[str]:
        """What docker was asked to do, of one command."""
        file = self.home / "asked"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if line.startswith(f"{command} ")]

    def docker_fails(self, command: str, words: str) -> None:
        """Have docker fail from now on."""
        (self.home / f"fail-{command}").write_text(words)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmProcesses]:
    """Processes that have imported boto3."""
    with forking(tmp_path_factory, "registry") as found:
        yield found


def executable(file: Path, *command: object) -> Path:
    """A program that is a command with more arguments."""
    words = " ".join(f'"{word}"' for word in command)
    file.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    file.chmod(0o755)
    return file


@pytest.fixture
def machine(moto: str, tmp_path: Path, warm: WarmProcesses) -> Machine:
    """Someone with Docker, and credentials for an account with nothing in it."""
    moto_server.ask(f"{moto}/moto-api/reset")
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool) or pytest.fail(f"there is no {tool}"))
    executable(folder / "docker", sys.executable, "-I", "-S", docker_script.__file__)
    client = (sys.executable, "-I", "-S", ROOT / "tests/warm_client.py", warm.path)
    python = executable(tmp_path / "python", *client)
    (tmp_path / "built").write_text("a")
    (tmp_path / "platform").write_text("linux/amd64")
    variables = {"PYTHON": str(python), "DOCKER_SCRIPT": str(tmp_path)}
    return Machine(tmp_path, {**variables, **moto_server.environment(moto)})


@pytest.fixture
def ecr(moto: str) -> Any:
    """The registry of the account."""
    return boto3.client(
        "ecr",
        endpoint_url=moto,
        region_name=moto_server.REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


# -- what it does -------------------------------------------------------------------------------


def test_it_lets_the_repository_keep_the_newest_images_alone(machine: Machine, ecr: Any) -> None:
    first, kept = machine.run(), machine.run("--keep", "5")
    wrong = machine.run("--keep", "none")

    rules = json.loads(ecr.get_lifecycle_policy(repositoryName="plumbline")["lifecyclePolicyText"])
    assert (first.returncode, kept.returncode) == (0, 0), kept.stderr
    assert [rule["selection"]["countNumber"] for rule in rules["rules"]] == [14, 5]
    assert wrong.returncode == 1
    assert "it must be a number such as 10" in wrong.stderr


def test_it_makes_the_repository_pushes_and_prints_the_digest(machine: Machine, ecr: Any) -> None:
    done = machine.run("--account", moto_server.ACCOUNT)

    assert (done.returncode, done.stdout) == (0, URI), done.stderr
    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["repositoryName"] == "plumbline"
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    rules = json.loads(ecr.get_lifecycle_policy(repositoryName="plumbline")["lifecyclePolicyText"])
    assert [rule["selection"]["tagStatus"] for rule in rules["rules"]] == ["untagged"]
    assert machine.asked("login") == [f"login --username AWS --password-stdin {HOST}"]
    assert (machine.home / "password").read_text().strip() == f"{moto_server.ACCOUNT}-auth-token"
    assert machine.asked("push") == [f"push {HOST}/plumbline:0.1.0-default-amd64-{'a' * 12}"]
    account = f"AWS account {moto_server.ACCOUNT}, region {moto_server.REGION}, as arn:aws:"
    assert done.stderr.startswith(account)


def test_twice_changes_nothing_and_prints_the_same(machine: Machine, ecr: Any) -> None:
    first = machine.run()
    before = ecr.describe_repositories()["repositories"]

    second = machine.run()

    assert (second.returncode, second.stdout) == (0, first.stdout)
    assert len(machine.asked("push")) == 1
    assert "is there already; nothing to push" in second.stderr
    assert ecr.describe_repositories()["repositories"] == before


def test_another_image_has_another_tag_unless_one_is_given(machine: Machine) -> None:
    assert machine.run().returncode == machine.run("--tag", "1").returncode == 0
    (machine.home / "built").write_text("b")

    again, given = machine.run(), machine.fails("--tag", "1")

    assert again.returncode == 0
    tags = [line.rpartition(":")[2] for line in machine.asked("push")]
    assert tags == [f"0.1.0-default-amd64-{'a' * 12}", "1", f"0.1.0-default-amd64-{'b' * 12}"]
    assert "has the tag 1 already, for another image" in given


def test_the_options_reach_the_build(machine: Machine) -> None:
    (machine.home / "platform").write_text("linux/arm64")
    machine.variables["DOCKER_BUILD_FLAGS"] = "--network host"
    options = ("--target", "slim", "--platform", "linux/arm64", "--repository", "team/cats")

    done = machine.run(*options)

    assert done.stdout == URI.replace("plumbline", "team/cats"), done.stderr
    (build,) = machine.asked("build")
    assert "--platform linux/arm64 --network host " in build
    assert "--target slim" in build
    assert f"team/cats:0.1.0-slim-arm64-{'a' * 12}" in machine.asked("push")[0]


def test_the_image_is_built_on_the_digest_that_its_base_has_now(machine: Machine) -> None:
    done = machine.run()

    assert done.returncode == 0, done.stderr
    assert machine.asked("pull") == ["pull --quiet --platform linux/amd64 debian:trixie-slim"]
    (build,) = machine.asked("build")
    assert f"--build-arg BASE_IMAGE=debian@{docker_script.BASE} " in build


def test_a_base_that_is_named_by_its_digest_stays_as_it_is(machine: Machine) -> None:
    machine.variables["BASE_IMAGE"] = f"mirror.example.com/debian@{docker_script.BASE}"

    assert machine.run().returncode == 0

    assert machine.asked("pull") == []
    assert machine.variables["BASE_IMAGE"] in machine.asked("build")[0]


def test_a_base_that_was_made_here_is_taken_by_its_name(machine: Machine) -> None:
    machine.docker_fails("pull", "no such host")

    assert machine.run().returncode == 0

    assert "--build-arg BASE_IMAGE=debian:trixie-slim " in machine.asked("build")[0]


def test_a_base_that_is_here_for_another_processor_is_not_taken(machine: Machine) -> None:
    machine.docker_fails("pull", "pull access denied for debian")

    said = machine.fails("--platform", "linux/arm64")

    assert "the base image can't be had; BASE_IMAGE names another" in said
    assert machine.asked("build") == []


def test_what_the_image_is_made_of_is_kept_beside_its_uri(machine: Machine) -> None:
    done = machine.run()

    (file,) = re.findall(r"What it is made of: (.*)", done.stderr)
    assert (ROOT / file).read_text() == "made:/usr/share/doc/plumbline/sbom.cdx.json"
    assert file == f"build/sbom/0.1.0-default-amd64-{'a' * 12}.cdx.json"
    assert machine.asked("rm") == ["rm made"]


def test_a_registry_of_ones_own_is_used_without_a_word_to_aws(machine: Machine) -> None:
    machine.variables.update(
        PLUMBLINE_REGISTRY="localhost:5000/team", AWS_ENDPOINT_URL="http://127.0.0.1:9"
    )
    del machine.variables["PYTHON"]

    done = machine.run()

    assert done.stdout == f"localhost:5000/team/plumbline@{docker_script.MANIFEST}\n", done.stderr
    assert machine.asked("login") == []


def test_a_repository_of_somebody_else_keeps_its_own_rules(machine: Machine, ecr: Any) -> None:
    ecr.create_repository(repositoryName="plumbline")

    assert machine.run().returncode == 0

    (repository,) = ecr.describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "MUTABLE"
    with pytest.raises(ecr.exceptions.LifecyclePolicyNotFoundException):
        ecr.get_lifecycle_policy(repositoryName="plumbline")


def test_nothing_is_done_in_another_account(machine: Machine, ecr: Any) -> None:
    said = machine.fails("--account", "210987654321")

    assert f"are of the account {moto_server.ACCOUNT}, not of 210987654321" in said
    assert ecr.describe_repositories()["repositories"] == []
    assert machine.asked("build") == []


def test_help_goes_to_standard_output(machine: Machine) -> None:
    done = machine.run("--help")

    assert done.returncode == 0
    assert "PLUMBLINE_REGISTRY" in done.stdout


# -- what AWS refuses ---------------------------------------------------------------------------


@contextmanager
def refusing(moto: str, operation: str, code: str, words: str) -> Iterator[str]:
    """The URL of an AWS that refuses one operation and hands all others on to moto."""

    @Request.application
    def answer(request: Request) -> Response:
        body = request.get_data()
        asked = request.headers.get("X-Amz-Target", "") or body.decode()
        if not re.search(rf"{operation}\b", asked):
            return handed_on(moto, request, body)
        if "Action=" in asked:
            error = f"<Error><Code>{code}</Code><Message>{words}</Message></Error>"
            return Response(f"<ErrorResponse>{error}</ErrorResponse>", 403, mimetype="text/xml")
        document = json.dumps({"__type": code, "message": words})
        return Response(document, 400, content_type="application/x-amz-json-1.1")

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def handed_on(moto: str, request: Request, body: bytes) -> Response:
    """What moto answers."""
    headers = {name: value for name, value in request.headers if name != "Host"}
    try:
        with urllib.request.urlopen(urllib.request.Request(moto, body, headers)) as found:
            return Response(found.read(), found.status, dict(found.headers))
    except urllib.error.HTTPError as refused:
        with refused:
            return Response(refused.read(), refused.code, dict(refused.headers))


OPERATIONS = (
    *("DescribeRepositories", "CreateRepository", "ListTagsForResource", "GetLifecyclePolicy"),
    *("PutLifecyclePolicy", "GetAuthorizationToken"),
)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_missing_permission_is_named_and_the_next_run_goes_on(
    operation: str, machine: Machine, moto: str, ecr: Any
) -> None:
    arn = f"arn:aws:ecr:{moto_server.REGION}:{moto_server.ACCOUNT}:repository/plumbline"
    words = f"User: me is not authorized to perform: ecr:{operation} on resource: {arn}"
    with refusing(moto, operation, "AccessDeniedException", words) as url:
        machine.variables["AWS_ENDPOINT_URL"] = url
        said = machine.fails()

    statement = json.loads(said[said.index("{") :])
    assert statement == {"Effect": "Allow", "Action": f"ecr:{operation}", "Resource": arn}
    assert machine.asked("push") == []
    machine.variables["AWS_ENDPOINT_URL"] = moto
    assert machine.run().stdout == URI
    assert ecr.get_lifecycle_policy(repositoryName="plumbline")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ExpiredToken", "credentials have expired"),
        ("InvalidClientTokenId", "does not accept your credentials"),
        ("SignatureDoesNotMatch", "does not accept your credentials"),
    ],
)
def test_credentials_that_are_no_good(
    code: str, expected: str, machine: Machine, moto: str
) -> None:
    with refusing(moto, "GetCallerIdentity", code, "No.") as url:
        machine.variables["AWS_ENDPOINT_URL"] = url
        assert expected in machine.fails()
    assert machine.asked("build") == []


def without_credentials(machine: Machine) -> None:
    del machine.variables["AWS_ACCESS_KEY_ID"]


def without_region(machine: Machine) -> None:
    del machine.variables["AWS_DEFAULT_REGION"]


def without_network(machine: Machine) -> None:
    machine.variables["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"


def without_docker(machine: Machine) -> None:
    (machine.home / "bin/docker").unlink()


def without_make(machine: Machine) -> None:
    (machine.home / "bin/make").unlink()


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        (without_credentials, "no AWS credentials"),
        (without_region, "in which AWS region"),
        (without_network, "There is no response from AWS"),
        (without_docker, "docker is not installed; https://docs.docker.com"),
        (without_make, "make is not installed"),
    ],
)
def test_what_is_not_there_is_named_before_anything_is_built(
    lacking: Callable[[Machine], None], expected: str, machine: Machine
) -> None:
    lacking(machine)

    assert expected in machine.fails()
    assert machine.asked("build") == []


def test_python_without_boto3_is_told_what_to_install(machine: Machine, tmp_path: Path) -> None:
    machine.variables["PYTHON"] = "false"
    alone = tmp_path / "build_and_push.sh"  # beside which there is no .venv
    shutil.copy(SCRIPT, alone)

    done = machine.run(script=alone)

    assert done.returncode == 1
    assert "python3 -m pip install boto3 rich" in done.stderr


# -- what Docker refuses ------------------------------------------------------------------------

NO_ENGINE = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
NO_GROUP = "Got permission denied while trying to connect to the Docker daemon socket"
FULL = "failed to register layer: write /usr/lib/x.so: no space left on device"
FOREIGN = "exec /bin/sh: exec format error"
NO_BUILDX = "ERROR: BuildKit is enabled but the buildx component is missing or broken."
OFFLINE = 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1: no such host'
NO_LOGIN = "no basic auth credentials"
OLD_LOGIN = "denied: Your authorization token has expired. Reauthenticate and try again."
TAKEN = "tag invalid: The image tag 'x' already exists and cannot be overwritten"
MISSING = (
    "denied: User: arn:aws:iam::1:user/me is not authorized to perform: ecr:InitiateLayerUpload on "
    "resource: arn:aws:ecr:eu-central-1:1:repository/plumbline because no policy allows it"
)
KEYCHAIN = "Error saving credentials: the specified item already exists in the keychain."


@pytest.mark.parametrize(
    ("command", "words", "expected"),
    [
        ("version", NO_ENGINE, "its engine does not answer"),
        ("version", NO_GROUP, "usermod -aG docker"),
        ("build", FULL, "docker system prune"),
        ("build", FOREIGN, "this Docker engine can't build for linux/amd64"),
        ("build", NO_BUILDX, "DOCKER_BUILDKIT=0"),
        ("build", OFFLINE, "the network failed"),
        ("build", "something else", "could not be built; the lines above say why"),
        ("image", "Error: No such image: plumbline:default-amd64", "DOCKER_BUILD_FLAGS=--load"),
        ("manifest", "unauthorized: authentication required", "does not know you"),
        ("push", NO_LOGIN, "does not know you"),
        ("push", TAKEN, "for another image"),
        ("push", MISSING, '"Action": "ecr:InitiateLayerUpload", "Resource": "arn:aws:ecr:eu-'),
        ("push", FULL, "the disk is full"),
        ("push", OFFLINE, "can't be reached"),
        ("push", "something else", "could not be pushed; the lines above say why"),
    ],
)
def test_what_docker_says_is_explained(
    command: str, words: str, expected: str, machine: Machine
) -> None:
    machine.variables["PLUMBLINE_REGISTRY"] = "localhost:5000"
    machine.docker_fails(command, words)

    assert expected in machine.fails()


@pytest.mark.parametrize(
    ("command", "words", "expected"),
    [
        ("login", KEYCHAIN, f"docker logout {HOST}"),
        ("push", OLD_LOGIN, "a login lasts 12 hours"),
    ],
)
def test_what_docker_says_of_amazon_s_registry_is_explained(
    command: str, words: str, expected: str, machine: Machine
) -> None:
    machine.docker_fails(command, words)

    assert expected in machine.fails()


def test_an_image_for_another_processor_is_not_pushed(machine: Machine) -> None:
    """The classic builder takes a base image of the wrong one without a word."""
    said = machine.fails("--platform", "linux/arm64")

    assert "can't build for linux/arm64" in said
    assert machine.asked("push") == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--target", "cuda"), "it must be default, slim or gpu"),
        (("--target", "gpu", "--platform", "linux/arm64"), "is for linux/amd64 alone"),
        (("--platform", "linux/riscv64"), "it must be linux/amd64 or linux/arm64"),
        (("--account", "123"), "12 digits"),
        (("--account", "my-account"), "12 digits"),
        (("--tag", "-x"), "no dot or dash first"),
        (("--tag", "a b"), "no dot or dash first"),
        (("--repository", "Plumbline"), "of small letters"),
        (("--repository", "a:b"), "of small letters"),
        (("--tag",), "--tag needs a value"),
        (("--region", ""), "--region needs a value"),
        (("image",), "there is no option image"),
    ],
)
def test_options_that_make_no_sense_are_refused_at_once(
    options: tuple[str, ...], expected: str, machine: Machine
) -> None:
    assert expected in machine.fails(*options)
    assert not (machine.home / "asked").exists()


@pytest.mark.parametrize("registry", ["https://registry.example.com", "localhost:5000/", "a b"])
def test_a_registry_must_be_a_host(registry: str, machine: Machine) -> None:
    machine.variables["PLUMBLINE_REGISTRY"] = registry

    assert "without https://" in machine.fails()


def test_an_account_can_not_be_promised_of_another_registry(machine: Machine) -> None:
    machine.variables["PLUMBLINE_REGISTRY"] = "localhost:5000"

    assert "nobody asks" in machine.fails("--account", moto_server.ACCOUNT)
