"""The environment, read once and frozen."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import SettingError
from plumbline.links.policy import read_allowlist
from plumbline.machine.cgroups import Machine
from plumbline.settings import environment, variable_values
from plumbline.settings.environment import read
from plumbline.settings.server_settings import Settings
from plumbline.settings.variable_values import MEBIBYTE
from plumbline.vision.images import Limits
from strategies import nasty

SERVE = Path(__file__).parents[3] / "container" / "serve"


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    chosen = read({})
    assert chosen == Settings()
    assert (chosen.port, chosen.model_dir) == (8080, Path("/opt/ml/model"))
    assert (chosen.workers, chosen.slots, chosen.queue) == (None, None, None)
    assert (chosen.deadline, chosen.max_body, chosen.drain) == (60.0, 25 * MEBIBYTE, 20.0)
    assert chosen.limits == Limits(
        50_331_648, 16_384, ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
    )


GIVEN = [
    ("PLUMBLINE_MODEL_DIR", "/srv/model", "model_dir", Path("/srv/model")),
    ("SAGEMAKER_BIND_TO_PORT", "9000", "port", 9000),
    ("SAGEMAKER_MULTI_MODEL", "True", "multi_model", True),
    ("PLUMBLINE_LOAD_SECONDS", "90", "load_seconds", 90.0),
    ("PLUMBLINE_WORKERS", "3", "workers", 3),
    ("SAGEMAKER_MODEL_SERVER_WORKERS", "4", "workers", 4),
    ("PLUMBLINE_SLOTS", "2", "slots", 2),
    ("PLUMBLINE_QUEUE", "0", "queue", 0),
    ("PLUMBLINE_DEADLINE_SECONDS", "0.5", "deadline", 0.5),
    ("SAGEMAKER_MODEL_SERVER_TIMEOUT", "120", "deadline", 120.0),
    ("PLUMBLINE_MAX_BODY_MB", "4", "max_body", 4 * MEBIBYTE),
    ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "6", "max_body", 6 * MEBIBYTE),
    ("PLUMBLINE_MAX_PIXELS", "1000", "max_pixels", 1000),
    ("PLUMBLINE_MAX_SIDE", "100", "max_side", 100),
    ("PLUMBLINE_MAX_INSTANCES", "8", "max_instances", 8),
    ("PLUMBLINE_ENGINE", "tensorflow", "engine", "tensorflow"),
    ("PLUMBLINE_STREAMS", "3", "streams", 3),
    ("PLUMBLINE_BATCH", "4", "most_together", 4),
    ("PLUMBLINE_PARALLEL_BATCHES", "2", "parallel_batches", 2),
    ("SAGEMAKER_TFS_DEFAULT_MODEL_NAME", "bees", "default_model", "bees"),
    ("PLUMBLINE_IMAGE_FORMATS", "png, jpeg", "image_formats", ("PNG", "JPEG")),
    ("PLUMBLINE_IMAGE_FORMATS", "JPEG,AVIF", "image_formats", ("JPEG", "AVIF")),
    ("PLUMBLINE_ALLOW_OPS", "ReadFile, WriteFile", "allow_ops", ("ReadFile", "WriteFile")),
    ("PLUMBLINE_URL_ALLOW", "s3://photos/*", "url_allow", read_allowlist("s3://photos/*")),
    ("PLUMBLINE_URL_TIMEOUT_SECONDS", "2.5", "url_timeout", 2.5),
    ("PLUMBLINE_FAILURE_GRACE_SECONDS", "5", "failure_grace", 5.0),
    ("PLUMBLINE_DRAIN_SECONDS", "7", "drain", 7.0),
    ("SAGEMAKER_PROGRAM", "serve.py", "program", "serve.py"),
    ("SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/code", "submit_directory", "/opt/ml/code"),
    ("PLUMBLINE_INSTALL_REQUIREMENTS", "1", "install_requirements", True),
    ("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/csv", "default_accept", "text/csv"),
    ("PLUMBLINE_LOG_LEVEL", "WARNING", "log_level", "warning"),
    ("SAGEMAKER_CONTAINER_LOG_LEVEL", "10", "log_level", "debug"),
    ("PLUMBLINE_METRICS", "emf", "metrics", "emf"),
    ("PLUMBLINE_METRICS_MODELS", "25", "metrics_models", 25),
    ("PLUMBLINE_ENDPOINT", "digits", "endpoint", "digits"),
    ("PLUMBLINE_VARIANT", "AllTraffic", "variant", "AllTraffic"),
    ("PLUMBLINE_SERVER_TIMING", "true", "server_timing", True),
    ("PLUMBLINE_TRACES", "http://127.0.0.1:4318", "traces", "http://127.0.0.1:4318"),
    ("PLUMBLINE_PAGE", "true", "page", True),
    ("PLUMBLINE_LOG_FORMAT", "json", "log_format", "json"),
]


@pytest.mark.parametrize(("name", "text", "field", "value"), GIVEN)
def test_a_variable_sets_its_field_and_no_other(
    name: str, text: str, field: str, value: Any
) -> None:
    assert read({name: text}) == dataclasses.replace(Settings(), **{field: value})


def test_many_models_are_behind_one_process_with_threads_for_loads() -> None:
    machine = Machine(16, 64 * 1024**3)
    one = read({"PLUMBLINE_WORKERS": "1"}).sizes(machine)
    many = read({"SAGEMAKER_MULTI_MODEL": "true", "PLUMBLINE_WORKERS": "4"}).sizes(machine)
    assert many == dataclasses.replace(one, changes=many.changes)
    assert many.threads > one.threads


def test_every_variable_is_tested_here() -> None:
    known = {name for entry in fields(Settings) for name in entry.metadata["names"]}
    assert known == {name for name, *_ in GIVEN} | {"SAGEMAKER_BATCH"}


@pytest.mark.parametrize("text", ["true", "True"])
def test_a_batch_transform_has_defaults_of_its_own(text: str) -> None:
    assert read({"SAGEMAKER_BATCH": text}) == dataclasses.replace(
        Settings(),
        batch=True,
        deadline=600.0,
        queue=100,
        max_body=100 * MEBIBYTE,
        max_instances=100_000,
    )


def test_what_is_set_wins_in_a_batch_transform_too() -> None:
    environ = {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "6",
        "PLUMBLINE_QUEUE": "3",
    }
    chosen = read(environ)
    assert (chosen.max_body, chosen.queue, chosen.deadline) == (6 * MEBIBYTE, 3, 600.0)


def test_elsewhere_nothing_is_a_batch_transform() -> None:
    assert read({"SAGEMAKER_BATCH": "false"}) == Settings()


WRONG = {
    "PLUMBLINE_ENGINE=onnx": "one of auto, openvino, tensorflow",
    "SAGEMAKER_BATCH=yes": "true or false",
    "SAGEMAKER_BIND_TO_PORT=80a": "a whole number from 1 to 65535",
    "SAGEMAKER_BIND_TO_PORT=0": "a whole number from 1 to 65535",
    "SAGEMAKER_BIND_TO_PORT=65536": "a whole number from 1 to 65535",
    "PLUMBLINE_WORKERS=-1": "a whole number from 1 to 256",
    "PLUMBLINE_SLOTS=1.5": "a whole number from 1 to 1024",
    "PLUMBLINE_QUEUE=10001": "a whole number from 0 to 10000",
    "PLUMBLINE_DEADLINE_SECONDS=0": "a number of seconds, above 0 and at most 3600",
    "PLUMBLINE_DEADLINE_SECONDS=nan": "a number of seconds, above 0 and at most 3600",
    "PLUMBLINE_DEADLINE_SECONDS=inf": "a number of seconds, above 0 and at most 3600",
    "SAGEMAKER_MODEL_SERVER_TIMEOUT=1m": "a number of seconds, above 0 and at most 3600",
    "PLUMBLINE_MAX_BODY_MB=0": "a whole number from 1 to 1024",
    "PLUMBLINE_IMAGE_FORMATS=JPG": "a list of some of JPEG,PNG,WEBP,GIF,BMP,TIFF,AVIF,HEIF",
    "PLUMBLINE_IMAGE_FORMATS=JPEG,": "a list of some of JPEG,PNG,WEBP,GIF,BMP,TIFF,AVIF,HEIF",
    "PLUMBLINE_URL_ALLOW=http://a.b/*": (
        "a list of links such as s3://bucket/photos/* and https://example.com/photos/*; "
        "'http://a.b/*' is wrong because it begins with neither https:// nor s3://"
    ),
    "PLUMBLINE_URL_TIMEOUT_SECONDS=0": "a number of seconds, above 0 and at most 3600",
    "PLUMBLINE_LOG_LEVEL=loud": "one of debug, info, warning, error, critical",
    "PLUMBLINE_METRICS=statsd": "prometheus or emf",
    "PLUMBLINE_METRICS_MODELS=26": "a whole number from 0 to 25",
    "PLUMBLINE_ENDPOINT=zoë": "at most 1024 characters of ASCII",
    "PLUMBLINE_TRACES=localhost:4318": (
        "an address that begins with http:// or https://, as http://host:4318"
    ),
    "PLUMBLINE_LOG_FORMAT=xml": "auto, json or text",
}


@pytest.mark.parametrize(("line", "allowed"), WRONG.items())
def test_a_wrong_value_is_an_error_that_names_the_variable(line: str, allowed: str) -> None:
    name, _, text = line.partition("=")
    with pytest.raises(SettingError) as caught:
        read({name: text})
    assert caught.value.message == f"{line}: it must be {allowed}."


@nasty
@given(st.sampled_from([name for name, *_ in GIVEN if name != "PLUMBLINE_MODEL_DIR"]), st.text())
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    sentence = f"{name}={text}: it must be "
    try:
        read({name: text})
    except SettingError as error:
        sentence = error.message
    assert sentence.startswith(f"{name}={text}: it must be ")


@given(st.integers(1, 65535))
def test_every_port_is_read_back(port: int) -> None:
    assert read({"SAGEMAKER_BIND_TO_PORT": f" {port} "}).port == port


def test_our_own_name_wins_over_sagemakers() -> None:
    environ = {"SAGEMAKER_MODEL_SERVER_WORKERS": "4", "PLUMBLINE_WORKERS": "2"}
    assert read(environ).workers == 2


def test_an_empty_variable_counts_as_none() -> None:
    assert read({"PLUMBLINE_WORKERS": "", "SAGEMAKER_MODEL_SERVER_WORKERS": "4"}).workers == 4
    assert read({"SAGEMAKER_BIND_TO_PORT": ""}).port == 8080


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_sizes_follow_the_machine_where_nothing_is_set() -> None:
    sizes = read({"PLUMBLINE_QUEUE": "3"}).sizes(Machine(4, 8 * 1024**3))
    assert (sizes.workers, sizes.slots, sizes.queue) == (1, 20, 3)


def test_a_server_that_is_started_gets_this_environment_and_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLUMBLINE_QUEUE", "3")
    monkeypatch.setenv("SAGEMAKER_BIND_TO_PORT", "1")
    found = environment.environment_for(Path("/srv/m"), 9000)
    chosen = read(found)
    assert (chosen.model_dir, chosen.port) == (Path("/srv/m"), 9000)
    assert chosen.queue == 3


@pytest.mark.parametrize("said", [None, "4"])
def test_blas_has_one_thread_in_a_server_unless_the_user_said_otherwise(
    said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenBLAS would start its own under each of the server's."""
    if said is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", said)
    found = environment.environment_for(Path("/srv/m"), 9000)
    assert found["OPENBLAS_NUM_THREADS"] == (said or "1")


@pytest.mark.parametrize("said", [None, "4"])
def test_the_container_says_the_same(said: str | None, tmp_path: Path) -> None:
    gunicorn = tmp_path / "gunicorn"
    gunicorn.write_text('#!/bin/sh\necho "$OPENBLAS_NUM_THREADS"\n')
    gunicorn.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environ |= {} if said is None else {"OPENBLAS_NUM_THREADS": said}
    done = subprocess.run([SERVE], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (said or "1")


def test_the_frameworks_are_quiet_unless_the_user_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    monkeypatch.setenv("KERAS_BACKEND", "to be restored")
    monkeypatch.delenv("KERAS_BACKEND")
    environment.quiet_frameworks()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_spans_without_the_library_are_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(variable_values, "find_spec", lambda _: None)
    with pytest.raises(SettingError, match="pip install opentelemetry-sdk opentelemetry-exporter"):
        read({"PLUMBLINE_TRACES": "http://127.0.0.1:4318"})
