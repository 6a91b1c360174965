"""A script of the user's own, from the files of its job to what SageMaker makes of its end."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from plumbline.training import job_process

CONTAINER = Path(__file__).parents[3] / "container"


@dataclass(frozen=True)
class Ended:
    """How the job ended."""

    status: int
    root: Path
    log: str

    @property
    def reason(self) -> str:
        """What DescribeTrainingJob would show."""
        file = self.root / "output/failure"
        return file.read_text("utf-8") if file.is_file() else ""


Train = Callable[..., Ended]


@pytest.fixture
def train(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Train:
    """Run a job: `train("print(1)", epochs="5")`, the hyperparameters being those of SDK v2."""

    def run(script: str | None = None, program: str = "train.py", **given: Any) -> Ended:
        environment = {**os.environ, **given.pop("environment", {})}
        documents = given.pop("documents", {})
        if script is not None:
            write_code(tmp_path / "source", program, script)
            given.setdefault("sagemaker_submit_directory", str(tmp_path / "source"))
        named = {"sagemaker_program": program, **given}
        write_config(tmp_path / "ml", hyperparameters=encoded(named), **documents)
        status = job_process.train(tmp_path / "ml", environment)
        said = capfd.readouterr()
        return Ended(status, tmp_path / "ml", said.out + said.err)

    return run


def encoded(given: dict[str, Any]) -> dict[str, str]:
    """As SDK v2 does it."""
    return {name: json.dumps(value) for name, value in given.items()}


def write_code(folder: Path, program: str, script: str) -> None:
    (folder / program).parent.mkdir(parents=True, exist_ok=True)
    (folder / program).write_text(textwrap.dedent(script), "utf-8")


def write_config(root: Path, **documents: Any) -> None:
    config = root / "input/config"
    config.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (config / f"{name}.json").write_text(json.dumps(document), "utf-8")


def tarred(file: Path, *members: tuple[str, bytes | str]) -> Path:
    """An archive of files, and of links where a member's content is a text: where it leads."""
    with tarfile.open(file, "w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return file


TELLS = b"""
import os, sys
open(os.environ["SM_MODEL_DIR"] + "/told", "w").write(" ".join(sys.argv[1:]))
"""


def test_a_script_gets_its_arguments_and_its_folder(train: Train) -> None:
    ended = train(TELLS.decode(), epochs=5, name="a b")
    assert ended.status == 0, ended.log
    assert (ended.root / "model/told").read_text() == "--epochs 5 --name a b"
    assert ended.reason == ""


def test_its_code_is_imported_from_beside_it(train: Train, tmp_path: Path) -> None:
    write_code(tmp_path / "source", "helper.py", "value = 7")
    assert train("import helper; raise SystemExit(helper.value)").status == 7


def test_the_last_words_of_a_script_are_the_reason(train: Train) -> None:
    ended = train("""
        import sys
        print("begun", flush=True)
        print("a warning", file=sys.stderr)
        raise ValueError("no pictures\\nin /opt/ml/input/data/train")
        """)
    assert ended.status == 1
    assert ended.reason == (
        "train.py failed with exit status 1: ValueError: no pictures in /opt/ml/input/data/train"
    )
    assert "begun" in ended.log
    assert "a warning" in ended.log


def test_the_exit_status_is_the_scripts_own_and_the_last_line_its_reason(train: Train) -> None:
    ended = train("import sys; print('\\x1b[31mbad\\x1b[0m data', file=sys.stderr); sys.exit(42)")
    assert ended.status == 42
    assert ended.reason == "train.py failed with exit status 42: bad data"


def test_a_script_that_says_nothing_is_told_of(train: Train) -> None:
    assert train("raise SystemExit(3)").reason == (
        "train.py failed with exit status 3; its log says why."
    )


def test_what_the_script_wrote_itself_stays_the_reason(train: Train) -> None:
    ended = train("""
        import os
        open(os.environ["SM_OUTPUT_DIR"] + "/failure", "w").write("mine")
        raise ValueError("theirs")
        """)
    assert (ended.status, ended.reason) == (1, "mine")


def test_being_killed_is_told_as_want_of_memory(train: Train) -> None:
    ended = train("import os; os.kill(os.getpid(), 9)")
    assert ended.status == 137
    assert "most likely because memory ran out: the container has" in ended.reason


def test_other_signals_are_named(train: Train) -> None:
    ended = train("import os; os.kill(os.getpid(), 11)")
    assert ended.status == 139
    assert "was ended by SIGSEGV (exit status 139)" in ended.reason


def test_a_shell_script_gets_the_arguments(train: Train) -> None:
    ended = train('#!/bin/sh\nprintf "%s|" "$@" > "$SM_MODEL_DIR/told"', "run.sh", name="a b", x=1)
    assert ended.status == 0, ended.log
    assert (ended.root / "model/told").read_text() == "--name|a b|-x|1|"


def test_an_archive_of_code_is_unpacked(train: Train, tmp_path: Path) -> None:
    archive = tarred(tmp_path / "sourcedir.tar.gz", ("train.py", TELLS))
    ended = train(sagemaker_submit_directory=str(archive), epochs=1)
    assert (ended.status, (ended.root / "model/told").read_text()) == (0, "--epochs 1")


def test_the_code_may_be_a_channel(train: Train, tmp_path: Path) -> None:
    code = tmp_path / "ml/input/data/code"
    code.mkdir(parents=True)
    tarred(code / "sourcedir.tar.gz", ("train.py", TELLS))
    given = "/opt/ml/input/data/code/sourcedir.tar.gz"  # as SDK v2 has it under isolation
    assert train(sagemaker_submit_directory=given).status == 0


def test_what_is_in_the_folder_of_code_already_is_what_runs(train: Train, tmp_path: Path) -> None:
    write_code(tmp_path / "ml/code", "train.py", "raise SystemExit(5)")
    assert train("raise SystemExit(6)").status == 5


def test_the_program_may_be_named_by_the_environment(train: Train, tmp_path: Path) -> None:
    write_code(tmp_path / "source", "other.py", "raise SystemExit(4)")
    named = {
        "SAGEMAKER_PROGRAM": "other.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": str(tmp_path / "source"),
    }
    assert train(program="", environment=named).status == 4


def test_the_code_is_fetched_from_s3(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="code")
        client.upload_file(str(tarred(tmp_path / "t", ("train.py", TELLS))), "code", "j/s.tar.gz")
        region = {"AWS_REGION": "us-east-1"}

        missing = train(sagemaker_submit_directory="s3://code/j/other", environment=region)
        there = train(sagemaker_submit_directory="s3://code/j/s.tar.gz", environment=region)

    assert missing.status == 1
    assert "s3://code/j/other can't be read: there is no such object" in missing.reason
    assert there.status == 0, there.log


LINKS = [("train.py", TELLS), ("data", "/etc")]
ESCAPES = [("../evil.py", TELLS)]


@pytest.mark.parametrize(
    ("members", "said"), [(LINKS, "'data', which is a link"), (ESCAPES, "a path outside itself")]
)
def test_an_archive_that_leads_out_of_itself_is_refused(
    train: Train, tmp_path: Path, members: list[tuple[str, bytes | str]], said: str
) -> None:
    ended = train(sagemaker_submit_directory=str(tarred(tmp_path / "s.tar.gz", *members)))
    assert ended.status == 1
    assert said in ended.reason
    assert list((ended.root / "code").iterdir()) == []
    assert not (ended.root / "model").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"program": "trian.py"}, "sagemaker_program=trian.py: there is no such file in "),
        ({"program": "../train.py"}, "leads out of the folder of code"),
        ({"sagemaker_submit_directory": "/nowhere"}, "=/nowhere: there is no such file or folder"),
        ({"sagemaker_mpi_enabled": True}, "MPI (Horovod) is not in this image"),
    ],
)
def test_what_cant_be_run_is_refused_with_a_sentence(
    train: Train, tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    write_code(tmp_path / "source", "train.py", "raise SystemExit(9)")
    ended = train(**{"sagemaker_submit_directory": str(tmp_path / "source"), **given})
    assert ended.status == 1
    assert said in ended.reason
    assert f"Training failed: {ended.reason}" in ended.log
    assert not (ended.root / "model").exists()


def test_a_disk_that_is_full_is_told_as_one(train: Train, tmp_path: Path) -> None:
    ended = train("open('/dev/full', 'w').write('x' * 100000)")
    assert "No space left on device" in ended.reason


def test_without_a_network_what_lacks_is_named_before_anything_runs(
    train: Train, tmp_path: Path
) -> None:
    write_code(tmp_path / "source", "requirements.txt", "numpy\nno-such-package==1.0\n")
    isolated = {"trainingjobconfig": {"EnableNetworkIsolation": True}}
    ended = train("raise SystemExit(9)", documents=isolated)
    assert ended.status == 1
    assert "requirements.txt names no-such-package==1.0, which the image lacks" in ended.reason
    assert "put wheels of all" in ended.reason


def test_wheels_beside_the_script_are_installed_without_a_network(
    train: Train, tmp_path: Path
) -> None:
    write_code(tmp_path / "source", "requirements.txt", "told_by_wheel\n")
    wheel(tmp_path / "source/wheels", "told_by_wheel", "value = 8")
    isolated = {"trainingjobconfig": {"EnableNetworkIsolation": True}}
    ended = train("import told_by_wheel; raise SystemExit(told_by_wheel.value)", documents=isolated)
    assert ended.status == 8, ended.log


def wheel(folder: Path, name: str, code: str) -> None:
    """A wheel of one module."""
    import zipfile

    folder.mkdir(parents=True)
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", code)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


def test_a_script_that_leaves_nothing_is_warned_of(train: Train) -> None:
    ended = train("")
    assert ended.status == 0
    assert "Warning: the script left nothing in" in ended.log


def test_what_is_no_model_is_warned_of(train: Train) -> None:
    ended = train(TELLS.decode())
    assert "(told) is no model that the server reads" in ended.log


def test_a_model_that_cant_be_packed_is_left_as_it_is(train: Train) -> None:
    ended = train("""
        import os
        from pathlib import Path
        folder = Path(os.environ["SM_MODEL_DIR"])
        (folder / "model.keras").write_bytes(b"none")
        (folder / "plumbline.toml").write_text("task = 'no such task'")
        """)
    assert ended.status == 0
    assert "Warning: the model is left as the script wrote it" in ended.log
    left = sorted(path.name for path in (ended.root / "model").iterdir())
    assert left == ["model.keras", "plumbline.toml"]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a job in a process of its own, and wait until its script says that it runs."""
    running: list[subprocess.Popen[str]] = []

    def start(script: str, program: str = "train.py") -> subprocess.Popen[str]:
        write_code(tmp_path / "source", program, script)
        source = {"sagemaker_submit_directory": str(tmp_path / "source")}
        write_config(tmp_path / "ml", hyperparameters={"sagemaker_program": program, **source})
        process = subprocess.Popen(
            [sys.executable, "-m", "plumbline.training.job_process"],
            env={
                **os.environ,
                "PYTHONPATH": str(CONTAINER),
                "SAGEMAKER_BASE_DIR": str(tmp_path / "ml"),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        assert any("running" in line for line in process.stdout)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


SAVES = """
    import os, signal, sys, time
    def save(*_):
        open(os.environ["SM_MODEL_DIR"] + "/saved", "w").write("1")
        sys.exit(0)
    signal.signal(signal.SIGTERM, save)
    print("running", flush=True)
    while True:
        time.sleep(60)
    """


def test_a_script_is_told_to_stop_and_may_save(
    started: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = started(SAVES)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, out
    assert "The job was stopped; train.py ended with exit status 0" in out
    assert (tmp_path / "ml/model/saved").exists()
    assert not (tmp_path / "ml/output/failure").exists()


def test_a_script_that_knows_no_better_ends_at_once(
    started: Callable[..., subprocess.Popen[str]],
) -> None:
    process = started("print('running', flush=True); import time; time.sleep(60)")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143


def test_a_shells_own_programs_are_told_to_stop(
    started: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    write_code(tmp_path / "source", "inner.py", SAVES)
    process = started(f"#!/bin/sh\n{sys.executable} inner.py\n", "run.sh")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert (tmp_path / "ml/model/saved").exists()


def test_nothing_that_a_script_has_started_outlives_it(train: Train, tmp_path: Path) -> None:
    ended = train("""
        import os, subprocess
        child = subprocess.Popen(["sleep", "60"])
        open(os.environ["SM_MODEL_DIR"] + "/pid", "w").write(str(child.pid))
        """)
    pid = int((ended.root / "model/pid").read_text())
    deadline = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_job_without_a_script_or_channels_says_what_it_needs(tmp_path: Path) -> None:
    write_config(tmp_path, hyperparameters={"epochs": "5"})
    assert job_process.train(tmp_path, {**os.environ, "PYTHONPATH": str(CONTAINER)}) == 1
    said = (tmp_path / "output/failure").read_text("utf-8")
    assert said.startswith("The job has no channel, so there is nothing to train on.")
