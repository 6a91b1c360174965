"""While an endpoint changes: what is told of it, and golden pictures; and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployment.aws.client import Aws
from deployment.aws.performer import Performer
from deployment.current import cloudwatch, inventory
from deployment.current.running import read, variants_of
from deployment.errors import AnsweredWrong, DeploymentError, EndpointFailed
from deployment.plan import rollout
from deployment.plan.calls import Plan
from deployment.plan.endpoint import look_at, wait_for
from deployment.plan.order import Order
from deployment.plan.state import Running
from deployment.plan.teardown import plan_pruning
from deployment.plan.transition import plan_rollback
from deployment.proof import golden
from deployment.proof.inspection import Inspected
from deployment.terminal.progress import say


@dataclass
class Watch:
    """Called with an endpoint that changes: tells its stage, and checks once what it answers."""

    aws: Aws
    order: Order
    found: Mapping[str, Inspected] = field(default_factory=dict)
    """What golden pictures are in; empty where nothing is to be checked meanwhile."""
    stage: str = ""
    wrong: AnsweredWrong | None = None
    checked: bool = False

    def __call__(self, described: Mapping[str, Any]) -> None:
        """How it stands now."""
        told = "; ".join(stages(described))
        if told and told != self.stage:
            say(told)
        self.stage = told
        if self.found and not self.checked and "Baking" in told:
            self.checked = True
            self.check()

    def check(self) -> None:
        """Golden pictures, while the old machines are still there; a wrong one raises the alarm."""
        try:
            golden.prove(self.aws, self.order, self.found)
        except AnsweredWrong as exc:
            self.wrong = exc
            say(f"{exc}\nSo its alarm is raised, and SageMaker goes back.")
            self.aws.ask(rollout.verdict(self.order.name, 1))
        except DeploymentError as exc:
            say(f"The golden pictures could not be asked yet, and will be at the end. {exc}")


def stages(described: Mapping[str, Any]) -> Iterator[str]:
    """What each variant is at, as SageMaker says it."""
    for variant in described.get("ProductionVariants") or ():
        for status in variant.get("VariantStatus", ()):
            message = status.get("StatusMessage", "").rstrip(".")
            name = variant["VariantName"]
            yield f"{name}: {status['Status']}{f' ({message})' if message else ''}"


# -- the end --------------------------------------------------------------------------------------


def conclude(
    performer: Performer, running: Running, order: Order, config: str, watch: Watch
) -> None:
    """Raise `EndpointFailed` or `AnsweredWrong` where the endpoint is not on `config` for good.

    Whatever came, the alarms are gone then, and what nothing goes back to.
    """
    aws, name = performer.aws, order.name
    back = running.before if running.config == config else running.config
    now = settled(performer, name, config)
    if now.get("EndpointConfigName") != config:
        reasons = " ".join(why(aws, now))
        prune(performer, name, {running.config, running.before})
        if watch.wrong:
            raise AnsweredWrong(f"{watch.wrong} SageMaker went back to {running.config}.")
        raise EndpointFailed(
            f"SageMaker went back to {running.config}; nothing has changed. {reasons}".rstrip()
        )
    prune(performer, name, {config, back})


def settled(performer: Performer, name: str, config: str) -> Mapping[str, Any]:
    """The endpoint, looked at twice if it is not on `config`: nothing in use must be removed."""
    now = performer.aws.look(look_at(name)) or {}
    if now.get("EndpointConfigName") == config:
        return now
    performer.pause()
    performer.perform(Plan(name, performer.aws.region, (wait_for(name),)))
    return performer.aws.look(look_at(name)) or {}


def go_back(performer: Performer, name: str, config: str, error: AnsweredWrong) -> None:
    """From wrong answers to the configuration before. Raises `AnsweredWrong`."""
    if not config:
        raise AnsweredWrong(
            f"{error} There is no configuration to go back to: `python deploy.py update {name}` "
            "with an archive that is right, or `down`."
        ) from error
    say(f"{error}\nGoing back to {config} …")
    running = read(performer.aws, name)
    performer.meanwhile = Watch(performer.aws, running.order)
    performer.perform(plan_rollback(running, config, variants_of(performer.aws, config)))
    prune(performer, name, {config})
    raise AnsweredWrong(f"{error} The endpoint is back on {config}.") from error


def prune(performer: Performer, name: str, kept: set[str]) -> None:
    """Remove what the roll-out leaves behind, but for what is needed."""
    found = inventory.leftovers(performer.aws, name)
    performer.perform(plan_pruning(name, performer.aws.region, found, kept))


def why(aws: Aws, described: Mapping[str, Any]) -> Iterator[str]:
    """Why SageMaker went back: its reason, and the alarms that went off."""
    reason = " ".join(str(described.get("FailureReason") or "").split())
    if reason:
        yield f"Its reason: {reason if reason.endswith('.') else f'{reason}.'}"
    for alarm in cloudwatch.guards(aws, str(described.get("EndpointName", ""))):
        if alarm["StateValue"] == "ALARM":
            yield f"The alarm {alarm['AlarmName']} went off: {alarm.get('StateReason', '')}"
