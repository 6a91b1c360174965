"""How gunicorn runs the server: one port, processes and threads by the machine, a clean end."""

import contextlib
import gc
import logging
import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from gunicorn import glogging

from plumbline import logs
from plumbline.errors import SettingError
from plumbline.machine import cgroups, process_control
from plumbline.machine.program_name import as_called
from plumbline.settings import environment
from plumbline.telemetry import meter
from plumbline.web import metrics_api, worker_succession

HEARD = "warning"
"""What `--log-level` of gunicorn says where gunicorn's own lines are of no interest."""

process_control.end_at_sigterm()
try:
    chosen = environment.from_environment()
except SettingError as error:
    sys.exit(f"plumbline: {error}")

process_control.gain_no_privileges()
environment.quiet_frameworks()
sizes = chosen.sizes(cgroups.machine())

# For what only one of the workers need find out; without it each does.
shared_memory = "/dev/shm"  # noqa: S108 - folders and files with names of their own in it
shared: str | None = None
for place in (None, shared_memory):  # a read-only container may have the latter alone
    with contextlib.suppress(OSError):
        shared = shared or tempfile.mkdtemp(prefix="plumbline-", dir=place)
worker_succession.NOTES.begin(Path(shared) if shared else None)
wsgi_app = f"plumbline.web.wsgi:application({shared!r})"
bind = f"0.0.0.0:{chosen.port}"
worker_class = "plumbline.web.gunicorn_worker.Worker"
workers = sizes.workers
threads = sizes.threads
backlog = 512
keepalive = 75
# TensorFlow's import keeps the interpreter busy for seconds: no reason to kill a worker.
timeout = 120
graceful_timeout = int(chosen.drain)
# The heartbeat file: memory where there is some, else the temporary folder.
worker_tmp_dir = shared_memory if os.access(shared_memory, os.W_OK) else None
# It would be opened below the home folder, which may not be writable.
control_socket_disable = True
proc_name = "plumbline"


TOLD = {
    ("Worker (pid:%s) exited with code %s.", worker_succession.BOOT_FAILED),
    ("Shutting down: %s", "Master"),
    ("Reason: %s", worker_succession.HALTED),
}
"""What gunicorn says where a server ends without a model, of which the worker has said why."""


def is_news(record: logging.LogRecord) -> bool:
    """Whether a line of gunicorn's says what nobody else does."""
    last = record.args[-1] if isinstance(record.args, tuple) and record.args else None
    return (record.msg, last) not in TOLD


class Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's, without its line for each request: the app writes one that says more."""

    access_log_enabled = False

    def setup(self, cfg: Any) -> None:
        """As the dictionary says; of gunicorn itself less, if its own option says so."""
        super().setup(cfg)
        if cfg.loglevel == HEARD:
            self.error_log.setLevel(logging.WARNING)
            self.error_log.addFilter(is_news)


logger_class = Logger
as_typed = partial(as_called, name=environment.program())
logconfig_dict = logs.configuration(chosen.log_level, chosen.log_format, as_typed)


def on_starting(server: Any) -> None:
    """Say what has no meaning here of another container's settings."""
    worker_succession.on_starting(server)
    if names := environment.ignored():
        logging.getLogger("plumbline.web").warning(
            "These settings have no meaning here and are ignored: %s.", ", ".join(names)
        )


def when_ready(_server: Any) -> None:
    """Import once what all workers need: it is in memory once then, and they boot at once."""
    if chosen.multi_model:
        return  # its one worker holds no model
    from plumbline.archive import accelerated_files
    from plumbline.engines import openvino_networks
    from plumbline.web import wsgi  # noqa: F401

    if accelerated_files.weight(chosen.model_dir) is not None and chosen.engine != "tensorflow":
        openvino_networks.preload()
    gc.collect()
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    """Count a worker no longer, and let another take its place."""
    if shared:
        meter.forget(Path(shared) / metrics_api.FOLDER, worker.pid)
    worker_succession.child_exit(server, worker)


def on_exit(_server: Any) -> None:
    """Tell what has not been told yet, and leave no files behind."""
    try:
        metrics_api.tell_the_rest(chosen, Path(shared) if shared else None)
    finally:
        if shared:
            shutil.rmtree(shared, ignore_errors=True)


def worker_exit(server: Any, worker: Any) -> None:
    """End at once: unwinding would wait for TensorFlow's threads, or crash in them."""
    try:
        if worker.booted:
            worker.wsgi.extensions[metrics_api.TELLING].close()
        worker_succession.worker_exit(server, worker)
    finally:
        os._exit(0)
