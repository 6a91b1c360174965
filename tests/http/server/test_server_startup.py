"""From the start of the processes to the first answer, or to the end of a server that has none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from gunicorn_server import CONTAINER, Server, held_port, wait_until


def test_it_listens_while_the_model_loads(start, tmp_path: Path, picture: bytes) -> None:
    go_on = tmp_path / "go-on"
    server = start(f"loads_after={str(go_on)!r}")

    wait_until(lambda: not server.refuses())
    wait_until(lambda: b"fake is loading" in server.ping().body)
    ping, invocation = server.ping(), server.invoke(picture)
    assert (ping.status, ping.error) == (503, "model_not_ready")
    assert (invocation.status, invocation.error) == (503, "model_not_ready")
    assert int(invocation.headers["Retry-After"]) > 0

    go_on.touch()
    wait_until(server.is_ready)
    assert server.ping().body == b""
    assert server.invoke(picture).status == 200


def test_a_model_that_fails_says_why_and_then_ends_the_server(start, picture: bytes) -> None:
    failure = "The file is\nbroken."
    server = start(f"failure={failure!r}", PLUMBLINE_FAILURE_GRACE_SECONDS="4")

    wait_until(lambda: b"failed to load" in pinged(server))
    ping = server.ping()
    assert (ping.status, ping.error) == (503, "model_not_ready")
    assert b"The file is broken." in ping.body
    assert server.invoke(picture).status == 503

    assert server.process.wait(60) == 3
    assert r"The model failed to load: The file is\nbroken." in server.said()
    assert "traceback" not in server.said(), "the sentence was written for whoever deploys"
    assert server.workers() == server.workers()[:1], "the failure was tried again"


@pytest.mark.parametrize(("dies", "workers"), [("SIGKILL", "1"), ("SIGSEGV", "2")])
def test_a_model_that_ends_its_process_is_given_up(start, dies: str, workers: str) -> None:
    settings = {"PLUMBLINE_WORKERS": workers, "PLUMBLINE_FAILURE_GRACE_SECONDS": "8"}
    server = start(f"dies={dies!r}", **settings)

    wait_until(lambda: b"failed to load" in pinged(server))
    said = server.ping().body.decode()
    status = 128 + signal.Signals[dies]
    assert "3 processes one after another have ended while they loaded the model" in said
    assert f"was killed by {dies} (exit status {status})" in said
    assert ("memory" in said) == (dies == "SIGKILL")
    assert server.process.wait(60) == 3


def pinged(server: Server) -> bytes:
    """What a ping says; nothing, before the server listens."""
    try:
        return server.ping().body
    except ConnectionError:
        return b""


def test_an_app_that_can_not_be_made_ends_the_server(start) -> None:
    server = start("no_such=1", PLUMBLINE_WORKERS="2")

    assert server.process.wait(60) == 3


def test_a_wrong_setting_ends_the_server_with_one_sentence(start) -> None:
    server = start(PLUMBLINE_QUEUE="abc")

    assert server.process.wait(60) not in (0, None)
    assert server.said() == (
        "plumbline: PLUMBLINE_QUEUE=abc: it must be a whole number from 0 to 10000.\n"
    )


def test_plumbline_serve_ends_at_once_with_the_reason_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no model")
    with held_port() as port:
        done = subprocess.run(
            [sys.executable, "-m", "plumbline", "serve", tmp_path, "--port", str(port)],
            env={**os.environ, "PYTHONPATH": str(CONTAINER), "PLUMBLINE_LOG_FORMAT": "text"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stdout) == (3, "")
    first, *listing = done.stderr.splitlines()
    assert first.endswith(
        " ERROR   The model failed to load: There is no model in the archive. "
        "None of its files is one."
    )
    assert not [line for line in listing if "ERROR" in line or "Traceback" in line]


def test_a_port_that_is_taken_ends_the_server(serve, start) -> None:
    first = serve()
    second = start(SAGEMAKER_BIND_TO_PORT=str(first.port))

    assert second.process.wait(60) not in (0, None)
    assert "in use" in second.said()
    assert first.is_ready()


def test_the_settings_of_another_container_are_heeded_or_named_in_one_line(serve) -> None:
    server = serve(
        SAGEMAKER_GUNICORN_THREADS="3",
        SAGEMAKER_TFS_NGINX_LOGLEVEL="info",
        SAGEMAKER_TFS_BATCH_TIMEOUT_MICROS="500",
    )
    assert server.said().count("SAGEMAKER_") == 2
    assert (
        "These settings have no meaning here and are ignored: "
        "SAGEMAKER_TFS_BATCH_TIMEOUT_MICROS, SAGEMAKER_TFS_NGINX_LOGLEVEL."
    ) in server.said()


def test_a_wrong_setting_of_another_container_ends_the_server(start) -> None:
    server = start(SAGEMAKER_TFS_ENABLE_BATCHING="1")

    assert server.process.wait(60) not in (0, None)
    assert server.said() == (
        "plumbline: SAGEMAKER_TFS_ENABLE_BATCHING=1: it must be true or false.\n"
    )
