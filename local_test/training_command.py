"""`sagemaker_local.py training`: a job of options, or of a request in JSON, in an image."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Any

import training_emulator
from training_emulator import Job, Outcome

NAMES = frozenset(
    (
        *("training", "train", "validation", "test", "model", "label_map"),
        *("train_lst", "validation_lst", "train_annotation", "validation_annotation"),
        *("train_pictures", "validation_pictures"),
    )
)
"""What the channels of AWS's algorithms are called, and those of a manifest's pictures."""

EXAMPLE = """for example:
  sagemaker_local.py training --data photos/ --set epochs=5 --out results/
  sagemaker_local.py training --channel training=photos/ --code src/ --out results/
  sagemaker_local.py training --request job.json --image someone/elses --out results/
"""


def add_to(commands: Any) -> None:
    """The command's own options."""
    parser = commands.add_parser(
        "training",
        help="run a training job in any image",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(emulate=run)
    parser.add_argument("--out", type=Path, required=True, help="where the archives go")
    runner = parser.add_mutually_exclusive_group()
    runner.add_argument("--image", default="plumbline", help="default: plumbline")
    runner.add_argument("--command", help="a command of this machine, in the place of an image")
    parser.add_argument(
        "--request", type=Path, help="a file with what boto3's create_training_job takes, as JSON"
    )
    parser.add_argument(
        "--data",
        type=Path,
        help="a folder of pictures as the channel training, or of folders that are called as "
        "channels (train, validation, …)",
    )
    parser.add_argument(
        "--channel",
        type=pair,
        action="append",
        default=[],
        help="a channel, as NAME=PATH; NAME=pipe:PATH for Pipe mode; may be repeated",
    )
    parser.add_argument(
        "--set", type=pair, action="append", default=[], help="a hyperparameter, as NAME=VALUE"
    )
    parser.add_argument("--env", type=pair, action="append", default=[], help="a variable")
    parser.add_argument("--code", type=Path, help="a folder with the script, as the channel code")
    parser.add_argument("--program", help="the script, by its path in that folder")
    parser.add_argument("--checkpoints", type=Path, help="a folder to go on from, and to keep")
    parser.add_argument("--isolated", action="store_true", help="without a network")
    parser.add_argument("--memory", help="what the container may use, as docker writes it")
    parser.add_argument("--stop-after", type=float, help="seconds until the job is stopped")


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value


def request_of(chosen: argparse.Namespace) -> dict[str, Any]:
    """The request that the options make, over that of the file."""
    request: dict[str, Any] = {"TrainingJobName": "local"}
    if chosen.request:
        request |= json.loads(chosen.request.read_text("utf-8"))
    channels = list(request.get("InputDataConfig", []))
    if chosen.data:
        channels += [channel(name, str(path)) for name, path in channels_of(chosen.data)]
    channels += [channel(name, place) for name, place in chosen.channel]
    given = dict(chosen.set)
    if chosen.code:
        channels.append(channel("code", str(chosen.code)))
        given["sagemaker_submit_directory"] = "/opt/ml/input/data/code"
        given["sagemaker_program"] = chosen.program or "train.py"
    request["InputDataConfig"] = channels
    request["HyperParameters"] = {**request.get("HyperParameters", {}), **given}
    request["Environment"] = {**request.get("Environment", {}), **dict(chosen.env)}
    if chosen.isolated:
        request["EnableNetworkIsolation"] = True
    if chosen.checkpoints:
        request["CheckpointConfig"] = {"LocalPath": "/opt/ml/checkpoints"}
    return request


def channels_of(data: Path) -> list[tuple[str, Path]]:
    """The channels that a folder holds, or is."""
    if not data.is_dir():
        raise SystemExit(f"There is no folder {data}.")
    return [
        (path.name, path) for path in sorted(data.iterdir()) if path.is_dir() and path.name in NAMES
    ] or [("training", data)]


def channel(name: str, place: str) -> dict[str, Any]:
    """A channel of files on this machine."""
    mode, _, path = place.rpartition("pipe:")
    absolute = Path(path).resolve()
    if not absolute.exists():
        raise SystemExit(f"The channel {name}: {path} does not exist.")
    found = {
        "ChannelName": name,
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"file://{absolute}"}},
    }
    return {**found, "InputMode": "Pipe"} if mode or place.startswith("pipe:") else found


def run(chosen: argparse.Namespace) -> None:
    """Run the job, keep what it leaves, and end with its status."""
    if not (chosen.command or shutil.which("docker")):
        raise SystemExit("Docker is not installed; --command runs the job without.")
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="plumbline-training-") as name:
        # Resolved, because Docker on macOS can't mount what lies behind a symbolic link.
        job = Job(request_of(chosen), Path(name).resolve())
        if chosen.checkpoints and chosen.checkpoints.is_dir():
            shutil.copytree(chosen.checkpoints, job.root / "checkpoints")
        outcome = started(job, chosen)
        if chosen.checkpoints and (job.root / "checkpoints").is_dir():
            shutil.copytree(job.root / "checkpoints", chosen.checkpoints, dirs_exist_ok=True)
        for archive in filter(None, (outcome.model, outcome.output)):
            print(shutil.copy(archive, chosen.out))
    print(f"{outcome.status}. {outcome.failure_reason}".strip())
    if outcome.status == "Failed":
        raise SystemExit(outcome.exit_code)


def started(job: Job, chosen: argparse.Namespace) -> Outcome:
    """The job, where it was asked for."""
    if chosen.command:
        command = shlex.split(chosen.command)
        return training_emulator.run_command(job, command, chosen.stop_after)
    options = ["--memory", chosen.memory] if chosen.memory else []
    return training_emulator.run_image(job, chosen.image, options, chosen.stop_after)
