"""An archive's code → the handler that stands around its models."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.archive.contents import Archive
from plumbline.archive.handler_code import Whereabouts
from plumbline.archive.handler_functions import SERVING
from plumbline.handlers import requirements, user_code
from plumbline.handlers.code_timeout import Cutoff
from plumbline.handlers.replaced_stages import Handler
from plumbline.handlers.tf_serving_handlers import ServingHandler
from plumbline.handlers.toolkit_handlers import ready

log = logging.getLogger("plumbline.loading")


@dataclass(frozen=True)
class CodeTerms:
    """How the user's code of an archive is found and run."""

    whereabouts: Whereabouts = field(default_factory=Whereabouts)
    may_install: bool = False
    """Whether what code/requirements.txt names may be installed when the model is loaded."""
    cutoff: Cutoff = field(default_factory=Cutoff)
    rest: Callable[[], str] = str
    """Where TensorFlow Serving's REST API of this process is: `http://127.0.0.1:1234`."""


def load(
    archive: Archive, terms: CodeTerms, shared: Path | None, say: Callable[[str], None]
) -> Handler | None:
    """The handler of an archive that has one. Raises a `HandlerError`."""
    code = archive.code
    if code is None:
        return None
    installed = requirements.ensure(code, terms.may_install, shared, say)
    say(f"{code.name} is being imported.")
    stages = user_code.load(code, installed)
    log.info("%s is called for every request: %s.", code.name, ", ".join(stages))
    if stages.keys() <= SERVING.keys():
        return ServingHandler(stages, terms.rest())
    if "model_fn" in stages:
        say(f"model_fn in {code.name} is loading the model.")
    return ready(stages, str(archive.root))
