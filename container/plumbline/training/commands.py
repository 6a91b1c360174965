"""`plumbline train`: a training job on this machine, without Docker."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import click

from plumbline.archive import tarball
from plumbline.packing.pack import check_target
from plumbline.settings import environment
from plumbline.training import job_process
from plumbline.training.errors import TrainingError
from plumbline.training.job import ROOT_VARIABLE

PATH = click.Path(exists=True, path_type=Path)

CHANNELS = {
    *("training", "train", "validation", "test", "model", "label_map"),
    *("train_lst", "validation_lst", "train_annotation", "validation_annotation"),
    *("train_pictures", "validation_pictures"),
}
"""What channels are called; folders of other names are classes."""


@click.command()
@click.argument("data", metavar="DIR", type=PATH)
@click.option("--script", type=PATH, help="A training script; without it, a recipe trains.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A hyperparameter.")
@click.option("--out", type=click.Path(path_type=Path), default="model.tar.gz", show_default=True)
@click.option(
    "--report", type=click.Path(path_type=Path), help="Where /opt/ml/output/data is copied to."
)
def train(
    data: Path, script: Path | None, given: tuple[str, ...], out: Path, report: Path | None
) -> None:
    """Train on DIR as `docker run IMAGE train` does, and write model.tar.gz.

    DIR holds a folder of pictures for each class, and a classifier is trained; or images/ and
    annotations.json, and a detector is trained; or a folder for each channel of a job (train,
    validation, …), with pictures, .rec or .lst files, or augmented manifests in them. With
    --script, the script trains on whatever DIR holds.

    \b
    plumbline train photos/ --set size=96 --set epochs=20 --report report/
    plumbline train photos/ --script train.py --set epochs=5 --out model.tar.gz
    """  # noqa: D301 - \b keeps click from rewrapping
    check_target(out)
    hyperparameters = dict(map(pair, given))
    with tempfile.TemporaryDirectory(prefix="plumbline-train-") as name:
        root = Path(name)
        lay_out(root, data, script, hyperparameters)
        variables = {**environment.variables(), ROOT_VARIABLE: name}
        status = job_process.train(root, variables)
        if report is not None and (root / "output/data").is_dir():
            shutil.copytree(root / "output/data", report, dirs_exist_ok=True)
        if status:
            sys.exit(status)
        if not any((root / "model").iterdir()):
            raise TrainingError(f"{out} was not written: the training left no model.")
        tarball.pack(root / "model", out)
    click.echo(f"{out} is written: {out.stat().st_size:,} bytes.")


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise click.BadParameter(f"{text} is not NAME=VALUE", param_hint="--set")
    return name, value


def lay_out(root: Path, data: Path, script: Path | None, given: dict[str, str]) -> None:
    """What SageMaker would have below /opt/ml, by links to what is there."""
    for folder in ("input/config", "input/data", "model", "output/data"):
        (root / folder).mkdir(parents=True)
    for name, path in channels_of(data).items():
        (root / "input/data" / name).symlink_to(path.resolve())
    if script is not None:
        (root / "code").symlink_to(script.resolve().parent)
        given = {**given, "sagemaker_program": script.name}
    (root / "input/config/hyperparameters.json").write_text(json.dumps(given), "utf-8")


def channels_of(data: Path) -> dict[str, Path]:
    """The channels that a folder holds, or is."""
    folders = {path.name: path for path in sorted(data.iterdir()) if path.is_dir()}
    known = {name: path for name, path in folders.items() if name in CHANNELS}
    return known or {"training": data}
