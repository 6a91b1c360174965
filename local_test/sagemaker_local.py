"""SageMaker on this machine: an endpoint or a batch transform of an archive, or a training job.

    python local_test/sagemaker_local.py endpoint model.tar.gz cat.jpg dog.jpg
    python local_test/sagemaker_local.py transform model.tar.gz photos/ --out answers/
    python local_test/sagemaker_local.py training --channel training=photos/ --out results/

A training job is emulated (training_emulator.py). For the others the SageMaker Python SDK runs the
image as SageMaker does, and sends what SageMaker sends; they need Docker Compose, too. All need
Docker and the image (`make image`), but no AWS account. The answers, or the files that they are in,
go to standard output, the container's log to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import training_command
from plumbline.machine.program_name import VERSION

NAME = "plumbline"
"""Of the model, the endpoint and the job: local mode forgets them when this program ends."""

LABEL = "plumbline.local-mode"
"""What the containers are found by when they are to be removed."""

NO_TELEMETRY = {
    "SchemaVersion": "1.0",
    "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}},
}

RECORDS = {
    "None": {"content_type": "application/x-image", "strategy": "SingleRecord"},
    "Line": {"content_type": "application/jsonlines", "strategy": "MultiRecord"},
}
"""What goes with a SplitType: a picture a file, or many a file, a line each."""


def local_session(folder: Path, port: int) -> Any:
    """A session of the SDK's local mode that keeps its files in `folder`."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    os.environ.setdefault("SAGEMAKER_SUPPRESS_V2_WARNING", "1")
    from sagemaker.local.local_session import LocalSession

    for name in ("sagemaker", "sagemaker.config"):
        logging.getLogger(name).setLevel(logging.ERROR)
    session = LocalSession(sagemaker_config=NO_TELEMETRY)
    labels = {"labels": {LABEL: folder.name}}
    local = {"serving_port": port, "container_root": str(folder), "container_config": labels}
    session.config = {"local": local}
    return session


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A folder for local mode; it and the containers started from it are removed at the end."""
    # Resolved, because Docker on macOS can't mount what lies behind a symbolic link.
    folder = Path(tempfile.mkdtemp(prefix="plumbline-")).resolve()
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        remove_containers(folder.name)
        shutil.rmtree(folder, ignore_errors=True)


def remove_containers(label: str) -> None:
    """Remove what the SDK leaves behind: it stops its containers, or not even that."""
    listed = ["docker", "ps", "--all", "--quiet", "--filter", f"label={LABEL}={label}"]
    found = subprocess.run(listed, check=False, capture_output=True, text=True).stdout.split()
    if found:
        subprocess.run(["docker", "rm", "--force", *found], check=False, capture_output=True)


def create_model(client: Any, chosen: argparse.Namespace, folder: Path) -> None:
    """Tell local mode of the archive; of a copy, because it is unpacked where it lies."""
    copy = folder / "model" / "model.tar.gz"
    copy.parent.mkdir(mode=0o755)
    shutil.copyfile(chosen.model, copy)
    container = {
        "Image": chosen.image,
        "ModelDataUrl": f"file://{copy}",
        "Environment": dict(chosen.env),
    }
    client.create_model(ModelName=NAME, PrimaryContainer=container)


class Outcome(NamedTuple):
    """What is told at the end."""

    answered: list[str]
    refused: list[str]


def run_endpoint(session: Any, chosen: argparse.Namespace) -> Outcome:
    """Create an endpoint, ask it for every picture, delete it."""
    client, runtime = session.sagemaker_client, session.sagemaker_runtime_client
    variant = {
        "VariantName": "all",
        "ModelName": NAME,
        "InstanceType": "local",
        "InitialInstanceCount": 1,
    }
    outcome = Outcome([], [])
    client.create_endpoint_config(EndpointConfigName=NAME, ProductionVariants=[variant])
    client.create_endpoint(EndpointName=NAME, EndpointConfigName=NAME)
    for picture in chosen.pictures:
        answer = runtime.invoke_endpoint(
            picture.read_bytes(), NAME, chosen.content_type, chosen.accept
        )
        said = answer["Body"].read().decode(errors="replace")
        if answer["Body"].status >= 400:
            outcome.refused.append(f"{picture}: {said}")
        else:
            outcome.answered.append(said)
    client.delete_endpoint(EndpointName=NAME)
    return outcome


def transform_request(chosen: argparse.Namespace) -> dict[str, Any]:
    """What `create_transform_job` is asked for, here as of SageMaker; what is None is left out."""
    usual = RECORDS[chosen.split_type]
    source = {"S3DataType": "S3Prefix", "S3Uri": f"file://{chosen.folder.resolve()}"}
    given = {
        "MaxConcurrentTransforms": chosen.max_concurrent,
        "MaxPayloadInMB": chosen.max_payload,
    }
    return {
        "TransformJobName": NAME,
        "ModelName": NAME,
        # Never left to the server: local mode doesn't know its MULTI_RECORD for MultiRecord.
        "BatchStrategy": chosen.strategy or usual["strategy"],
        "TransformInput": {
            "DataSource": {"S3DataSource": source},
            "ContentType": chosen.content_type or usual["content_type"],
            "SplitType": chosen.split_type,
        },
        "TransformOutput": {
            "S3OutputPath": f"file://{chosen.out.resolve()}",
            "AssembleWith": chosen.assemble_with,
            **({"Accept": chosen.accept} if chosen.accept else {}),
        },
        "TransformResources": {"InstanceType": "local", "InstanceCount": 1},
        **{name: value for name, value in given.items() if value is not None},
    }


def run_transform(session: Any, chosen: argparse.Namespace) -> Outcome:
    """Run the job."""
    session.sagemaker_client.create_transform_job(**transform_request(chosen))
    files = sorted(file for file in chosen.folder.iterdir() if file.is_file())
    written = [chosen.out / f"{file.name}.out" for file in files]
    refused = list(dropped(written))
    return Outcome([str(file) for file in written if file.exists()], refused)


def dropped(written: list[Path]) -> Iterator[str]:
    """Remove what holds an error and no answer, and say which: SageMaker writes no such files."""
    for file in written:
        with contextlib.suppress(ValueError):
            document = json.loads(file.read_bytes())
            if isinstance(document, dict) and list(document) == ["error"]:
                file.unlink()
                yield f"{file.stem}: {json.dumps(document, ensure_ascii=False)}"


def refuse_what_can_not_work(chosen: argparse.Namespace) -> None:
    """End with a sentence if there is no image, or if something listens at the port."""
    inspected = ["docker", "image", "inspect", chosen.image]
    if not shutil.which("docker"):
        raise SystemExit("Docker is not installed.")
    if subprocess.run(inspected, check=False, capture_output=True).returncode != 0:
        raise SystemExit(f"There is no image {chosen.image}: run `make image`.")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", chosen.port)) == 0:
            raise SystemExit(f"Port {chosen.port} is taken; choose another with --port.")


def existing(text: str) -> Path:
    """A path to something that is there."""
    if not Path(text).exists():
        raise argparse.ArgumentTypeError(f"{text} does not exist")
    return Path(text)


def variable(text: str) -> tuple[str, str]:
    """NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(required=True, metavar="endpoint | transform | training")
    training_command.add_to(commands)

    endpoint = commands.add_parser("endpoint", help="ask an endpoint for some pictures")
    endpoint.set_defaults(run=run_endpoint)
    transform = commands.add_parser("transform", help="answer for a folder of files")
    transform.set_defaults(run=run_transform)
    for command in commands.choices.values():
        command.add_argument("--version", action="version", version=VERSION)
    for command in (endpoint, transform):
        command.add_argument("model", type=existing, help="a model.tar.gz")
        command.add_argument("--image", default="plumbline", help="default: plumbline")
        command.add_argument("--port", type=int, default=8080, help="default: 8080")
        command.add_argument("--accept", help="the type of the answers")
        command.add_argument(
            "--env", type=variable, action="append", default=[], help="a setting, as NAME=VALUE"
        )

    endpoint.add_argument("pictures", type=existing, nargs="+")
    endpoint.add_argument("--content-type", default="application/x-image")

    transform.add_argument("folder", type=existing, help="the files to answer for")
    transform.add_argument("--out", type=Path, required=True, help="where the .out files go")
    transform.add_argument("--split-type", choices=RECORDS, default="None")
    transform.add_argument("--assemble-with", choices=("None", "Line"), default="None")
    transform.add_argument("--content-type", help="default: what goes with the split type")
    transform.add_argument("--strategy", choices=("SingleRecord", "MultiRecord"), help="likewise")
    transform.add_argument("--max-payload", type=int, help="in MB; default: the server's own")
    transform.add_argument("--max-concurrent", type=int, help="local mode always sends one")
    return parser.parse_args()


def main() -> None:
    """Start, ask, and leave nothing behind."""
    chosen = arguments()
    if "emulate" in chosen:
        chosen.emulate(chosen)
        return
    refuse_what_can_not_work(chosen)
    # The SDK's thread ends in an error when it has stopped Docker Compose itself.
    threading.excepthook = lambda failure: print(failure.exc_value, file=sys.stderr)
    # What the SDK prints is the server's log.
    with contextlib.redirect_stdout(sys.stderr), workspace() as folder:
        try:
            session = local_session(folder, chosen.port)
            create_model(session.sagemaker_client, chosen, folder)
            outcome = chosen.run(session, chosen)
        except (ImportError, RuntimeError, ValueError) as exc:
            raise SystemExit(f"{exc} (the server's log is above)") from exc
    print(*outcome.answered, sep="\n")
    if outcome.refused:
        raise SystemExit("\n".join(["Refused:", *outcome.refused]))


if __name__ == "__main__":
    main()
