"""What is ordered: the options of `up` and `update`, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_VARIANT = "all"
"""The name of the only variant, where none is named."""

IN_COOLDOWN, OUT_COOLDOWN = 300, 60
"""Seconds after a machine less, and after one more, in which there is no other."""


@dataclass(frozen=True)
class Archive:
    """A model.tar.gz: a file here with the SHA-256 of its bytes, or an object in S3.

    Or what is in one as a folder in S3, whose `url` ends in /, or a `package` of the registry.
    """

    file: Path | None = None
    sha256: str = ""
    url: str = ""
    package: str = ""
    """Its ARN."""


@dataclass(frozen=True)
class Variant:
    """One of several models behind an endpoint, and its share of the requests."""

    name: str
    archive: Archive
    weight: float = 1.0


def as_kept(weight: float) -> float:
    """A weight to the six digits that are left of it: AWS keeps 0.1 as 0.10000000149011612."""
    return float(f"{weight:.6g}")


@dataclass(frozen=True)
class RealTime:
    """Machines that answer at once, and cost while they exist; `pools` stand in for them."""

    instance: str = "ml.c5.large"
    count: int = 1
    pools: tuple[str, ...] = ()


@dataclass(frozen=True)
class Serverless:
    """Memory in MB by the request; costs while it answers, and starts slowly after a pause."""

    memory: int
    concurrency: int = 5
    provisioned: int = 0


@dataclass(frozen=True)
class Async:
    """Machines that answer in their own time: the answers go to S3."""

    output: str
    instance: str = "ml.c5.large"
    count: int = 1
    concurrency: int = 4
    success_topic: str = ""
    error_topic: str = ""


@dataclass(frozen=True)
class Component:
    """An inference component: copies of a model that share machines; `count` of them at first."""

    memory: int
    """MB of a copy."""
    instance: str = "ml.c5.large"
    count: int = 1
    cpus: float = 1.0


Kind = RealTime | Serverless | Async | Component


@dataclass(frozen=True)
class Network:
    """Where containers run, and what they reach."""

    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    isolated: bool = False


@dataclass(frozen=True)
class Capture:
    """Requests and answers that are kept in S3, so many of a hundred; JSON as it is, if `json`."""

    url: str
    percent: int = 100
    json: bool = True


@dataclass(frozen=True)
class Alarms:
    """The SNS topic that alarms tell, and milliseconds that 99 of 100 answers may take."""

    topic: str
    latency: float = 5000.0


@dataclass(frozen=True)
class Timeouts:
    """Seconds that SageMaker waits at a start; None leaves it its own."""

    health: int | None = None
    download: int | None = None


@dataclass(frozen=True)
class Scaling:
    """How many machines there may be, and what one of them should have to do.

    `target` counts requests a minute for `metric` "invocations", requests at a time for
    "concurrency", and waiting requests for "backlog" (async).
    """

    least: int
    most: int
    target: float
    metric: str = "invocations"
    in_cooldown: int = IN_COOLDOWN
    out_cooldown: int = OUT_COOLDOWN


@dataclass(frozen=True)
class Order:
    """All of what `up` was asked for."""

    name: str
    region: str
    role: str
    image: str
    variants: tuple[Variant, ...]
    kind: Kind = field(default_factory=RealTime)
    shadow: Variant | None = None
    bucket: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    network: Network = field(default_factory=Network)
    kms_key: str = ""
    capture: Capture | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    scaling: Scaling | None = None
    metrics: int = 0
    """Seconds between two collections of the container's metrics; 0 for none."""
    alarms: Alarms | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """Those of one's own."""
    routing: str = ""
    """SageMaker's RoutingStrategy; empty leaves it its own, RANDOM."""
    data_key: str = ""
    """The KMS key for what is captured, and for the answers of async endpoints."""
    multi: bool = False
    """Whether the endpoint serves all archives of a folder, each by its name."""
    log_days: int | None = None
    """How long CloudWatch keeps the log; None for ever."""

    @property
    def account(self) -> str:
        """The AWS account, as the role names it."""
        return self.role.split(":")[4]

    @property
    def all_variants(self) -> tuple[Variant, ...]:
        """The variants that answer, and the one that only listens."""
        return (*self.variants, self.shadow) if self.shadow else self.variants
