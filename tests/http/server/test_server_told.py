"""What a server tells of its golden pictures, and the lines that it writes for CloudWatch."""

from __future__ import annotations

import io
import json
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gunicorn_server import Server, wait_until
from PIL import Image
from scraped import Serve, scrape, total

from otlp_receiver import receiving


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A model that the fake engine stands for: white belongs to the class 9 of 10."""
    folder = tmp_path / "model" / "digits" / "1"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"data")
    (tmp_path / "model" / "golden").mkdir()
    spec = '[preprocess]\nnormalize = "unit"\n[golden]\ntolerance = 0.5\n'
    (tmp_path / "model" / "plumbline.toml").write_text(spec)
    return tmp_path / "model"


def white_is(archive: Path, score: float) -> None:
    """Let this be what the notebook gave for white; the server gives 1."""
    stream = io.BytesIO()
    Image.new("RGB", (32, 32), "white").save(stream, "PNG")
    (archive / "golden" / "white.png").write_bytes(stream.getvalue())
    expected = np.eye(10, dtype=np.float32)[9] * np.float32(score)
    np.savez(archive / "golden" / "white.png.npz", output=expected)


def settings(archive: Path, **more: str) -> dict[str, str]:
    """What serves it."""
    return {"PLUMBLINE_MODEL_DIR": str(archive), "PLUMBLINE_ENGINE": "tensorflow", **more}


def test_how_far_the_answers_are_from_the_notebooks_can_be_read(
    serve: Serve, archive: Path
) -> None:
    white_is(archive, 0.75)
    server = serve("together=True, handled=True", **settings(archive, PLUMBLINE_WORKERS="2"))

    found = wait_until(lambda: settled(server))

    assert total(found, "plumbline_golden_worst_ratio") == 0.5
    assert total(found, "plumbline_golden_pictures") == 1
    assert total(found, "plumbline_load_seconds") > total(found, "plumbline_warmup_seconds") > 0


def settled(server: Server) -> Any:
    """The metrics, once both processes can answer."""
    found = scrape(server)
    return found if total(found, "plumbline_workers_ready") == 2 else None


def test_a_server_that_refuses_to_serve_says_how_far_off_it_is(start: Serve, archive: Path) -> None:
    white_is(archive, 0.25)
    server = start("together=True, handled=True", **settings(archive))
    wait_until(lambda: "golden pictures come out wrong" in server.said())

    found = wait_until(lambda: [one for one in [scrape(server)] if told(one)])[0]

    assert total(found, "plumbline_golden_worst_ratio") == 1.5
    assert total(found, "plumbline_ready") == 0


def told(found: Any) -> bool:
    """Whether there is a ratio."""
    return total(found, "plumbline_golden_worst_ratio") != -1


def test_without_golden_pictures_no_ratio_says_that_all_is_well(
    serve: Serve, archive: Path
) -> None:
    found = scrape(serve("together=True, handled=True", **settings(archive)))

    assert not told(found)
    assert total(found, "plumbline_golden_pictures") == 0


def emf(server: Server) -> list[dict[str, Any]]:
    """The lines for CloudWatch."""
    return [json.loads(line) for line in server.said().splitlines() if line.startswith('{"_aws"')]


@pytest.mark.parametrize("together", [True, False])
def test_at_its_end_a_server_writes_a_line_for_cloudwatch(
    serve: Serve, picture: bytes, together: bool
) -> None:
    workers = "2" if together else "1"
    server = serve(
        f"together={together}",
        PLUMBLINE_WORKERS=workers,
        PLUMBLINE_METRICS="emf",
        PLUMBLINE_ENDPOINT="digits",
        PLUMBLINE_VARIANT="Green",
    )
    for _ in range(10):
        server.invoke(picture)
    server.invoke(b"no picture")

    server.process.send_signal(signal.SIGTERM)
    server.process.wait(60)

    (line,) = emf(server)
    assert (line["Requests"], line["Errors4xx"], line["Errors5xx"]) == (11, 1, 0)
    assert len(line["LatencyMs"]) == 11
    assert (line["Endpoint"], line["Variant"]) == ("digits", "Green")
    assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 600


def test_no_such_line_is_written_where_nobody_wants_it(serve: Serve, picture: bytes) -> None:
    server = serve("together=True")
    server.invoke(picture)
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(60)

    assert emf(server) == []


def test_a_line_is_written_every_minute_by_one_process(serve: Serve, picture: bytes) -> None:
    """Of a minute that the test's server counts to be short."""
    server = serve("together=True, minute=1.5", PLUMBLINE_WORKERS="2", PLUMBLINE_METRICS="emf")
    for _ in range(5):
        server.invoke(picture)
    wait_until(lambda: sum(line.get("Requests", 0) for line in emf(server)) == 5)
    for _ in range(5):
        server.invoke(picture)
    wait_until(lambda: sum(line.get("Requests", 0) for line in emf(server)) == 10)

    assert all(0 <= one <= 100 for line in emf(server) for one in line["SaturationPercent"])
    assert {line["Endpoint"] for line in emf(server)} == {"unnamed"}


def test_spans_are_sent_by_the_processes_that_answer_the_last_at_their_end(
    serve: Serve, picture: bytes
) -> None:
    with receiving() as receiver:
        address = f"http://127.0.0.1:{receiver.server_port}"
        server = serve("together=True", PLUMBLINE_WORKERS="2", PLUMBLINE_TRACES=address)
        for _ in range(5):
            server.invoke(picture)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(60)

        names = [span.name for span in receiver.spans]

    assert names.count("POST /invocations") == 5
    assert names.count("infer") == 5
