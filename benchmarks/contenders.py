"""Who is measured: Plumbline in its forms, its peers, and the limits that no server can pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
CONTAINER = HERE.parent / "container"


@dataclass(frozen=True)
class Contender:
    """A server. `how` says in a few words how it is set up; `needs` names programs it calls.

    `form` is how it wants a picture (`answers.FORMS`), `tolerance` how far its answers may be from
    TensorFlow's, of values from 0 to 1. `budget` is the archive that Plumbline serves
    (`models.BUDGETS`).
    """

    name: str
    title: str
    how: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    path: str = "/invocations"
    form: str = "picture"
    peer: bool = True
    tolerance: float = 1e-4
    budget: str = "exact"

    @property
    def requirements(self) -> Path:
        """The packages of its own environment."""
        return HERE / "peers" / self.name / "requirements.txt"


def plumbline(name: str, title: str, how: str, engine: str = "auto", **others: object) -> Contender:
    """Plumbline as the container starts it, from this tree."""
    return Contender(
        name=name,
        title=title,
        how=how,
        command=(str(CONTAINER / "serve"), "serve"),
        environment={"PYTHONPATH": str(CONTAINER), "PLUMBLINE_ENGINE": engine},
        peer=False,
        **others,  # type: ignore[arg-type]
    )


def budgeted(percent: str) -> Contender:
    """Plumbline with whatever keeps so many of the original's answers; packing has counted them."""
    return plumbline(
        f"plumbline-{percent}",
        f"Plumbline, {percent} %",
        f"packed to keep {percent} % of the original's answers, whatever the difference",
        budget=percent,
        tolerance=1e3,
    )


def peer(name: str, title: str, how: str, **others: object) -> Contender:
    """A peer: a folder below `peers/` with `serve.sh` and its `requirements.txt`."""
    command = (str(HERE / "peers" / name / "serve.sh"),)
    return Contender(name=name, title=title, how=how, command=command, **others)  # type: ignore[arg-type]


CONTENDERS: tuple[Contender, ...] = (
    plumbline("plumbline", "Plumbline", "packed with the default budget: differences of 1e-5"),
    budgeted("99.5"),
    budgeted("98"),
    plumbline("plumbline-tensorflow", "Plumbline, TensorFlow", "held to TensorFlow", "tensorflow"),
    peer(
        "aws",
        "AWS sample stack",
        "nginx, gunicorn with a sync worker a core, Flask, TensorFlow",
        needs=("nginx",),
    ),
    peer("litserve", "LitServe", "one worker, batches of up to 8, waiting 10 ms at most"),
    peer("bentoml", "BentoML", "adaptive batches of up to 8; an API worker a core"),
    peer(
        "mlserver",
        "MLServer",
        "one worker, adaptive batches of up to 8, waiting 10 ms at most; V2 protocol",
        path="/v2/models/served/infer",
        form="v2",
    ),
    peer(
        "toolkit",
        "SageMaker inference toolkit",
        "multi-model-server, a worker a core",
        needs=("java",),
    ),
    peer("ray", "Ray Serve", "one replica, batches of up to 8, waiting 10 ms at most"),
)


@dataclass(frozen=True)
class Limit:
    """Decoding, preprocessing and inference in threads of one process, without any server."""

    name: str
    title: str


LIMITS = (
    Limit("tensorflow", "bare loop, TensorFlow's session"),
    Limit("openvino", "bare loop, OpenVINO f32"),
)

QUICK = ("plumbline", "plumbline-tensorflow", "aws")


def chosen(names: list[str]) -> tuple[Contender, ...]:
    """Those that are named, in their own order. Raises `ValueError` for unknown names."""
    known = [each.name for each in CONTENDERS]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not among {', '.join(known)}.")
    return tuple(each for each in CONTENDERS if each.name in names)
