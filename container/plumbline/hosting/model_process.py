"""Runs inside a model's own process: load it, then answer.

The server holds the other end of `control`. It hears `{"loaded": facts}` or `{"failed": reason}`,
and then sends a socket for every connection that it wants, each answered by a thread here. When it
closes its end, this process ends.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from plumbline import logs
from plumbline.errors import PlumblineError
from plumbline.handlers.code_timeout import Cutoff
from plumbline.hosting import messages
from plumbline.hosting.frames import Frame, receive, send
from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import ServedModel, reason_of
from plumbline.machine import process_control
from plumbline.machine.allocator import tidied_after
from plumbline.machine.process_health import MOST_HANGING
from plumbline.pipeline.admission import Deadline
from plumbline.pipeline.stopwatch import Stopwatch

log = logging.getLogger("plumbline.hosting")

Open = Callable[[Mapping[str, Any], Cutoff], ServedModel]
"""An order → its models, yet to be loaded: `plumbline.web.model_service.hosted_model`."""


def serve(control: socket.socket, order: Mapping[str, Any], open_model: Open) -> None:
    """Load the model that the order names, and answer until the server hangs up."""
    process_control.end_with_parent()
    process_control.end_first()
    process_control.name_it("plumbline-model")
    logs.name_model(order["name"])
    cutoff = Cutoff()
    try:
        models = tidied(open_model(order, cutoff).load_now())
    except Exception as exc:  # the one place where a failure becomes an answer to who loads it
        log.exception("The model failed to load.")
        send(control, Frame({"failed": reason_of(exc), "memory": isinstance(exc, MemoryError)}))
        return
    send(control, Frame({"loaded": facts(models)}))
    while connection := next_connection(control):
        threading.Thread(target=converse, args=(connection, models, cutoff), daemon=True).start()
    os._exit(0)  # unwinding would wait for TensorFlow's threads


def tidied(models: Registry) -> Registry:
    """The models, once what their loading has left is given back: measured, 8 of 29 MB."""
    with tidied_after(None):
        gc.collect()
    return models


def facts(models: Registry) -> dict[str, Any]:
    """What is known of the models once they are loaded."""
    return {
        "models": [str(model) for model in models.models],
        "engine": models.default.pipeline.engine.name,
        "goldens": sum(model.pipeline.facts.goldens for model in models.models),
        "worstRatio": max(model.pipeline.facts.worst_ratio for model in models.models),
    }


def next_connection(control: socket.socket) -> socket.socket | None:
    """The next connection that the server opens; None at the end."""
    _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
    return socket.socket(fileno=descriptors[0]) if descriptors else None


def converse(connection: socket.socket, models: Registry, cutoff: Cutoff) -> None:
    """Answer one request after the other."""
    with connection:
        while True:
            try:
                send(connection, reply(receive(connection), models))
            except (EOFError, OSError):  # the server has gone, or no longer waits for the answer
                return
            end_where_code_hangs(cutoff)


def end_where_code_hangs(cutoff: Cutoff) -> None:
    """End this process once too many threads of its handler hang; the server starts another."""
    if cutoff.hanging >= MOST_HANGING:
        log.error("%d threads of the handler hang; the process is replaced.", cutoff.hanging)
        os._exit(1)


def reply(frame: Frame, models: Registry) -> Frame:
    """The answer to a request; whatever goes wrong is one too."""
    asked = messages.to_asked(frame)
    logs.OF_REQUEST.set(asked.trace)
    try:
        return messages.from_answered(answered(asked, models))
    except PlumblineError as exc:
        if exc.status == 500:
            log.exception("Request %s failed.", asked.id)
        return messages.from_error(exc)
    except (Exception, SystemExit):  # a bug, or a model's; no thread ends for it
        log.exception("Request %s failed unexpectedly.", asked.id)
        return messages.from_error(
            PlumblineError(f"The server failed on this request; see its log for id {asked.id}.")
        )


def answered(asked: messages.Asked, models: Registry) -> messages.Answered:
    """The model that is meant, its links, the pipeline."""
    deadline, watch, request = Deadline(asked.seconds), Stopwatch(), asked.request
    model = models.choose(request.options)
    with tidied_after(len(request.body)):
        request = model.pipeline.with_pictures(request, deadline.remaining, watch)
        response = model.pipeline(request, deadline.remaining, watch)
    pictures = (watch.answered, watch.refused)
    return messages.Answered(response, str(model), watch.laps, pictures)
