"""Processes that have imported already what is heavy: forking one takes milliseconds, not seconds.

`python warm_processes.py DESCRIPTOR FOLDER KIND` imports what a kind of process needs, and neither
computes nor starts threads, so that it may be forked. Whoever connects to its socket gets a process
that becomes `python -m MODULE …`, with an environment, a folder and files of its own; what ours has
besides is modules that are imported. That Plumbline starts them by themselves too is shown
elsewhere: see `test_child_process.py`, and the tests of the page and of the images.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from typing import IO, Any

CONTAINER = Path(__file__).parents[1] / "container"

POPEN = subprocess.Popen

TIMED = 0.02
"""Seconds that packing times a form for, here."""

HIGH = 500
"""No process has so many files open."""

OURS = (
    "gunicorn",
    "plumbline",
    "plumbline.hosting.fork_server",
    "plumbline.loading.never_packed_process",
    "plumbline.packing.convert_process",
    "plumbline.packing.quantize_process",
    "plumbline.packing.user_reference_process",
    "plumbline.training.job_process",
)
"""The modules whose processes are forked where Plumbline starts them."""

HEAVY = {
    "tensorflow": (
        "tensorflow",
        "keras",
        "tf_keras",
        "nncf",
        "cv2",
        "openvino.tools.ovc",
        "pycocotools.cocoeval",
        "sklearn.datasets",
        "sklearn.model_selection",
        "plumbline.packing.commands",
        "plumbline.packing.reference_libraries",
        "plumbline.loading.never_packed",
        "plumbline.engines.keras_export",
        "plumbline.engines.openvino",
        "gunicorn.app.wsgiapp",
        "plumbline.web.wsgi",
    ),
    "server": (
        "gunicorn.app.wsgiapp",
        "plumbline.web.wsgi",
        "plumbline.web.gunicorn_worker",
        "plumbline.hosting.fork_server",
    ),
    "registry": ("boto3", "botocore.endpoint", "deployment.aws.registry"),
}
"""What each kind of process imports."""


class WarmProcess:
    """A process of `python …`, as `subprocess.Popen` has it, as far as it is needed here."""

    stdout: IO[Any] | None = None
    stderr: IO[Any] | None = None

    def __init__(
        self,
        path: Path,
        arguments: Sequence[str],
        streams: Sequence[int] = (1, 2),
        *,
        pass_fds: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        order = {
            "arguments": arguments,
            "environment": dict(os.environ if env is None else env),
            "cwd": str(cwd or Path.cwd()),
            "numbers": [0, 1, 2, *pass_fds],
        }
        with connected(path) as connection, Path(os.devnull).open() as nothing:
            first = nothing.fileno() if stdin == subprocess.DEVNULL else stdin
            socket.send_fds(connection, [b"!"], [first, *streams, *pass_fds])
            connection.sendall(json.dumps(order).encode() + b"\n")
            self._connection = connection.dup()
        self.args = arguments
        self.pid = self._heard()
        self.returncode: int | None = None
        self._waiting = threading.Lock()

    def _heard(self) -> int:
        """The number that comes next."""
        digits = b""
        while (digit := self._connection.recv(1)) not in (b"", b"\n"):
            digits += digit
        return int(digits)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it has ended."""
        with self._waiting:
            if self.returncode is None:
                if not select.select([self._connection], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
                with self._connection:
                    self.returncode = self._heard()
            return self.returncode

    def poll(self) -> int | None:
        """Its exit status, if it has ended."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        """Send it, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, *_: Any, timeout: float | None = None) -> tuple[Any, None]:
        """What it has printed, where that comes through a pipe."""
        printed = None
        if self.stdout:
            with self.stdout:
                printed = self.stdout.read()
        self.wait(timeout)
        return printed, None

    def __enter__(self) -> WarmProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()


