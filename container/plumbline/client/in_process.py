"""The models of an archive, asked in this process as a server is asked."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from plumbline.archive import manifest
from plumbline.archive.handler_code import Whereabouts
from plumbline.client.base import Answer
from plumbline.errors import ModelError, PlumblineError
from plumbline.handlers.handler_choice import CodeTerms
from plumbline.loading.loader import load_models
from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import ServedModel, one_line
from plumbline.loading.terms import Terms
from plumbline.machine.allocator import reuse_small_blocks_only, tidied_after
from plumbline.machine.openblas import compute_in_calling_threads
from plumbline.pipeline.admission import Deadline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.settings.server_settings import Settings
from plumbline.web import loopback_api
from plumbline.wire.request_options import read_options
from plumbline.wire.requests import Request
from plumbline.wire.responses import encode_error

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@dataclass(frozen=True)
class InProcess:
    """Loaded models behind the `Client` port, within the limits of the settings."""

    models: Registry
    settings: Settings

    @property
    def most_bytes(self) -> int:
        """See `Client.most_bytes`."""
        return self.settings.max_body

    def invoke(self, body: bytes, content_type: str, accept: str, attributes: str) -> Answer:
        """See `Client.invoke`; errors are told as the server tells them, the model's with cause."""
        try:
            return self.answer(body, content_type, accept, attributes)
        except ModelError as exc:
            cause = f" It was: {one_line(str(exc.__cause__))}" if exc.__cause__ else ""
            return told(type(exc)(exc.message + cause))
        except PlumblineError as exc:
            return told(exc)
        except Exception as exc:  # a bug, or a model's: the next picture may do
            return told(PlumblineError(f"{type(exc).__name__}: {exc}"))

    def answer(self, body: bytes, content_type: str, accept: str, attributes: str) -> Answer:
        """The pipeline's answer. Raises a `PlumblineError`."""
        options = read_options(attributes)
        pipeline = self.models.choose(options).pipeline
        headers = {"Content-Type": content_type, "Accept": accept, ATTRIBUTES: attributes}
        request = Request(body, content_type, accept, options, headers=headers)
        deadline = Deadline(self.settings.deadline)
        with tidied_after(len(body)):
            response = pipeline(request, deadline.remaining, Stopwatch())
        return Answer(200, response.content_type, response.body)


def told(error: PlumblineError) -> Answer:
    """An error as the server answers it."""
    encoded = encode_error(error)
    return Answer(error.status, encoded.content_type, encoded.body)


def load(root: Path, settings: Settings, cores: int) -> InProcess:
    """The models of the folder `root`, checked against its golden pictures.

    Raises a `ModelError`.
    """
    reuse_small_blocks_only()
    compute_in_calling_threads()
    loaded: list[Registry] = []
    served = ServedModel(lambda _: loaded[0])
    terms = Terms(
        allow_ops=settings.allow_ops,
        limits=settings.limits,
        cores=cores,
        engine=settings.engine,
        streams=settings.streams,
        most_together=settings.most_together,
        default_model=settings.default_model,
        code=CodeTerms(
            Whereabouts(settings.program, settings.submit_directory),
            settings.install_requirements,
            rest=partial(loopback_api.serve, served, settings),
        ),
    )
    loaded.append(load_models(root, terms, lambda _: None))
    served.load(on_failure=lambda: None)
    return InProcess(loaded[0], settings)


def identity(root: Path) -> str:
    """A SHA-256 of all files of the model folder; that of an archive is its folder's."""
    file = root / manifest.FILE
    sums = manifest.read(file) if file.is_file() else manifest.digests(root)
    return hashlib.sha256(json.dumps(dict(sums), sort_keys=True).encode()).hexdigest()


@contextmanager
def warnings() -> Iterator[list[str]]:
    """What loading warns of while this lasts; where nobody set the log up, it would be lost."""
    kept = Kept(logging.WARNING)
    log = logging.getLogger("plumbline.loading")
    log.addHandler(kept)
    try:
        yield kept.messages
    finally:
        log.removeHandler(kept)


class Kept(logging.Handler):
    """Keeps messages."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.messages.append(record.getMessage())
