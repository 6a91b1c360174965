"""The settings of SageMaker's TensorFlow Serving container."""

from __future__ import annotations

import pytest

from plumbline.errors import SettingError
from plumbline.machine.cgroups import Machine
from plumbline.settings import environment, tf_serving_variables

GIB = 1024**3
LARGE = Machine(16, 64 * GIB)
PAIR = ("SAGEMAKER_GUNICORN_WORKERS", "SAGEMAKER_TFS_INSTANCE_COUNT")


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, {}),
        ({"SAGEMAKER_GUNICORN_WORKERS": "3"}, {"PLUMBLINE_WORKERS": "3"}),
        ({"SAGEMAKER_TFS_INSTANCE_COUNT": "4"}, {"PLUMBLINE_WORKERS": "4"}),
        (dict(zip(PAIR, ("3", "2"), strict=True)), {"PLUMBLINE_WORKERS": "3"}),
        ({"SAGEMAKER_GUNICORN_THREADS": "5"}, {"PLUMBLINE_SLOTS": "5"}),
        (
            {"SAGEMAKER_GUNICORN_TIMEOUT_SECONDS": "120"},
            {"PLUMBLINE_DEADLINE_SECONDS": "120"},
        ),
        (
            {
                "SAGEMAKER_NGINX_PROXY_READ_TIMEOUT_SECONDS": "60",
                "SAGEMAKER_GUNICORN_TIMEOUT_SECONDS": "120",
            },
            {"PLUMBLINE_DEADLINE_SECONDS": "120"},
        ),
        (
            {"SAGEMAKER_NGINX_PROXY_READ_TIMEOUT_SECONDS": "63"},
            {"PLUMBLINE_DEADLINE_SECONDS": "63"},
        ),
        ({"SAGEMAKER_GUNICORN_TIMEOUT_SECONDS": "0"}, {"PLUMBLINE_DEADLINE_SECONDS": "3600"}),
        ({"SAGEMAKER_GUNICORN_TIMEOUT_SECONDS": "9999"}, {"PLUMBLINE_DEADLINE_SECONDS": "3600"}),
        ({"SAGEMAKER_TFS_MAX_BATCH_SIZE": "16"}, {"PLUMBLINE_BATCH": "16"}),
        ({"SAGEMAKER_TFS_MAX_BATCH_SIZE": "1024"}, {"PLUMBLINE_BATCH": "256"}),
        ({"SAGEMAKER_TFS_ENABLE_BATCHING": "true"}, {}),
        (
            {"SAGEMAKER_TFS_ENABLE_BATCHING": "False", "SAGEMAKER_TFS_MAX_BATCH_SIZE": "16"},
            {"PLUMBLINE_BATCH": "1"},
        ),
        ({"SAGEMAKER_GUNICORN_LOGLEVEL": "debug"}, {"PLUMBLINE_LOG_LEVEL": "debug"}),
        ({"SAGEMAKER_GUNICORN_THREADS": ""}, {}),
    ],
)
def test_what_has_a_meaning_here_is_said_in_our_words(
    environ: dict[str, str], found: dict[str, str]
) -> None:
    assert tf_serving_variables.translated(environ, LARGE) == found
    environment.read(found)


@pytest.mark.parametrize(
    ("machine", "workers"),
    [
        (Machine(2, 64 * GIB), "2"),
        (Machine(1.5, 64 * GIB), "2"),
        (Machine(16, 7 * GIB), "3"),
        (Machine(2, GIB), "1"),
    ],
)
def test_no_more_processes_than_the_machine_can_hold(machine: Machine, workers: str) -> None:
    environ = dict(zip(PAIR, ("36", "8"), strict=True))
    assert tf_serving_variables.translated(environ, machine) == {"PLUMBLINE_WORKERS": workers}


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("SAGEMAKER_TFS_ENABLE_BATCHING=1", "true or false"),
        ("SAGEMAKER_GUNICORN_WORKERS=many", "a whole number from 1 to 1000000000"),
        ("SAGEMAKER_GUNICORN_TIMEOUT_SECONDS=-1", "a whole number from 0 to 1000000000"),
        ("SAGEMAKER_GUNICORN_LOGLEVEL=loud", "one of debug, info, warning, error, critical"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_variable(line: str, allowed: str) -> None:
    name, _, text = line.partition("=")
    with pytest.raises(SettingError) as caught:
        tf_serving_variables.translated({name: text}, LARGE)
    assert caught.value.message == f"{line}: it must be {allowed}."


def test_our_own_name_wins_and_the_archives_tuning_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        environment.tuning_file, "read", lambda root, cores: {"PLUMBLINE_SLOTS": "2"}
    )
    monkeypatch.setenv("SAGEMAKER_GUNICORN_THREADS", "3")
    assert environment.from_environment().slots == 3
    monkeypatch.setenv("PLUMBLINE_SLOTS", "4")
    assert environment.from_environment().slots == 4


def test_what_has_no_meaning_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {
        "SAGEMAKER_TFS_NGINX_LOGLEVEL": "info",
        "SAGEMAKER_TFS_BATCH_TIMEOUT_MICROS": "500",
        "SAGEMAKER_GUNICORN_WORKER_CLASS": "gevent",
        "SAGEMAKER_NGINX_SOMETHING": "1",
    }
    for name in (
        *without,
        *tf_serving_variables.READERS,
        tf_serving_variables.DEFAULT_MODEL,
        "SAGEMAKER_REGION",
    ):
        monkeypatch.setenv(name, "1")
    assert environment.ignored() == sorted(without)
    monkeypatch.setenv("SAGEMAKER_MULTI_MODEL", "true")
    assert environment.ignored() == sorted([*without, *PAIR, tf_serving_variables.DEFAULT_MODEL])


def test_a_default_model_called_none_is_none() -> None:
    assert environment.read({tf_serving_variables.DEFAULT_MODEL: "None"}).default_model == ""
