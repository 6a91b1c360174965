"""How models are served, whatever archive they come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.archive.discovery import ModelFile
from plumbline.archive.handler_code import Whereabouts
from plumbline.drift.baseline import Baseline
from plumbline.handlers.handler_choice import CodeTerms
from plumbline.handlers.replaced_stages import Handler
from plumbline.links.fetching import Links
from plumbline.loading.batching import Observe, unobserved
from plumbline.machine.sizing import MOST_TOGETHER, Sizes
from plumbline.pipeline.inference import Tally
from plumbline.pipeline.linked_pictures import Fetch, no_links
from plumbline.settings.server_settings import Settings
from plumbline.vision.images import Limits
from plumbline.wire.requests import UNLIMITED


@dataclass(frozen=True)
class Terms:
    """How models are served, whatever archive they come from."""

    limits: Limits = field(default_factory=Limits)
    max_instances: int = 64
    max_parsed: int = UNLIMITED
    """Bytes of memory that the JSON of one request may take."""
    cores: int = 1
    """Of this process, where all of them are busy."""
    cores_alone: int = 1
    """That a lone request may have, where those are more."""
    fetch: Fetch = no_links
    max_fetched: int = 0
    """Bytes of the pictures behind one request's links."""
    engine: str = "auto"
    """One of `variable_values.ENGINES`."""
    streams: int | None = None
    """How many requests of a crowd OpenVINO computes at a time; None for one a core."""
    most_together: int = MOST_TOGETHER
    """Instances of several requests that TensorFlow computes together."""
    parallel_batches: int | None = None
    """How many of those batches it computes at a time; None for one a core."""
    shared: Path | None = None
    """A folder for what the processes of one server need to find out only once."""
    code: CodeTerms = field(default_factory=CodeTerms)
    """How a user's handler is run."""
    handler: Handler | None = None
    """The archive's own, once it is loaded."""
    allow_ops: tuple[str, ...] = ()
    """Operations that a SavedModel may have beside those that compute."""
    default_model: str = ""
    """Which of several answers where none is named; empty for the first by its name."""
    observe: Observe = unobserved
    """Learns how many instances were computed together."""
    tallied: Callable[[Baseline], Tally] | None = None
    """Gives what learns of each picture that the default model answers."""

    def shared_for(self, model: ModelFile) -> Path | None:
        """The part of the shared folder that is one model's."""
        return self.shared and self.shared / f"{model.name}-{model.version}"


def terms_of(chosen: Settings, sizes: Sizes) -> Terms:
    """How the settings want models to be served."""
    return Terms(
        limits=chosen.limits,
        max_instances=chosen.max_instances,
        max_parsed=sizes.parsed,
        cores=sizes.cores,
        cores_alone=sizes.cores_alone,
        engine=chosen.engine,
        streams=chosen.streams,
        most_together=chosen.most_together,
        parallel_batches=chosen.parallel_batches,
        allow_ops=chosen.allow_ops,
        default_model=chosen.default_model,
        fetch=Links(chosen.url_allow, chosen.max_body, chosen.url_timeout).fetch,
        max_fetched=chosen.max_body,
        code=CodeTerms(
            Whereabouts(chosen.program, chosen.submit_directory), chosen.install_requirements
        ),
    )
