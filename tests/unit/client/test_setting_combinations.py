"""What `plumbline tune` measures, chooses and keeps, over a server that stands for ours."""

from __future__ import annotations

import json
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from plumbline import cli
from plumbline.archive import manifest, tarball, tuning_file
from plumbline.client.base import Server as Asked
from plumbline.client.load_generator import Run, load
from plumbline.client.tuning import commands, server_trials
from plumbline.client.tuning.server_trials import Measured
from plumbline.client.tuning.setting_combinations import (
    BATCHES,
    OPENVINO,
    TENSORFLOW,
    Trial,
    fewer,
    trials,
)
from plumbline.errors import CommandError, SettingError
from plumbline.machine import cgroups
from plumbline.machine.cgroups import Machine
from plumbline.settings import environment

GIB = 1024**3
DEFAULT = Trial("auto", 2, 2, 1, default=True)


def of(milliseconds: float, rate: float, *, default: bool = False) -> Measured:
    trial = DEFAULT if default else Trial(OPENVINO, 1, 16, 2)
    return Measured(trial, milliseconds, rate)


# --- what is tried --------------------------------------------------------------------------------


def test_the_default_comes_first_and_each_engine_is_tried() -> None:
    first, *others = trials(Machine(2, 8 * GIB), DEFAULT)
    assert first is DEFAULT
    assert {trial.engine for trial in others} == {OPENVINO, TENSORFLOW}
    assert not any(trial.default for trial in others)


def test_processes_slots_streams_and_batches_are_varied() -> None:
    tried = trials(Machine(2, 8 * GIB), DEFAULT)[1:]
    openvino = [trial for trial in tried if trial.engine == OPENVINO]
    assert [(trial.workers, trial.slots, trial.streams) for trial in openvino] == [
        (1, 4, 2),
        (1, 16, 2),
        (2, 2, 1),
        (2, 8, 1),
        (1, 4, 1),
    ]
    tensorflow = [trial for trial in tried if trial.engine == TENSORFLOW]
    assert [(trial.slots, trial.batch) for trial in tensorflow] == [
        (2, 1),
        *((16, batch) for batch in BATCHES),
    ]


@given(st.floats(0.1, 96), st.integers(GIB // 4, 512 * GIB))
def test_no_trial_is_made_twice_or_has_nothing_to_work_with(cores: float, memory: int) -> None:
    tried = trials(Machine(cores, memory), DEFAULT)
    assert len(set(tried)) == len(tried)
    assert all(min(one.workers, one.slots, one.streams, one.batch) >= 1 for one in tried)
    assert all(one.workers <= max(1, cores) for one in tried[1:])


def test_streams_have_several_cores_each_down_to_one_of_all() -> None:
    assert fewer(1) == []
    assert fewer(2) == [1]
    assert fewer(12) == [6, 3, 1]


def test_a_trial_sets_what_its_engine_heeds() -> None:
    assert Trial(OPENVINO, 1, 4, 2).settings == {
        "PLUMBLINE_ENGINE": "openvino",
        "PLUMBLINE_WORKERS": "1",
        "PLUMBLINE_SLOTS": "4",
        "PLUMBLINE_STREAMS": "2",
    }
    assert "PLUMBLINE_STREAMS" not in Trial(TENSORFLOW, 1, 4, 2).settings
    assert set(DEFAULT.settings) == set(tuning_file.NAMES)


# --- what is chosen -------------------------------------------------------------------------------


def test_the_default_is_kept_unless_another_is_clearly_better() -> None:
    usual = of(10, 95, default=True)
    assert commands.best_for("throughput", [of(9, 100), usual]) is usual
    better = of(9, 120)
    assert commands.best_for("throughput", [better, usual]) is better
    sooner = of(5, 10)
    assert commands.best_for("latency", [better, sooner, usual]) is sooner


def test_an_archive_brings_nothing_where_the_defaults_are_best() -> None:
    assert commands.variables(of(1, 1, default=True)) == {}
    assert commands.variables(of(1, 1)) == Trial(OPENVINO, 1, 16, 2).settings


# --- tuning.json --------------------------------------------------------------------------------


CHOSEN = {
    "PLUMBLINE_ENGINE": "tensorflow",
    "PLUMBLINE_WORKERS": "5",
    "PLUMBLINE_SLOTS": "7",
    "PLUMBLINE_BATCH": "4",
    "PLUMBLINE_STREAMS": "2",
}


def test_a_server_takes_what_was_tuned_unless_its_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning_file.write(tmp_path, cgroups.machine().cores, "latency", {"latency": CHOSEN}, [])
    monkeypatch.setenv("PLUMBLINE_MODEL_DIR", str(tmp_path))
    monkeypatch.setenv("PLUMBLINE_SLOTS", "3")
    found = environment.from_environment()
    tuned_to = (found.engine, found.workers, found.slots, found.most_together, found.streams)
    assert tuned_to == ("tensorflow", 5, 3, 4, 2)


def test_another_machine_is_left_to_itself(tmp_path: Path) -> None:
    tuning_file.write(tmp_path, 4, "latency", {"throughput": {}, "latency": CHOSEN}, [])
    assert tuning_file.read(tmp_path, 2) == {}
    assert tuning_file.read(tmp_path, 4) == CHOSEN


def test_an_archive_has_no_say_in_what_else_the_server_does(tmp_path: Path) -> None:
    settings_of_archive = {**CHOSEN, "PLUMBLINE_URL_ALLOW": "https://*"}
    tuning_file.write(tmp_path, 2, "latency", {"latency": settings_of_archive}, [])
    assert tuning_file.read(tmp_path, 2) == CHOSEN


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"for": "latency", "best": {}}', "nonsense"])
def test_a_damaged_file_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / tuning_file.FILE).write_text(text)
    with pytest.raises(SettingError, match=r"tuning\.json is damaged"):
        tuning_file.read(tmp_path, 2)


