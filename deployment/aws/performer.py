"""A plan, carried out: what is there stays, what is missing is made, what starts is waited for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath

from deployment.aws import s3
from deployment.aws.client import Aws, filled
from deployment.aws.outage import Outage, Say, silent
from deployment.aws.refusals import in_another_region
from deployment.errors import DeploymentError, EndpointFailed, NotReached, NotYet, Refused
from deployment.plan.calls import (
    Call,
    Look,
    Make,
    Plan,
    Remove,
    Step,
    Upload,
    UploadFolder,
    Wait,
)

PAUSE = 10.0
"""Seconds between two looks."""

MOST_SECONDS = 3 * 3600.0
"""More than SageMaker takes for anything."""

ROLE_LOOKS = 6
"""How often a role is tried again: it takes IAM seconds to let all of AWS know one."""

PRECISION = 1e-6
"""What single precision, in which AWS keeps weights, may differ by."""

GOING = (None, "Deleting", "Stopping")
"""What is found of a thing that is gone, or goes by itself: AWS removes no such thing."""


def idle(_found: Any) -> None:
    """Do nothing."""


@dataclass
class Performer:
    """Carries out plans in one account; `done` tells what is there, in the order of the plan."""

    aws: Aws
    say: Say = silent
    status: Say = silent
    """What is waited for, while it is."""
    meanwhile: Callable[[Any], None] = idle
    """Called, while something is waited for, with what there is of it."""
    done: list[str] = field(default_factory=list)
    begun: str = ""
    """What AWS was asked to make, and has not answered; it may be there."""
    answers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    changed: int = 0

    def perform(self, plan: Plan) -> None:
        """Every step of the plan. Raises a `DeploymentError`; the same plan then goes on there."""
        for step in plan.steps:
            STEPS[type(step)](self, step)

    def make(self, step: Make) -> None:
        """Make a thing that is not there yet, or not as it should be."""
        found = self.look(step.look)
        different = [] if found is None else differing(step.expected, found)
        if different and not step.again:
            raise taken(step, different)
        if found is not None and not different:
            self.keep(step.what, found)
            return
        self.say(f"{step.doing} the {step.what} …")
        call = self.filled(step.call)
        self.begun = step.what
        self.keep(step.what, self.assumed(step, untagged(call) if found else call), made=True)

    def assumed(self, step: Make, call: Call) -> Any:
        """The answer to making, also with a role that AWS does not know yet."""
        for left in reversed(range(ROLE_LOOKS)):
            try:
                return self.made(step, call)
            except NotYet:
                if left == ROLE_LOOKS - 1:
                    self.say(
                        "SageMaker can't use the role, or not yet: AWS needs some seconds to know "
                        f"a new one. Trying again for {ROLE_LOOKS * PAUSE:.0f} s …"
                    )
                self.pause()
        return self.made(step, call)

    def made(self, step: Make, call: Call) -> Any:
        """The answer to making; what is there by now as it should be was made all the same."""
        try:
            return self.aws.ask(call)
        except (Refused, NotReached) as exc:
            found = self.look(step.look)
            if found is None or (step.again and differing(step.expected, found)):
                self.begun = "" if isinstance(exc, Refused) else self.begun
                raise
            return found

    def look(self, look: Look) -> Any:
        """What there is, or None."""
        return self.aws.look(Look(self.filled(look.call), look.found))

    def upload(self, step: Upload) -> None:
        """Upload a file that is not there yet."""
        found = self.aws.look(step.look)
        if found is None:
            self.begun = step.what
            s3.upload(self.aws, step, self.say)
        self.keep(step.what, found or {}, made=found is None)

    def upload_folder(self, step: UploadFolder) -> None:
        """Upload the files that are not there yet."""
        lacking = s3.missing(self.aws, step)
        if lacking:
            self.say(f"Uploading {len(lacking):,} of {len(step.files):,} files: {step.what} …")
            self.begun = step.what
            s3.upload_all(self.aws, step, lacking)
        self.keep(step.what, {}, made=bool(lacking))

    def wait(self, step: Wait) -> None:
        """Look again and again. Raises `EndpointFailed`."""
        started = time.monotonic()
        outage = Outage(self.say)
        while not outage.borne(lambda: self.arrived(step, started)):
            if time.monotonic() > started + MOST_SECONDS:
                raise NotReached(f"The {step.what} is not ready after hours; look again later.")
            self.pause()

    def arrived(self, step: Wait, started: float) -> bool:
        """Whether what is waited for is there; how it is. Raises `EndpointFailed`."""
        found = self.aws.look(step.look)
        state = jmespath.search(step.status, found) if found else "missing"
        if state in step.good:
            return True
        if state in step.bad or found is None:
            raise failed(step, found or {}, str(state))
        self.status(f"The {step.what}: {state}, {time.monotonic() - started:.0f} s")
        self.meanwhile(found)
        return False

    def remove(self, step: Remove) -> None:
        """Remove a thing, and wait until it is gone."""
        self.say(f"Removing the {step.what} …")
        try:
            self.aws.look(Look(step.call))  # what is gone already counts as removed
        except (Refused, NotReached):
            if step.gone is None or self.aws.look(step.gone) not in GOING:
                raise
        if step.gone:
            self.wait_until_gone(step.what, step.gone)
        self.changed += 1
        self.done.append(step.what)

    def wait_until_gone(self, what: str, gone: Look) -> None:
        """Look until nothing is found. Raises `NotReached`."""
        deadline = time.monotonic() + MOST_SECONDS
        outage = Outage(self.say)
        while not outage.borne(lambda: self.aws.look(gone) is None):
            if time.monotonic() > deadline:
                raise NotReached(f"The {what} is still there after hours; look again later.")
            self.status(f"The {what} is going …")
            self.pause()

    def pause(self) -> None:
        """Between two looks."""
        time.sleep(PAUSE)

    def filled(self, call: Call) -> Call:
        """The call with what earlier steps answered."""
        return Call(call.service, call.operation, filled(call.parameters, self.answers))

    def keep(self, what: str, answer: Mapping[str, Any], *, made: bool = False) -> None:
        """Remember what is there."""
        self.begun = ""
        self.answers[what] = answer
        self.changed += made
        self.done.append(what)


def differing(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Where what is there is not as it should be, in words."""
    return [
        f"{key} is {found.get(key)!r}, not {value!r}"
        for key, value in expected.items()
        if not same(found.get(key), value)
    ]


