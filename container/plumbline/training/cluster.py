"""The machines of a job, and what TensorFlow must know of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from plumbline.training.errors import TrainingError

PORT = 8890
"""Where AWS's TensorFlow containers let the workers listen."""

HOST = "algo-1"
"""What the only machine is called if nobody says."""

GROUP = "homogeneousCluster"

INTERFACE = "eth0"


@dataclass(frozen=True)
class Cluster:
    """The job's hosts, sorted, and this one."""

    hosts: tuple[str, ...] = (HOST,)
    current: str = HOST
    instance_type: str = "local"
    group: str = GROUP
    interface: str = INTERFACE
    document: Mapping[str, Any] = field(default_factory=dict)
    """resourceconfig.json as it is."""

    @property
    def chief(self) -> bool:
        """Whether this is the host that writes the model: those of all hosts would be merged."""
        return self.current == self.hosts[0]

    @property
    def rank(self) -> int:
        """The place of this host among all."""
        return self.hosts.index(self.current)

    @property
    def groups(self) -> Sequence[Mapping[str, Any]]:
        """The instance groups, if the job has some."""
        found: Sequence[Mapping[str, Any]] = self.document.get("instance_groups") or ()
        return found

    def tf_config(self) -> str:
        """What TF_CONFIG says for MultiWorkerMirroredStrategy."""
        workers = [f"{host}:{PORT}" for host in self.hosts]
        task = {"index": self.rank, "type": "worker"}
        return json.dumps({"cluster": {"worker": workers}, "environment": "cloud", "task": task})


def read_cluster(document: Mapping[str, Any]) -> Cluster:
    """What resourceconfig.json says; one machine where it says nothing. Raises `TrainingError`."""
    current = str(document.get("current_host") or HOST)
    hosts = tuple(sorted(map(str, document.get("hosts") or [current])))
    if current not in hosts:
        raise TrainingError(
            f"resourceconfig.json: current_host {current} is not among hosts {', '.join(hosts)}."
        )
    return Cluster(
        hosts=hosts,
        current=current,
        instance_type=str(document.get("current_instance_type") or "local"),
        group=str(document.get("current_group_name") or GROUP),
        interface=str(document.get("network_interface_name") or INTERFACE),
        document=MappingProxyType(dict(document)),
    )
