"""The emulator of training jobs: what a program finds there, and what is made of its end."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from plumbline.emulator.training_channels import pieces, record
from training_emulator import Job, Outcome, run_command

MAGIC = bytes.fromhex("0a23d7ce")


def channel(name: str, place: Path, **more: Any) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"file://{place}", **more.pop("source", {})}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **more}


def ran(folder: Path, script: str, stop_after: float | None = None, **request: Any) -> Outcome:
    """A job whose program is this script; `root` is where its files are."""
    code = f"import os, sys\nroot = os.environ['SAGEMAKER_BASE_DIR']\n{textwrap.dedent(script)}"
    return run_command(Job(request, folder), [sys.executable, "-c", code], stop_after)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "a").mkdir(parents=True)
    for name in ("a/1.txt", "a/2.txt", "3.txt", "4.txt"):
        (folder / name).write_text(name)
    return folder


def test_a_program_finds_the_files_of_its_job(tmp_path: Path, data: Path) -> None:
    checks = """
    import json, stat
    config = root + "/input/config"
    assert stat.S_IMODE(os.stat(config).st_mode) in (0o644, 0o755)
    document = lambda name: json.load(open(f"{config}/{name}.json"))
    assert document("hyperparameters") == {"epochs": "5"}
    assert document("inputdataconfig")["train"]["TrainingInputMode"] == "File"
    assert document("resourceconfig")["current_host"] == "algo-1"
    assert document("checkpointconfig") == {"LocalPath": "/opt/ml/checkpoints"}
    assert open(root + "/input/data/train/a/1.txt").read() == "a/1.txt"
    assert "train-manifest" in os.listdir(root + "/input/data")
    assert os.environ["TRAINING_JOB_NAME"] == "j" and os.environ["MINE"] == "1"
    open(root + "/model/weights", "w").write("w")
    """
    outcome = ran(
        tmp_path / "job",
        checks,
        TrainingJobName="j",
        HyperParameters={"epochs": "5"},
        InputDataConfig=[channel("train", data)],
        CheckpointConfig={"S3Uri": "s3://b/c"},
        Environment={"MINE": "1"},
    )
    assert (outcome.status, outcome.failure_reason) == ("Completed", ""), outcome.log
    assert outcome.model is not None
    with tarfile.open(outcome.model) as tar:
        assert tar.getnames() == ["weights"]
    assert outcome.output is None


def test_a_reason_is_cut_and_the_model_of_a_failed_job_is_not_kept(tmp_path: Path) -> None:
    outcome = ran(
        tmp_path,
        """
    open(root + "/model/weights", "w").write("w")
    open(root + "/output/failure", "w").write("x" * 3000)
    sys.exit(3)
    """,
    )
    assert (outcome.status, outcome.exit_code, outcome.model) == ("Failed", 3, None)
    assert outcome.failure_reason == "AlgorithmError: " + "x" * 1024


def test_a_program_that_says_nothing_is_told_by_its_status(tmp_path: Path) -> None:
    assert (
        ran(tmp_path, "os.kill(os.getpid(), 9)").failure_reason == "AlgorithmError: exit code: 137"
    )


def test_a_job_is_stopped_by_sigterm(tmp_path: Path) -> None:
    script = "import signal, time\nsignal.signal(15, lambda *_: sys.exit(0))\ntime.sleep(60)"
    outcome = ran(tmp_path, script, stop_after=0.5)
    assert (outcome.status, outcome.exit_code) == ("Stopped", 0)


def test_each_epoch_comes_through_a_fifo_of_its_own(tmp_path: Path, data: Path) -> None:
    script = """
    import time
    for epoch in range(2):
        path = f"{root}/input/data/train_{epoch}"
        while not os.path.exists(path):
            time.sleep(0.02)
        open(f"{root}/model/{epoch}", "wb").write(open(path, "rb").read())
    """
    outcome = ran(
        tmp_path / "job", script, InputDataConfig=[channel("train", data, InputMode="Pipe")]
    )
    assert outcome.model is not None, outcome.log
    with tarfile.open(outcome.model) as tar:
        for epoch in ("0", "1"):
            member = tar.extractfile(epoch)
            assert member is not None
            assert member.read() == b"3.txt4.txta/1.txta/2.txt"


def sent(given: dict[str, Any], epoch: int = 0, hosts: Sequence[str] = ("algo-1",)) -> bytes:
    return b"".join(pieces(given, hosts[-1], hosts, epoch))


def test_a_host_of_several_gets_its_share(data: Path) -> None:
    given = channel("train", data, source={"S3DataDistributionType": "ShardedByS3Key"})
    assert sent(given, hosts=("algo-1", "algo-2")) == b"4.txta/2.txt"


def test_the_order_is_another_one_in_each_epoch_and_follows_from_the_seed(data: Path) -> None:
    given = channel("train", data, ShuffleConfig={"Seed": 3})
    orders = [sent(given, epoch) for epoch in range(4)]
    assert len(set(orders)) > 1
    assert orders == [sent(given, epoch) for epoch in range(4)]


def test_an_augmented_manifest_sends_a_record_for_each_attribute(data: Path) -> None:
    lines = [{"source-ref": f"file://{data / '3.txt'}", "class": 1, "other": 2}]
    manifest = data / "manifest"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    source = {
        "S3DataType": "AugmentedManifestFile",
        "AttributeNames": ["source-ref", "class"],
    }
    given = channel("train", manifest, RecordWrapperType="RecordIO", source=source)
    assert sent(given) == b"".join([*record(b"3.txt"), *record(b"1")])


def joined(stream: bytes) -> bytes:
    """The only record, by the rules of dmlc-core: the magic word is put back between parts."""
    found, file = b"", io.BytesIO(stream)
    while head := file.read(8):
        magic, word = head[:4], int.from_bytes(head[4:], "little")
        assert magic == MAGIC
        size = word & 0x1FFFFFFF
        found += (MAGIC if word >> 29 in (2, 3) else b"") + file.read(size)
        file.read(-size % 4)
    return found


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"abc", MAGIC, MAGIC + MAGIC),
        *(b"abcd" + MAGIC + b"efg", b"a" + MAGIC + b"b", bytes(range(99))),
    ],
)
def test_a_record_that_holds_the_magic_word_is_split_there(data: bytes) -> None:
    stream = b"".join(record(data))
    assert joined(stream) == data
    at_fours = [at for at in range(0, len(data) - 3, 4) if data[at : at + 4] == MAGIC]
    assert stream.count(MAGIC) == 1 + len(at_fours) + (data == b"a" + MAGIC + b"b")