class WarmProcesses:
    """Those of a test run, whose processes share `root`: the one that is forked, and its copies."""

    def __init__(self, root: Path, kind: str) -> None:
        self._root = root
        self._kind = kind
        self._held: list[socket.socket] = []

    @cached_property
    def path(self) -> Path:
        """The socket of the process that is forked, which is started where there is none."""
        path = self._root / "socket"
        with (self._root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                held = connected(path)
            except OSError:
                path.unlink(missing_ok=True)
                start(path, self._kind)
                held = connected(path)
        self._held.append(held)  # it ends when nobody is connected
        return path

    def close(self) -> None:
        """Need no more of them."""
        for connection in self._held:
            connection.close()

    def run(
        self, *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run([sys.executable, *arguments], capture_output=True, text=True)`."""
        texts = [str(argument) for argument in arguments]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            streams = [out.fileno(), err.fileno()]
            status = WarmProcess(self.path, texts, streams, env=env, cwd=cwd).wait()
            for stream in (out, err):
                stream.seek(0)
            said, complained = (stream.read().decode() for stream in (out, err))
        return subprocess.CompletedProcess(texts, status, said, complained)

    def popen(self, command: Sequence[Any], **options: Any) -> Any:
        """`subprocess.Popen`, but for the processes that Plumbline starts, and users' scripts."""
        python, *texts = (str(part) for part in command if part not in ("-P", "--"))
        if python != sys.executable or not is_ours(texts, options.get("env") or {}):
            return POPEN(command, **options)
        named = ("pass_fds", "env", "cwd", "stdin")
        kept = {name: options[name] for name in named if name in options}
        with ExitStack() as written:
            out, printed = stream(options.get("stdout"), 1, written)
            err, complained = stream(options.get("stderr"), 2, written)
            err = out if options.get("stderr") == subprocess.STDOUT else err
            process = WarmProcess(self.path, texts, (out, err), **kept)
        text = {"encoding": "utf-8", "errors": options.get("errors")} if options.get("text") else {}
        for name, end in (("stdout", printed), ("stderr", complained)):
            if end is not None:
                setattr(process, name, os.fdopen(end, "r" if text else "rb", **text))
        return process


def is_ours(texts: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether a process may be forked: it is one of Plumbline's, or a script of Keras 3."""
    if texts[0] == "-m":
        return texts[1] in OURS
    return texts[0].endswith(".py") and "TF_USE_LEGACY_KERAS" not in env


def stream(wanted: Any, number: int, written: ExitStack) -> tuple[int, int | None]:
    """A stream's descriptor for a process, and the end of the pipe where it is read, if it is."""
    if wanted == subprocess.PIPE:
        reading, writing = os.pipe()
        written.callback(os.close, writing)
        return writing, reading
    return wanted.fileno() if hasattr(wanted, "fileno") else number, None


def connected(path: Path) -> socket.socket:
    """A connection to the process that is forked."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def start(path: Path, kind: str) -> None:
    """Start that process; who connects meanwhile waits."""
    with socket.socket(socket.AF_UNIX) as listening, path.with_name("log").open("wb") as log:
        listening.bind(str(path))
        listening.listen(64)
        subprocess.run(
            [sys.executable, "-P", __file__, str(listening.fileno()), str(path.parent), kind],
            pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=True,
            env={
                **os.environ,
                "PYTHONPATH": str(CONTAINER),
                "PYTHONHASHSEED": "0",
                "TF_CPP_MIN_LOG_LEVEL": "2",
                "KERAS_BACKEND": "tensorflow",
            },
        )


# --- in that process --------------------------------------------------------------------------


def serve(listening: socket.socket) -> list[str]:
    """Fork until nobody is connected; returns in the new processes, with what they are to run."""
    idle: list[socket.socket] = []
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([listening, *idle], [], [], 0.01 if running else None)
        for one in ready:
            if one is listening:
                idle.append(listening.accept()[0])
                continue
            idle.remove(one)
            if order := received(one):
                pid = forked(order["descriptors"])
                if pid == 0:
                    return become(order, one, [listening, *idle, *running.values()])
                running[pid] = one
        bury(running)
        if not idle and not running:
            sys.exit()


def received(client: socket.socket) -> dict[str, Any] | None:
    """What is ordered, with the files that came with it; None where somebody leaves."""
    mark, descriptors, _, _ = socket.recv_fds(client, 1, 16)
    if not mark:
        client.close()
        return None
    with client.makefile() as file:
        return {**json.loads(file.readline()), "descriptors": descriptors}


def forked(descriptors: Sequence[int]) -> int:
    """0 in a new process; its number here, where its files are closed."""
    pid = os.fork()
    if pid:
        for descriptor in descriptors:
            os.close(descriptor)
    return pid


def bury(running: dict[int, socket.socket]) -> None:
    """Tell who waits for them of processes that have ended."""
    for pid in [*running]:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with running.pop(pid) as client, suppress(OSError):  # nobody may wait any more
                client.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def become(
    order: Mapping[str, Any], client: socket.socket, others: Sequence[socket.socket]
) -> list[str]:
    """Be the process of an order, as far as can be."""
    for other in others:
        other.close()
    os.setsid()
    with client:
        client.sendall(b"%d\n" % os.getpid())
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, HIGH) for descriptor in order["descriptors"]]
    for descriptor in order["descriptors"]:
        os.close(descriptor)
    for number, descriptor in zip(order["numbers"], high, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    os.chdir(order["cwd"])
    tempfile.tempdir = None
    return list(order["arguments"])


def execute(arguments: Sequence[str]) -> None:
    """What Python does of `-c CODE`, `-m MODULE` or `FILE`."""
    how, *rest = arguments
    if how == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    elif how == "-m":
        sys.argv = rest
        if not hasattr(sys.modules.get(rest[0]), "__path__"):
            sys.modules.pop(rest[0], None)  # it would be warned of
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [how, *rest]
        sys.path.insert(0, str(Path(how).parent))
        runpy.run_path(how, run_name="__main__")


def main() -> None:
    """Import, wait, and be whatever is ordered; whoever has started us need not wait for us."""
    if os.fork():
        os._exit(0)
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # as Plumbline has it
    for name in HEAVY[sys.argv[3]]:
        importlib.import_module(name)
    if sys.argv[3] == "tensorflow":
        importlib.import_module("plumbline.packing.form_measurements").TIMED = TIMED
    warm = WarmProcesses(Path(sys.argv[2]), sys.argv[3])
    warm.__dict__["path"] = Path(sys.argv[2]) / "socket"
    subprocess.Popen = warm.popen  # type: ignore[assignment,misc]
    gc.collect()
    gc.freeze()
    execute(serve(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
