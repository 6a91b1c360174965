"""How gunicorn runs the server: one port, processes and threads by the machine, a clean end."""

import gc
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from gunicorn import glogging

from plumbline import logs
from plumbline.errors import SettingError
from plumbline.machine import cgroups
from plumbline.settings import environment
from plumbline.web import worker_succession

try:
    chosen = environment.from_environment()
except SettingError as error:
    sys.exit(f"plumbline: {error}")

environment.quiet_frameworks()
sizes = chosen.sizes(cgroups.machine())

# For what only one of the workers need find out; without it each does.
try:
    shared = tempfile.mkdtemp(prefix="plumbline-")
except OSError:
    shared = None
worker_succession.NOTES.begin(Path(shared) if shared else None)
child_exit = worker_succession.child_exit

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
shared_memory = "/dev/shm"  # noqa: S108 - gunicorn makes a file of its own in it
worker_tmp_dir = shared_memory if os.access(shared_memory, os.W_OK) else None
# It would be opened below the home folder, which may not be writable.
control_socket_disable = True
proc_name = "plumbline"


class Logger(glogging.Logger):
    """gunicorn's, without its line for each request: the app writes one that says more."""

    access_log_enabled = False


logger_class = Logger
logconfig_dict = logs.configuration(chosen.log_level, chosen.log_format)


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
    from plumbline.engines import openvino
    from plumbline.web import wsgi  # noqa: F401

    if accelerated_files.weight(chosen.model_dir) is not None and chosen.engine != "tensorflow":
        openvino.preload()
    gc.collect()
    gc.freeze()


def on_exit(_server: Any) -> None:
    """Leave no files behind."""
    if shared:
        shutil.rmtree(shared, ignore_errors=True)


def worker_exit(server: Any, worker: Any) -> None:
    """End at once: unwinding would wait for TensorFlow's threads, or crash in them."""
    worker_succession.worker_exit(server, worker)
    os._exit(0)
