"""What runs → the order that would make it, read from AWS alone: any machine can go on from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from deployment import names
from deployment.aws import predictor
from deployment.aws.client import Aws
from deployment.current import descriptions, inventory, tags
from deployment.current.tags import is_ours
from deployment.errors import Misuse, Refused
from deployment.plan import components
from deployment.plan.calls import Call, Look
from deployment.plan.endpoint import config_parameters, look_at
from deployment.plan.order import Component, Order
from deployment.plan.scaling import scaling_of
from deployment.plan.standing_alarms import alarms_of
from deployment.plan.state import Described, Running


def read(aws: Aws, name: str, *, stacked: bool = False) -> Running:
    """What runs under a name, also as part of a CloudFormation stack if `stacked`.

    Raises `Refused` where there is nothing, or nothing of ours.
    """
    endpoint = predictor.endpoint(aws, name).described
    own = names.own_tags(inventory.refuse_foreign(aws, endpoint, name, stacked=stacked))
    config = describe(aws, "EndpointConfig", endpoint["EndpointConfigName"])
    listed = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", ())]
    if all("ModelName" in each for each in listed):
        models = {
            model: describe(aws, "Model", model) for model in {each["ModelName"] for each in listed}
        }
        made = descriptions.order(name, aws.region, endpoint, config, models)
        back, component = before(aws, config["EndpointConfigArn"]), None
    else:
        component = described_component(aws, name)
        model = describe(aws, "Model", component["Specification"]["ModelName"])
        made = descriptions.order_of_copies(name, aws.region, component, config, model)
        back = before(aws, model["ModelArn"])
    targets, policies = inventory.scaled(aws, name)
    alarms = inventory.alarms(aws, name)
    watched = alarms_of(name, alarms)
    return Running(
        endpoint,
        replace(made, scaling=scaling_of(targets, policies), alarms=watched, tags=own),
        back,
        targets,
        policies,
        inventory.of_variants(aws, back, "VariantName") if back and not component else (),
        tuple(each["AlarmName"] for each in alarms),
        inventory.dashboards(aws, name),
        component,
    )


def described_component(aws: Aws, name: str) -> Described:
    """The inference component of an endpoint. Raises `Refused` where it is not there."""
    found: Described | None = aws.look(components.look_at(names.component(name)))
    if found is None:
        raise Refused(
            f"The endpoint {name} is for an inference component, and has none: it was not made to "
            "the end, or somebody has removed it. The same "
            "`python deploy.py up` goes on.",
            "not found",
        )
    return found


def refuse_component(running: Running, instead: str) -> None:
    """Raise `Refused` for an inference component, with what the sentence `instead` says to do."""
    name = running.order.name
    if running.component:
        raise Refused(
            f"{name} runs an inference component, and this command knows production variants with "
            f"models only. {instead.format(name=name)}",
            "inference component",
        )


def describe(aws: Aws, kind: str, name: str) -> Described:
    """A model or a configuration. Raises `Refused` where it is gone."""
    found: Described | None = aws.look(
        Look(Call("sagemaker", f"Describe{kind}", {f"{kind}Name": name}))
    )
    if found is None:
        raise Refused(
            f"{name}, which the endpoint runs on, is gone: somebody has removed it, and what runs "
            "can't be read without it. `python deploy.py down` and then `python deploy.py up` make "
            "the endpoint again.",
            "not found",
        )
    return found


def before(aws: Aws, arn: str) -> str:
    """What the tag of a configuration, or of a model, says of the one before it, if anything."""
    return tags.of(aws, arn).get(names.BEFORE, "")


class Owned(Protocol):
    """What names a role, and so an account."""

    @property
    def account(self) -> str:
        """The account's number."""
        ...


# -- before something else is made ----------------------------------------------------------------


def check_account(aws: Aws, order: Owned) -> Described:
    """Who asks. Raises `Misuse` where the role is of another account than the credentials."""
    caller = aws.caller()
    account = caller["Account"]
    if account != order.account:
        raise Misuse(
            f"--role is of the AWS account {order.account}, and your credentials are of {account}. "
            "SageMaker takes roles of its own account only: name one of yours, or choose other "
            "credentials with --profile."
        )
    return caller


def way(order: Order) -> str:
    """What makes the endpoint that is there into what is asked for."""
    if isinstance(order.kind, Component):
        return (
            "It gets an inference component only when it is made: remove it with "
            f"`python deploy.py down {order.name}` first"
        )
    return (
        f"`python deploy.py update {order.name}` changes it while it goes on answering; or remove "
        f"it with `python deploy.py down {order.name}` first"
    )


def state(aws: Aws, order: Order) -> str | None:
    """How an endpoint of this name is. Raises `Refused` for one that is to stay as it is."""
    name, found = order.name, aws.look(look_at(order.name))
    if found is None:
        return None
    if not is_ours(aws, found["EndpointArn"], name):
        raise Refused(
            f"The name {name} is taken: there is an endpoint of that name in {aws.region}, and "
            "deploy.py did not make it. Choose another name.",
            "not ours",
        )
    running, wanted = found["EndpointConfigName"], config_parameters(order)["EndpointConfigName"]
    if running != wanted and found["EndpointStatus"] not in ("Failed", "Deleting"):
        raise Refused(
            f"The endpoint {name} is there already, and runs something else: another archive or "
            f"image, or other options ({running} is not {wanted}). {way(order)}; or choose another "
            "name.",
            "taken",
        )
    return str(found["EndpointStatus"])
