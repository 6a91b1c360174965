"""Archive → engine → pipeline → golden check, and how far that has come."""

from __future__ import annotations

import io
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plumbline.archive.discovery import ModelFile
from plumbline.engines.fake import FakeEngine
from plumbline.errors import ArchiveError, GoldenMismatch, ModelNotReady, SpecError
from plumbline.loading import loader
from plumbline.loading.golden_check import Measured
from plumbline.loading.loader import load_models
from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import ServedModel, one_line
from plumbline.loading.terms import Terms

SPEC = '[preprocess]\nnormalize = "unit"\n'


def ignore() -> None:
    pass


def flat(level: int) -> bytes:
    """A picture of one colour: the fake engine puts all of it into one class."""
    stream = io.BytesIO()
    Image.new("RGB", (32, 32), (level, level, level)).save(stream, "PNG")
    return stream.getvalue()


def one_hot(index: int) -> np.ndarray:
    row: np.ndarray = np.eye(10, dtype=np.float32)[index]
    return row


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose model is the fake engine."""

    def load(model: ModelFile, signature: str, threads: int, allow_ops: object) -> FakeEngine:
        assert (signature, threads) == ("serving_default", 2)
        return FakeEngine()

    monkeypatch.setattr(loader, "load_engine", load)
    folder = tmp_path / "digits" / "1"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"data")
    (tmp_path / "plumbline.toml").write_text(SPEC)
    (tmp_path / "golden").mkdir()
    return tmp_path


def golden(archive: Path, name: str, picture: bytes, **outputs: np.ndarray) -> None:
    (archive / "golden" / name).write_bytes(picture)
    np.savez(archive / "golden" / f"{name}.npz", **outputs)  # type: ignore[arg-type]


def load(archive: Path, said: list[str] | None = None) -> Registry:
    heard: list[str] = [] if said is None else said
    return load_models(archive, Terms(max_instances=4, cores=2, engine="tensorflow"), heard.append)


def test_golden_pictures_that_come_out_right_let_the_model_serve(
    archive: Path, caplog: pytest.LogCaptureFixture
) -> None:
    golden(archive, "black.png", flat(0), output=one_hot(0))
    golden(archive, "white.png", flat(255), output=one_hot(9)[np.newaxis])
    said: list[str] = []
    with caplog.at_level(logging.INFO, "plumbline.loading"):
        models = load(archive, said)
    values = models.default.pipeline.values(flat(255), lambda: 1.0)
    np.testing.assert_array_equal(values["scores"], [one_hot(9)])
    assert said == [
        "The model digits/1 (1) is loading.",
        "The model digits/1 is warming up.",
        "digits/1 is being checked against 2 golden pictures.",
    ]
    assert "2 golden pictures came out right; the largest difference is 0." in caplog.messages


def test_a_golden_picture_that_comes_out_wrong_is_named(archive: Path) -> None:
    golden(archive, "black.png", flat(0), output=one_hot(0))
    golden(archive, "white.png", flat(255), output=one_hot(9) * np.float32(0.5))
    golden(archive, "gray.png", flat(128), output=one_hot(5) * np.float32(0.75))
    with pytest.raises(GoldenMismatch) as caught:
        load(archive)
    assert caught.value.message.startswith(
        "2 of 3 golden pictures come out wrong. The worst is white.png: in output, "
        "the largest difference is 0.5, and 1e-05 is allowed. "
    )


def test_the_declared_tolerance_counts(archive: Path) -> None:
    (archive / "plumbline.toml").write_text(f"{SPEC}[golden]\ntolerance = 0.5")
    golden(archive, "white.png", flat(255), output=one_hot(9) * np.float32(0.5))
    assert str(load(archive).default) == "digits/1"


def test_how_far_the_golden_pictures_are_off_is_kept_as_a_share_of_what_is_allowed(
    archive: Path,
) -> None:
    (archive / "plumbline.toml").write_text(f"{SPEC}[golden]\ntolerance = 0.5")
    golden(archive, "black.png", flat(0), output=one_hot(0))
    golden(archive, "white.png", flat(255), output=one_hot(9) * np.float32(0.75))

    facts = load(archive).default.pipeline.facts

    assert (facts.goldens, facts.worst_ratio) == (2, 0.5)
    assert facts.warmup_seconds > 0
    assert load(archive).load_seconds > facts.warmup_seconds


def test_a_mismatch_says_how_large_it_is(archive: Path) -> None:
    golden(archive, "black.png", flat(0), output=one_hot(0))
    golden(archive, "white.png", flat(255), output=one_hot(9) * np.float32(0.5))
    with pytest.raises(Measured) as caught:
        load(archive)
    assert caught.value.pictures == 2
    assert caught.value.ratio == pytest.approx(0.5 / 1e-5)

    golden(archive, "white.png", flat(255), output=np.zeros(3, np.float32))
    with pytest.raises(Measured) as caught:
        load(archive)
    assert caught.value.ratio == float("inf")


def test_golden_outputs_of_another_shape_are_a_mismatch(archive: Path) -> None:
    golden(archive, "black.png", flat(0), output=np.zeros(3, np.float32))
    with pytest.raises(GoldenMismatch, match=r"its shape is \[10\], expected \[3\]"):
        load(archive)


def test_a_golden_file_that_is_no_picture_is_an_error(archive: Path) -> None:
    golden(archive, "black.png", b"Hello there", output=one_hot(0))
    with pytest.raises(
        ArchiveError, match=r"^The golden picture black\.png can't be used: The body is not a"
    ):
        load(archive)


def test_an_archive_without_golden_pictures_is_served_with_a_warning(
    archive: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert str(load(archive).default) == "digits/1"
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "digits/1 has no golden pictures: its answers were not checked."
    ]


def test_a_declaration_that_does_not_fit_the_model_fails_before_it_serves(archive: Path) -> None:
    (archive / "plumbline.toml").write_text("[preprocess]\nsize = [28, 28]")
    with pytest.raises(SpecError, match=r"preprocess\.size = \[28, 28\], but the model's input"):
        load(archive)


def fake_models(say: Any) -> Registry:
    say("The model is warming up.")
    return Registry(())


def test_a_model_is_not_ready_until_it_is_loaded() -> None:
    model = ServedModel(fake_models)
    assert (model.status.state, model.status.models) == ("loading", None)
    with pytest.raises(ModelNotReady) as caught:
        model.models()
    assert (caught.value.message, caught.value.retry_after) == (
        "The model is waiting to be loaded.",
        2,
    )


def test_the_status_follows_what_the_loader_says() -> None:
    states: list[tuple[str, str]] = []

    def watched(say: Any) -> Registry:
        models = fake_models(say)
        states.append((model.status.state, model.status.reason))
        return models

    model = ServedModel(watched)
    model.load(on_failure=lambda: pytest.fail("it loaded"))
    assert states == [("loading", "The model is warming up.")]
    assert (model.status.state, model.models()) == ("ready", Registry(()))


@pytest.mark.parametrize(
    ("error", "reason", "traced"),
    [
        (ArchiveError("No model;\n  found\n  a.txt"), "No model; found a.txt", False),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero", True),
        (MemoryError(), "MemoryError:", True),
    ],
)
def test_a_failure_is_a_status_a_log_entry_and_a_call(
    error: Exception, reason: str, traced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[bool] = []

    def fails(say: Any) -> Registry:
        raise error

    model = ServedModel(fails)
    model.load(on_failure=lambda: failures.append(True))
    assert failures == [True]
    assert model.status.state == "failed"
    assert model.status.reason == f"The model failed to load: {reason}"
    assert reason.split(maxsplit=1)[0] in caplog.text
    assert ("Traceback" in caplog.text) == traced, "a sentence of ours needs none"
    with pytest.raises(ModelNotReady) as caught:
        model.models()
    assert caught.value.message == "The model failed to load; the server's log says why."
    assert caught.value.retry_after == 30


def test_loading_happens_in_a_thread_of_its_own() -> None:
    names: list[str] = []

    def named(say: Any) -> Registry:
        names.append(threading.current_thread().name)
        return fake_models(say)

    model = ServedModel(named)
    model.start(on_failure=ignore).join(5)
    assert (names, model.status.state) == (["plumbline-load"], "ready")


def test_a_reason_is_one_line_of_bearable_length() -> None:
    assert one_line("a\n  b\tc\r\n") == "a b c"
    assert one_line("x" * 600) == "x" * 600
    assert one_line("x" * 601) == "x" * 600 + " …"
