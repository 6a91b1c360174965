"""While an endpoint changes: what is told of it, and golden pictures; and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployment.aws.client import Aws
from deployment.aws.performer import Performer
from deployment.current import cloudwatch, inventory
from deployment.current.running import read
from deployment.errors import AnsweredWrong, DeploymentError, EndpointFailed, NotReached
from deployment.plan import rollout
from deployment.plan.calls import Plan
from deployment.plan.endpoint import look_at, wait_for
from deployment.plan.order import Order
from deployment.plan.standing_alarms import standing_steps
from deployment.plan.state import Running
from deployment.plan.teardown import plan_pruning
from deployment.plan.transition import plan_rollback
from deployment.proof import golden
from deployment.proof.inspection import Inspected
from deployment.terminal.progress import say


@dataclass
class Watch:
    """Called with an endpoint that changes: tells its stage, and checks what it answers, once."""

    aws: Aws
    order: Order
    found: Mapping[str, Inspected] = field(default_factory=dict)
    """What golden pictures are in; empty where nothing is to be checked meanwhile."""
    stage: str = ""
    wrong: AnsweredWrong | None = None
    raised: bool = False
    """Whether SageMaker was told of that."""
    checked: bool = False
    unheard: bool = False
    """Whether an answer was lost, which is told once."""

    def __call__(self, described: Mapping[str, Any]) -> None:
        """How it stands now."""
        told = "; ".join(stages(described))
        if told and told != self.stage:
            say(told)
        self.stage = told
        if self.found and not self.checked and "Baking" in told:
            self.check()
        if self.wrong and not self.raised:
            self.aws.ask(rollout.verdict(self.order.name, 1))
            self.raised = True

    def check(self) -> None:
        """Golden pictures, while the old machines are still there; a wrong one raises the alarm.

        Where an answer is lost they are asked again at the next look.
        """
        try:
            golden.prove(self.aws, self.order, self.found)
            self.checked = True
        except AnsweredWrong as exc:
            self.wrong, self.checked = exc, True
            say(f"{exc}\nSo its alarm is raised, and SageMaker rolls back.")
        except NotReached as exc:
            if not self.unheard:
                say(f"The golden pictures could not be asked yet, and will be again. {exc}")
            self.unheard = True
        except DeploymentError as exc:
            self.checked = True
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

    Whatever came, the alarms are gone then, and what nothing rolls back to.
    """
    aws, name = performer.aws, order.name
    back = running.before if running.config == config else running.config
    now = settled(performer, name, config)
    if now.get("EndpointConfigName") != config:
        reasons = " ".join(why(aws, now))
        prune(performer, name, {running.config, running.before})
        if watch.wrong:
            raise AnsweredWrong(f"{watch.wrong} SageMaker rolled back to {running.config}.")
        raise EndpointFailed(
            f"SageMaker rolled back to {running.config}; nothing has changed. {reasons}".rstrip()
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
            f"{error} There is no configuration to roll back to: `python deploy.py update {name}` "
            f"with an archive that is right, or `python deploy.py down {name}`."
        ) from error
    say(f"{error}\nRolling back to {config} …")
    running = read(performer.aws, name)
    performer.meanwhile = Watch(performer.aws, running.order)
    variants = inventory.of_variants(performer.aws, config, "VariantName")
    performer.perform(plan_rollback(running, config, variants))
    prune(performer, name, {config})
    watch_again(performer, running)
    raise AnsweredWrong(f"{error} The endpoint is back on {config}.") from error


def prune(performer: Performer, name: str, kept: set[str]) -> None:
    """Remove what the roll-out leaves behind, but for what is needed."""
    found = inventory.leftovers(performer.aws, name)
    performer.perform(plan_pruning(name, performer.aws.region, found, kept))


def watch_again(performer: Performer, before: Running) -> None:
    """Let the standing alarms look at the variants that there are now."""
    if before.order.alarms:
        order = read(performer.aws, before.order.name).order
        steps = tuple(standing_steps(order))
        performer.perform(Plan(order.name, order.region, steps))


def why(aws: Aws, described: Mapping[str, Any]) -> Iterator[str]:
    """Why SageMaker went back: its reason, and the alarms that went off."""
    reason = " ".join(str(described.get("FailureReason") or "").split())
    if reason:
        yield f"Its reason: {reason if reason.endswith('.') else f'{reason}.'}"
    for alarm in cloudwatch.guards(aws, str(described.get("EndpointName", ""))):
        if alarm["StateValue"] == "ALARM":
            yield f"The alarm {alarm['AlarmName']} went off: {alarm.get('StateReason', '')}"
