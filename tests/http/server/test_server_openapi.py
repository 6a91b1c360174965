"""Whatever schemathesis makes of the server's own description is answered as that says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from gunicorn_server import Server

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def test_whatever_is_sent_is_answered_as_openapi_says(
    shared: Callable[..., Server], tmp_path: Path
) -> None:
    server = shared(PLUMBLINE_PAGE="true")
    command = ["run", f"http://127.0.0.1:{server.port}/openapi.json", "--checks", ",".join(CHECKS)]
    command += ["--phases", "coverage,fuzzing", "--max-examples", "3", "--seed", "1", "--no-color"]
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Tested: 13" in done.stdout
    assert "Traceback" not in server.said()