# --- the command --------------------------------------------------------------------------------


class Model(BaseHTTPRequestHandler):
    """Answers every request after some time."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write: the second of two small ones would wait for the client
    milliseconds = 1.0
    status = 200

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.milliseconds / 1000)
        body = json.dumps({"milliseconds": self.milliseconds}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """Asks no DNS for its name."""

    request_queue_size = 64
    server_bind = TCPServer.server_bind


def noted(server: Asked, pictures: Sequence[bytes], count: int, seconds: float) -> Run:
    """Stands for `load`, whose figures depend on the machine: what the server says of itself."""
    milliseconds = json.loads(server.invoke(pictures[0], "image/png", "", "").body)["milliseconds"]
    return Run(count, round(count * 1000 / milliseconds), {}, 1.0, {50: milliseconds}, 0.1)


started: list[dict[str, str]] = []


@contextmanager
def served(_folder: Path, chosen: Mapping[str, str], _processes: int) -> Iterator[str]:
    """Stands for `local_server.served`; OpenVINO can't serve this model, and eight is fastest."""
    started.append(dict(chosen))
    if chosen["PLUMBLINE_ENGINE"] == OPENVINO:
        raise CommandError("OpenVINO can't.")
    fast = chosen.get("PLUMBLINE_BATCH") == "4"
    handler = type("Handler", (Model,), {"milliseconds": 1.0 if fast else 2.0})
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A packed archive, and servers that stand for ours."""
    monkeypatch.setattr(server_trials, "load", noted)
    monkeypatch.setattr(server_trials, "served", served)
    started.clear()
    folder = tmp_path / "model"
    (folder / "saved_model" / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index"):
        (folder / "saved_model" / name).write_bytes(b"\x08\x01")
    (folder / "saved_model/variables/variables.data-00000-of-00001").write_bytes(b"x")
    (folder / "plumbline.toml").write_text('[preprocess]\nnormalize = "unit"\n')
    manifest.write(folder)
    tarball.pack(folder, tmp_path / "model.tar.gz")
    return tmp_path / "model.tar.gz"


def test_tuning_is_kept_in_the_archive_which_stays_valid(archive: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.main, ["tune", str(archive), "--seconds", "0"])
    assert result.exit_code == 0, result.output
    assert "requests/s" in result.output
    tarball.unpack(archive, tmp_path / "again")
    assert manifest.verify(tmp_path / "again")
    found = tuning_file.read(tmp_path / "again", cgroups.machine().cores)
    assert (found["PLUMBLINE_ENGINE"], found["PLUMBLINE_BATCH"]) == ("tensorflow", "4")
    assert f"Kept in {archive}" in result.output.replace("\n", "")
    kept = json.loads((tmp_path / "again" / tuning_file.FILE).read_text())
    assert kept["measured"]
    assert kept["for"] == "throughput"
    assert set(kept["best"]) == {"throughput", "latency"}


def test_an_engine_that_can_not_serve_the_model_is_asked_once(archive: Path) -> None:
    CliRunner().invoke(cli.main, ["tune", str(archive), "--seconds", "0"])
    engines = [chosen["PLUMBLINE_ENGINE"] for chosen in started]
    assert engines[:3] == ["auto", TENSORFLOW, OPENVINO]
    assert engines.count(OPENVINO) == 1
    assert engines.count(TENSORFLOW) > 1


def test_what_did_best_is_measured_again_beside_the_default(archive: Path) -> None:
    CliRunner().invoke(cli.main, ["tune", str(archive), "--seconds", "0"])
    again = started[-2:]
    assert again[0] == started[0]
    assert (again[1]["PLUMBLINE_ENGINE"], again[1]["PLUMBLINE_BATCH"]) == (TENSORFLOW, "4")


def test_an_engine_that_is_far_behind_is_tried_once(tmp_path: Path, monkeypatch) -> None:
    rates = {"auto": 100.0, OPENVINO: 95.0, TENSORFLOW: 30.0}

    def under_load(_folder: Path, trial: Trial, _picture: bytes, _seconds: float) -> Measured:
        return Measured(trial, 1000 / rates[trial.engine], rates[trial.engine])

    monkeypatch.setattr(server_trials, "under_load", under_load)
    tried = trials(Machine(2, 8 * GIB), DEFAULT)
    told: list[str] = []
    found = server_trials.measure(tmp_path, tried, b"", 1, told.append)
    engines = [one.trial.engine for one in found]
    assert (engines.count(TENSORFLOW), engines.count(OPENVINO)) == (1, 5)
    assert len(told) == len(tried)


def test_an_engine_that_is_quick_for_one_caller_is_not_far_behind() -> None:
    usual = of(10, 100, default=True)
    assert of(20, 50).is_far_behind(usual)
    assert not of(9, 50).is_far_behind(usual)
    assert not of(20, 80).is_far_behind(usual)


def test_what_an_archive_was_tuned_to_before_is_no_default(archive: Path, tmp_path: Path) -> None:
    cores = cgroups.machine().cores
    before = {"PLUMBLINE_WORKERS": "77", "PLUMBLINE_SLOTS": "77"}
    tuning_file.write(tmp_path / "model", cores, "latency", {"latency": before}, [])
    CliRunner().invoke(cli.main, ["tune", str(tmp_path / "model"), "--seconds", "0", "--dry-run"])
    assert started
    assert all(chosen["PLUMBLINE_WORKERS"] != "77" for chosen in started)
    assert all(chosen["PLUMBLINE_SLOTS"] != "77" for chosen in started)


def test_a_server_is_measured_under_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_trials, "served", served)
    trial = Trial(TENSORFLOW, 1, 4, 1)
    found = server_trials.under_load(tmp_path, trial, b"", 0)
    assert found.trial is trial
    assert found.milliseconds > 2
    assert found.rate > 0


def test_a_server_that_refuses_under_load_is_no_measurement(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_trials, "LEAST_SECONDS", 0.03)
    monkeypatch.setattr(server_trials, "load", load)
    monkeypatch.setattr(Model, "status", 503)
    monkeypatch.setattr(server_trials, "ask", lambda *_: None)
    result = CliRunner().invoke(cli.main, ["tune", str(archive), "--seconds", "0"])
    assert result.exit_code == 1
    assert "did not answer under load" in result.output


def test_a_dry_run_leaves_the_archive_as_it_is(archive: Path) -> None:
    before = archive.read_bytes()
    result = CliRunner().invoke(cli.main, ["tune", str(archive), "--seconds", "0", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert archive.read_bytes() == before
    with tarfile.open(archive) as tar:
        assert tuning_file.FILE not in tar.getnames()
