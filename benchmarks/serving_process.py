"""A server under measurement: started, asked until it answers, ended with everything it started."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contenders import HERE, Contender
from environments import NotAvailable
from models import Made
from processes import cpu_seconds, runs

PORT = 18080

PATIENCE = 120.0
"""Seconds that a server may take until its first answer."""

INTERVAL = 0.01
"""Seconds between two tries."""

REST = 0.3
"""Seconds between two looks at whether a server is at rest."""

AT_REST = 0.1
"""The share of a core that is none."""

LONGEST_REST = 20.0

LAST_WORDS = 300


@dataclass(frozen=True)
class Server:
    """A server that runs: the process that holds it, and when it was started (monotonic)."""

    contender: Contender
    pid: int
    started: float
    folder: Path

    @property
    def log(self) -> Path:
        """What it writes."""
        return self.folder / "log"

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{PORT}{self.contender.path}"

    def cpu_seconds(self) -> float:
        """What all of its processes have computed so far."""
        return cpu_seconds(self.pid)

    def ask(self, body: bytes, content_type: str, accept: str) -> tuple[int, bytes]:
        """Status and body of one answer. Raises `OSError` or `HTTPException`."""
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        headers = {"Content-Type": content_type, "Accept": accept}
        try:
            connection.request("POST", self.contender.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def first_answer(self, body: bytes, content_type: str, accept: str) -> float:
        """Ask until it answers; the seconds since its start. Raises `NotAvailable`."""
        said = "nothing listens"
        while (spent := time.monotonic() - self.started) < PATIENCE:
            if not runs(self.pid):
                raise NotAvailable(f"it ended at once: {self.last_words()}")
            try:
                status, answer = self.ask(body, content_type, accept)
            except (OSError, http.client.HTTPException) as exc:
                said = f"{type(exc).__name__}: {exc}"
            else:
                if status == 200:
                    return time.monotonic() - self.started
                said = f"{status} {answer[:LAST_WORDS]!r}"
            time.sleep(INTERVAL)
        raise NotAvailable(f"no answer in {spent:.0f} seconds: {said}; {self.last_words()}")

    def settle(self) -> None:
        """Wait until it has done with what the load before did not wait for."""
        deadline = time.monotonic() + LONGEST_REST
        before = self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(REST)
            now = self.cpu_seconds()
            if now - before < AT_REST * REST:
                return
            before = now

    def last_words(self) -> str:
        """The end of its log."""
        return " ".join(self.log.read_text("utf-8", "replace").split())[-LAST_WORDS:]


def environment_for(
    contender: Contender, programs: Path, made: Made, folder: Path
) -> dict[str, str]:
    """What a server is told: a clean environment, the model by either way of naming it."""
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
    return {
        **kept,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(HERE),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "BENCH_MODEL": str(made.served.resolve()),
        "BENCH_PORT": str(PORT),
        "BENCH_TMP": str(folder),
        "PLUMBLINE_MODEL_DIR": str(made.archive(contender.budget).resolve()),
        "SAGEMAKER_BIND_TO_PORT": str(PORT),
        **contender.environment,
    }


@contextmanager
def running(contender: Contender, programs: Path, made: Made) -> Iterator[Server]:
    """The server while the `with` block lasts."""
    # Sockets lie in it, whose paths must be short.
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o755)  # nginx's workers are nobody
    try:
        with held(contender.command, environment_for(contender, programs, made, folder)) as process:
            assert process.stdout is not None
            yield Server(contender, process.pid, float(process.stdout.readline()), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def held(
    command: tuple[str, ...], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """A command under `reaper.py`, in a session of its own: Ctrl-C reaches us alone."""
    with Path(environment["BENCH_TMP"], "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "reaper.py"), *command],
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()
