"""Around a plan that brings a model up: looking first, proving after, explaining a failure."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deployment import names
from deployment.aws import predictor
from deployment.aws.client import Aws
from deployment.aws.refusals import is_missing, refusal, unreached
from deployment.cli import say
from deployment.current import cloudwatch
from deployment.errors import EndpointFailed, Misuse, Refused
from deployment.plan import teardown
from deployment.plan.calls import Call
from deployment.plan.endpoint import config_parameters, look_at
from deployment.plan.order import Archive, Order
from deployment.proof import causes, golden, inspection
from deployment.proof.inspection import Inspected

LINES = 15
"""Of the log that are shown where a container failed."""


def check_account(aws: Aws, order: Order) -> None:
    """Raise `Misuse` where the role is of another account than the credentials."""
    account = aws.account()
    if account != order.account:
        raise Misuse(
            f"--role is of the AWS account {order.account}, and your credentials are of {account}. "
            "SageMaker takes roles of its own account only: name one of yours, or choose other "
            "credentials with --profile."
        )


def state(aws: Aws, order: Order) -> str | None:
    """How an endpoint of this name is. Raises `Refused` for one that is to stay as it is."""
    name, found = order.name, aws.look(look_at(order.name))
    if found is None:
        return None
    if not teardown.is_ours(aws, found["EndpointArn"], name):
        raise Refused(
            f"The name {name} is taken: there is an endpoint of that name in {aws.region}, and "
            "deploy.py did not make it. Choose another name.",
            "not ours",
        )
    running, wanted = found["EndpointConfigName"], config_parameters(order)["EndpointConfigName"]
    if running != wanted and found["EndpointStatus"] not in ("Failed", "Deleting"):
        raise Refused(
            f"The endpoint {name} is there already, and runs something else: another archive or "
            f"image, or other options ({running} is not {wanted}). `python deploy.py update "
            f"{name}` changes it while it goes on answering; or remove it with `down` first, or "
            "choose another name.",
            "taken",
        )
    return str(found["EndpointStatus"])


# -- before -------------------------------------------------------------------------------------


@contextmanager
def inspected(aws: Aws, order: Order, *, skip: bool) -> Iterator[Mapping[str, Inspected]]:
    """What is in each variant's archive, by the variant's name. Raises `Misuse`."""
    if skip:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="plumbline-archive-") as folder:
        files = {each.name: local(aws, each.archive, Path(folder)) for each in order.all_variants}
        known = {file: inspection.inspect(file) for file in set(files.values())}
        for file, found in known.items():
            if not found.goldens:
                say(
                    f"{file} has no golden pictures: nobody will check the endpoint's answers. "
                    "plumbline pack --golden puts some in."
                )
        yield {name: known[file] for name, file in files.items()}


def local(aws: Aws, wanted: Archive, folder: Path) -> Path:
    """The archive as a file of this machine: one that lies in S3 is fetched to be looked at."""
    if wanted.file:
        return wanted.file
    bucket, key = predictor.place(wanted.url)
    file = folder / f"{names.fingerprint({'url': wanted.url})}.tar.gz"
    say(f"Fetching {wanted.url} to look into it …")
    try:
        aws.client("s3").download_file(bucket, key, str(file))
    except ClientError as exc:
        if is_missing(exc):
            raise Misuse(
                f"There is no object {wanted.url}. `aws s3 ls s3://{bucket}/` shows what is there."
            ) from exc
        call = Call("s3", "GetObject", {"Bucket": bucket, "Key": key})
        raise refusal(exc, call, aws.region) from exc
    except (BotoCoreError, OSError) as exc:
        raise unreached(exc) from exc
    return file


# -- after --------------------------------------------------------------------------------------


def prove(aws: Aws, order: Order, found: Mapping[str, Inspected]) -> None:
    """The golden pictures of each variant, through the endpoint. Raises `AnsweredWrong`."""
    if not found:
        return
    endpoint = predictor.endpoint(aws, order.name)
    if endpoint.answers_to and len(order.variants) > 1:
        say("An async endpoint does not let one choose a variant; its answers were not checked.")
        return
    for variant in order.variants:
        golden.check(endpoint, found[variant.name], variant.name, say)


@contextmanager
def explained(aws: Aws, name: str) -> Iterator[None]:
    """Let a failed endpoint say why: SageMaker's reason, the log's end, the likeliest cause."""
    try:
        yield
    except EndpointFailed as exc:
        raise EndpointFailed("\n".join(explanation(aws, name, exc))) from exc


def explanation(aws: Aws, name: str, error: Any) -> Iterator[str]:
    """All that is known of a failure, a line each."""
    lines, problem = cloudwatch.tried(aws, name, LINES)
    yield str(error)
    if lines:
        yield "The last lines of its log:"
        yield from (f"  {line}" for line in lines)
    elif problem:
        yield problem
    yield f"The likeliest cause: {causes.cause(str(error), (line.text for line in lines))}"
