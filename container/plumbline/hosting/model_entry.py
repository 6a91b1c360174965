"""One model of a multi-model endpoint, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.hosting.running_model import Running


@dataclass(eq=False)
class Hosted:
    """One model, and what is known of it."""

    name: str
    url: str
    running: Running | None = None
    loaded: bool = False
    """Whether it has been loaded whole; it may be loading again since."""
    busy: int = 0
    """Requests that it is to answer, and loads of it that are under way."""
    unwanted: bool = False
    revived: bool = False
    """Whether its process has ended once, and it was loaded again."""
    renewing: bool = False
    """Whether its process is being replaced."""
    requests: int = 0
    errors: int = 0
    load_seconds: float = 0.0


def entry(hosted: Hosted) -> dict[str, str]:
    """A model as the platform knows it."""
    return {"modelName": hosted.name, "modelUrl": hosted.url}
