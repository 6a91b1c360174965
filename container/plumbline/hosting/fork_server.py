"""The process that models' processes are forked from: all that is heavy is imported once.

A fork takes milliseconds and shares its parent's memory, where starting Python and importing
OpenVINO would take half a second and 40 MB, and TensorFlow 3.5 seconds and 300 MB. A fork is safe
because nothing here starts a thread or computes: OpenVINO and TensorFlow are imported, no more.

It is told what to do in lines of JSON, over the socket that is its standard input, and ends when
that is closed: `{"fork": …}`, with a socket for the new process, is answered by `{"forked": pid}`
(or `{"refused": reason}`), and `{"kill": pid}` by nothing. For every process that has ended it says
`{"ended": pid, "status": number}`; since it alone waits for them, it kills no stranger that has got
the number of one that is gone.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import logging.config
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from plumbline import logs
from plumbline.engines import openvino_networks, tensorflow
from plumbline.hosting import model_process
from plumbline.loading import never_packed_process
from plumbline.machine import allocator, child_process, process_control
from plumbline.settings import environment

PRELOADED: Mapping[str, Callable[[], Any]] = {
    "openvino": openvino_networks.preload,
    "tensorflow": tensorflow.preload,
}


class Zygote:
    """The loop of that process."""

    def __init__(self, orders: socket.socket, open_model: model_process.Open) -> None:
        self._orders = orders
        self._open_model = open_model
        self._lines = b""
        self._sockets: list[int] = []
        self._woken, wakes = os.pipe()
        for end in (self._woken, wakes):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        """Do what is ordered, until nobody is left to order anything."""
        poll = select.poll()
        for descriptor in (self._orders.fileno(), self._woken):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._woken in ready:
                os.read(self._woken, 4096)
                self.bury()
            if self._orders.fileno() in ready and not self.listen():
                return

    def listen(self) -> bool:
        """Do what has been said; false at the end."""
        data, sockets, _, _ = socket.recv_fds(self._orders, 65536, 8)
        self._sockets += sockets
        *lines, self._lines = (self._lines + data).split(b"\n")
        for line in lines:
            self.obey(json.loads(line))
        return bool(data)

    def obey(self, order: Mapping[str, Any]) -> None:
        """Do one thing."""
        if "kill" in order:
            process_control.kill(order["kill"])
            return
        descriptor = self._sockets.pop(0)
        try:
            pid = os.fork()
        except OSError as exc:  # neither memory nor room for one more process
            self.say(refused=str(exc))
        else:
            if pid == 0:
                self.become(descriptor, order["fork"])
            self.say(forked=pid)
        os.close(descriptor)

    def become(self, descriptor: int, order: Mapping[str, Any]) -> None:
        """In the new process: serve a model, and never come back."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._orders.close()
            os.setpgid(0, 0)
            model_process.serve(socket.socket(fileno=descriptor), order, self._open_model)
        finally:
            os._exit(1)

    def bury(self) -> None:
        """Say which processes have ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.say(ended=pid, status=os.waitstatus_to_exitcode(status))

    def say(self, **content: Any) -> None:
        """Tell the server something."""
        self._orders.sendall(json.dumps(content).encode() + b"\n")


def main() -> None:
    """`python -m plumbline.hosting.fork_server OPENER [openvino|tensorflow …]`."""
    chosen = environment.from_environment()
    logging.config.dictConfig(logs.configuration(chosen.log_level, chosen.log_format))
    environment.quiet_frameworks()
    allocator.reuse_small_blocks_only()
    opener, *frameworks = sys.argv[1:]
    for name in frameworks:
        with contextlib.suppress(ModuleNotFoundError):  # who needs it will be told as he loads
            PRELOADED[name]()
    if "tensorflow" in frameworks:
        child_process.FORKED.add(never_packed_process.__name__)
    module, _, function = opener.partition(":")
    open_model: model_process.Open = getattr(importlib.import_module(module), function)
    orders = socket.socket(fileno=os.dup(0))
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)  # whatever a handler reads there, it is not our orders
    gc.collect()
    gc.freeze()  # a collection would write to every object, and unshare its page
    with orders:
        Zygote(orders, open_model).run()


if __name__ == "__main__":
    main()
