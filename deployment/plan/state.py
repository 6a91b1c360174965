"""What there is of a deployment, as data: what runs, all that would go, what a roll-out leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deployment.plan.endpoint import STARTING
from deployment.plan.order import Order

Described = Mapping[str, Any]
"""A thing, as AWS describes it."""


@dataclass(frozen=True)
class Running:
    """An endpoint, the order that made it, and the configuration that ran before it."""

    endpoint: Described
    order: Order
    before: str = ""
    targets: tuple[Described, ...] = ()
    policies: tuple[Described, ...] = ()
    """What lets AWS change the number of machines, and by which rules."""
    former: tuple[str, ...] = ()
    """The variants of the configuration before, those that listened included."""
    alarms: tuple[str, ...] = ()
    dashboards: tuple[str, ...] = ()
    component: Described | None = None
    """The inference component, where the variants have no models; `before` is a model then."""

    @property
    def scaled(self) -> tuple[str, ...]:
        """The variants whose number of machines AWS changes."""
        return tuple(each["ResourceId"].rpartition("/")[2] for each in self.targets)

    @property
    def config(self) -> str:
        """The configuration that it is on, or the model that its inference component is of."""
        if self.component:
            return str(self.component["Specification"]["ModelName"])
        return str(self.endpoint["EndpointConfigName"])

    @property
    def coming(self) -> str:
        """The configuration that a roll-out brings; empty where there is none."""
        return str(
            (self.endpoint.get("PendingDeploymentSummary") or {}).get("EndpointConfigName", "")
        )

    @property
    def starting(self) -> bool:
        """Whether SageMaker is at work on it, and lets nobody else be."""
        return self.endpoint["EndpointStatus"] in STARTING

    def machines(self, variant: str) -> int | None:
        """How many machines a variant has now; None where there are none to count."""
        for each in self.endpoint.get("ProductionVariants") or ():
            if each["VariantName"] == variant:
                count: int | None = each.get("DesiredInstanceCount")
                return count
        return None


@dataclass(frozen=True)
class Existing:
    """All that is there of a deployment, as AWS describes it."""

    name: str
    endpoint: Described | None = None
    configs: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    targets: tuple[Described, ...] = ()
    policies: tuple[Described, ...] = ()
    alarms: tuple[str, ...] = ()
    dashboards: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    """Batch jobs that are at work; ended ones cost nothing, and AWS removes them never."""
    objects: tuple[tuple[str, str], ...] = ()
    """Bucket and key."""
    uploads: tuple[tuple[str, str, str], ...] = ()
    """Bucket, key and identifier of an upload that broke off."""
    log_groups: tuple[str, ...] = ()
    log_streams: tuple[tuple[str, str], ...] = ()
    """What jobs have written: groups that others share, and streams in them."""
    buckets: tuple[str, ...] = ()
    """Those that were looked into."""
    trainings: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    """Training jobs and searches that are at work; those that have ended cost nothing."""
    warm: tuple[str, ...] = ()
    """Training jobs that have ended, and whose machines wait for another."""
    records: tuple[tuple[str, str], ...] = ()
    """What SageMaker keeps of training jobs and searches that have ended: kinds and names."""
    components: tuple[str, ...] = ()
    """The inference components of the endpoint."""
    versions: tuple[str, ...] = ()
    """The ARNs of model packages, and of their group at the end."""
    unseen: tuple[str, ...] = ()
    """Why some data can't be seen, and so not removed."""

    @property
    def running(self) -> bool:
        """Whether there is anything but data."""
        return bool(
            self.endpoint
            or self.configs
            or self.models
            or self.targets
            or self.policies
            or self.alarms
            or self.dashboards
            or self.jobs
            or self.trainings
            or self.searches
            or self.warm
        )

    @property
    def data(self) -> bool:
        """Whether there are archives, requests, logs, versions, or records of jobs."""
        logged = self.log_groups or self.log_streams
        return bool(self.objects or self.uploads or logged or self.records or self.versions)


@dataclass(frozen=True)
class Leftovers:
    """What there is of a deployment beside its endpoint."""

    alarms: tuple[str, ...] = ()
    models_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The models of each configuration."""
    models: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    """Models that something else runs on."""
