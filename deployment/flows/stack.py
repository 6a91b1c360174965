"""An endpoint as it would be after an update → the template of its CloudFormation stack."""

from __future__ import annotations

from dataclasses import replace

from deployment import names
from deployment.aws import service_model
from deployment.aws.client import Aws
from deployment.current import cloudwatch, tags
from deployment.plan.endpoint import plan_up
from deployment.plan.order import Order
from deployment.plan.state import Running
from deployment.terminal.dry_run import show_template
from deployment.terminal.progress import say


def show(aws: Aws, running: Running, order: Order) -> None:
    """Print the template of `order`; for an endpoint of no stack, say what that means."""
    order = replace(order, log_days=cloudwatch.kept_days(aws, order.name))
    plan = plan_up(order)
    service_model.check(aws, plan)
    show_template(plan, "updated")
    stack = tags.of(aws, running.endpoint["EndpointArn"]).get(names.STACK)
    if stack:
        say(f"It updates the CloudFormation stack {stack}, to which {order.name} belongs.")
    else:
        say(
            f"{order.name} belongs to no CloudFormation stack, and CloudFormation creates only "
            f"what is not there: `python deploy.py down {order.name} {aws.where}` removes it "
            "before a stack is created from this template."
        )