def untagged(call: Call) -> Call:
    """A call that changes a thing: AWS takes tags only when it is made, and keeps them."""
    if call.operation == "AddTags":
        return call
    kept = {key: value for key, value in call.parameters.items() if key != "Tags"}
    return Call(call.service, call.operation, kept)


def same(found: Any, wanted: Any) -> bool:
    """Whether what AWS describes is what was asked for; what AWS adds by itself doesn't count."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            same(found.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, float) and isinstance(found, int | float):
        return math.isclose(found, wanted, rel_tol=PRECISION)
    return bool(found == wanted)


def taken(step: Make, different: list[str]) -> DeploymentError:
    """A thing of this name is there, and another one."""
    if region := step.expected.get("BucketRegion"):
        return in_another_region(step.call.parameters["Bucket"], region)
    advice = (
        "`python deploy.py update` changes it; `python deploy.py down` removes it; or choose "
        "another name."
    )
    if step.doing == "Starting":
        advice = "Give the same command again: another time makes another name."
    return Refused(
        f"The {step.what} is there already, and not as asked for: {'; '.join(different)}. {advice}",
        "taken",
    )


def failed(step: Wait, found: Mapping[str, Any], state: str) -> EndpointFailed:
    """It did not come up: why, as AWS says it."""
    reason = str(found.get("FailureReason", "")).strip() or "AWS gives no reason."
    return EndpointFailed(f"The {step.what} is {state}: {reason}")


STEPS: Mapping[type[Step], Callable[[Performer, Any], None]] = {
    Make: Performer.make,
    Upload: Performer.upload,
    UploadFolder: Performer.upload_folder,
    Wait: Performer.wait,
    Remove: Performer.remove,
}
