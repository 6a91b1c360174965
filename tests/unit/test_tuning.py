"""What `plumbline tune` measures, chooses and keeps, over the fake engine."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from plumbline import cgroups, cli, loading, manifest, settings, tarball, tuned
from plumbline.batching import BatchingEngine
from plumbline.discovery import ModelFile
from plumbline.engines.fake import FakeEngine
from plumbline.errors import NotAnImage, SettingError
from plumbline.images import Limits
from plumbline.pipeline import Pipeline
from plumbline.spec import ModelSpec, Preprocess
from plumbline.tasks import make_task
from plumbline.tuning import commands, measure
from plumbline.tuning.measure import Loaded, Measured, Trial, evened, rate, trials


def pipeline() -> Pipeline:
    spec, engine = ModelSpec(preprocess=Preprocess(normalize="unit")), FakeEngine()
    task = make_task(spec, tuple("abcdefghij"))
    task.fit(engine.signature)
    return Pipeline(spec, BatchingEngine(engine, 2, 8), task, Limits(), 4)


def picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (9, 7)).save(stream, "PNG")
    return stream.getvalue()


def of(milliseconds: float, rate: float, *, default: bool = False) -> Measured:
    return Measured(Trial(Loaded(pipeline(), "fake"), 8, 16, default), milliseconds, rate)


def test_batches_are_tried_where_they_can_form_and_one_trial_is_the_default() -> None:
    tried = list(trials([Loaded(pipeline(), "auto", default=True)], 2, 16, 99))
    assert [(trial.batch, trial.slots) for trial in tried] == [
        (1, 2),
        *((batch, slots) for slots in (8, 16) for batch in (1, 4, 8, 16)),
    ]
    assert [(trial.batch, trial.slots) for trial in tried if trial.default] == [(8, 16)]
    assert isinstance(tried[-1].loaded.pipeline.engine, BatchingEngine)
    assert isinstance(tried[0].loaded.pipeline.engine, FakeEngine)


def test_no_trial_takes_more_slots_than_memory_has_room_for() -> None:
    assert {
        trial.slots for trial in trials([Loaded(pipeline(), "auto", default=True)], 2, 5, 5)
    } == {2, 5}


def test_a_load_is_counted() -> None:
    trial = Trial(Loaded(pipeline(), "fake"), 8, 4, default=True)
    assert rate(trial, picture(), 3, 0.1) > 10


def test_a_load_that_fails_says_why() -> None:
    with pytest.raises(NotAnImage):
        rate(Trial(Loaded(pipeline(), "fake"), 8, 4, default=True), b"no picture", 3, 0.1)


@given(
    st.lists(st.floats(1, 100), min_size=1, max_size=5),
    st.lists(st.floats(0.1, 10), min_size=1, max_size=5),
)
def test_what_slows_down_a_whole_round_changes_no_ratio(
    rates: list[float], rounds: list[float]
) -> None:
    found = evened([[slowed * rate for rate in rates] for slowed in rounds])
    np.testing.assert_allclose(np.array(found) / found[0], np.array(rates) / rates[0])


def test_the_default_is_kept_unless_another_is_clearly_better() -> None:
    usual = of(10, 95, default=True)
    assert commands.best_for("throughput", [of(9, 100), usual]) is usual
    better = of(9, 120)
    assert commands.best_for("throughput", [better, usual]) is better
    sooner = of(5, 10)
    assert commands.best_for("latency", [better, sooner, usual]) is sooner


def test_streams_have_several_cores_each_down_to_one_of_all() -> None:
    assert commands.fewer(1) == []
    assert commands.fewer(2) == [1]
    assert commands.fewer(12) == [6, 3, 1]


# --- tuning.json --------------------------------------------------------------------------------


CHOSEN = {
    "PLUMBLINE_ENGINE": "tensorflow",
    "PLUMBLINE_SLOTS": "7",
    "PLUMBLINE_BATCH": "4",
    "PLUMBLINE_STREAMS": "2",
}


def test_a_server_takes_what_was_tuned_unless_its_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned.write(tmp_path, cgroups.machine().cores, "latency", {"latency": CHOSEN}, [])
    monkeypatch.setenv("PLUMBLINE_MODEL_DIR", str(tmp_path))
    monkeypatch.setenv("PLUMBLINE_SLOTS", "3")
    found = settings.from_environment()
    tuned_to = (found.engine, found.slots, found.most_together, found.streams)
    assert tuned_to == ("tensorflow", 3, 4, 2)


def test_another_machine_is_left_to_itself(tmp_path: Path) -> None:
    tuned.write(tmp_path, 4, "latency", {"throughput": {}, "latency": CHOSEN}, [])
    assert tuned.read(tmp_path, 2) == {}
    assert tuned.read(tmp_path, 4) == CHOSEN


def test_an_archive_has_no_say_in_what_else_the_server_does(tmp_path: Path) -> None:
    settings_of_archive = {**CHOSEN, "PLUMBLINE_URL_ALLOW": "https://*"}
    tuned.write(tmp_path, 2, "latency", {"latency": settings_of_archive}, [])
    assert tuned.read(tmp_path, 2) == CHOSEN


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"for": "latency", "best": {}}', "nonsense"])
def test_a_damaged_file_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / tuned.FILE).write_text(text)
    with pytest.raises(SettingError, match=r"tuning\.json is damaged"):
        tuned.read(tmp_path, 2)


# --- the command --------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A packed archive of the fake engine."""

    def load(_model: ModelFile, _signature: str, _threads: int) -> FakeEngine:
        return FakeEngine()

    monkeypatch.setattr(measure, "LEAST_SECONDS", 0.001)
    monkeypatch.setattr(loading, "load_engine", load)
    monkeypatch.setattr(loading, "accelerated", lambda _archive, _terms: None)
    folder = tmp_path / "model"
    (folder / "saved_model" / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index"):
        (folder / "saved_model" / name).write_bytes(b"x")
    (folder / "saved_model/variables/variables.data-00000-of-00001").write_bytes(b"x")
    (folder / "plumbline.toml").write_text('[preprocess]\nnormalize = "unit"\n')
    manifest.write(folder)
    tarball.pack(folder, tmp_path / "model.tar.gz")
    return tmp_path / "model.tar.gz"


def test_tuning_is_kept_in_the_archive_which_stays_valid(archive: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.main, ["tune", str(archive), "--seconds", "0"])
    assert result.exit_code == 0, result.output
    assert "a crowd, answers/s" in result.output
    tarball.unpack(archive, tmp_path / "again")
    assert manifest.verify(tmp_path / "again")
    found = tuned.read(tmp_path / "again", cgroups.machine().cores)
    assert set(found) == set(tuned.NAMES) - {"PLUMBLINE_STREAMS"}
    assert f"Kept in {archive}" in result.output.replace("\n", "")
    kept = json.loads((tmp_path / "again" / tuned.FILE).read_text())
    assert kept["measured"]
    assert kept["for"] == "throughput"
    assert set(kept["best"]) == {"throughput", "latency"}


def test_a_dry_run_leaves_the_archive_as_it_is(archive: Path) -> None:
    before = archive.read_bytes()
    result = CliRunner().invoke(cli.main, ["tune", str(archive), "--seconds", "0", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert archive.read_bytes() == before
    with tarfile.open(archive) as tar:
        assert tuned.FILE not in tar.getnames()
