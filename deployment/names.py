"""One name → the names of everything that is made for it, and the tags that say so."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from deployment.errors import Misuse

FORM = re.compile(r"(?=.{1,45}$)[a-zA-Z0-9](-*[a-zA-Z0-9])*")
"""SageMaker takes 63 characters; the rest is for what is appended."""

HASH = 8
"""Hexadecimal digits of a fingerprint."""

TAG = "plumbline:name"
"""The tag by which everything of a deployment is found again."""

MADE_BY = "plumbline:made-by"

STACK = "aws:cloudformation:stack-name"
"""The tag that CloudFormation puts on what it makes."""

BEFORE = "plumbline:before"
"""The tag by which a configuration names the one that ran before it."""

Tags = list[dict[str, str]]

NONE: Mapping[str, str] = MappingProxyType({})

MOST_TAGS = 8


def near(word: str, known: Iterable[str]) -> str:
    """“Did you mean …?”, where one of these is much like the word."""
    found = difflib.get_close_matches(word, known, 1, 0.5)
    return f" Did you mean {found[0]}?" if found else ""


def check_name(name: str) -> str:
    """The name. Raises `Misuse` for one that AWS would not take."""
    if not FORM.fullmatch(name):
        raise Misuse(
            f"{name!r} can't be the name of an endpoint: at most 45 letters, digits and hyphens "
            "inside, such as cats or bees-2."
        )
    return name


def fingerprint(parameters: Mapping[str, Any]) -> str:
    """What the same parameters always give, and others don't."""
    text = json.dumps(parameters, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH]


def versioned(name: str, parameters: Mapping[str, Any]) -> str:
    """The name of a model or a configuration: it follows from what is in it."""
    return f"{name}-{fingerprint(parameters)}"


def is_of(name: str, resource: str) -> bool:
    """Whether a model or a configuration may be one of this deployment, by its name."""
    return re.fullmatch(rf"{re.escape(name)}-[0-9a-f]{{{HASH}}}", resource) is not None


def tags(name: str, own: Mapping[str, str] = NONE) -> Tags:
    """The tags of everything, as SageMaker, CloudWatch and IAM take them; `own` are the user's."""
    ours = {TAG: name, MADE_BY: "deploy.py"}
    return [{"Key": key, "Value": value} for key, value in {**own, **ours}.items()]


def tag_problems(own: Mapping[str, str]) -> Iterator[str]:
    """What AWS would not take of tags of one's own, a sentence each."""
    if len(own) > MOST_TAGS:
        yield (
            f"There are {len(own)} tags: S3 takes 10 on an object, and two are deploy.py's, which "
            f"leaves {MOST_TAGS}."
        )
    for key, value in own.items():
        option = f"--tag {key}={value}"
        if key.lower().startswith(("aws:", "plumbline:")):
            yield f"{option}: keys that begin with aws: or plumbline: are taken. Choose another."
        if not 1 <= len(key) <= 128 or len(value) > 256:
            yield f"{option}: a key has 1 to 128 characters, and a value at most 256."
        if odd := sorted({each for each in key + value if not taggable(each)}):
            yield (
                f"{option}: AWS takes letters, digits, spaces and _ . : / = + - @ in tags, not "
                f"{' '.join(map(repr, odd))}."
            )
    folded = [key.lower() for key in own]
    for key in own:
        if folded.count(key.lower()) > 1:
            yield f"--tag {key}: there are two keys that differ by their case alone; IAM takes one."


def taggable(character: str) -> bool:
    """Whether a tag may have it, by Unicode's categories for letters, spaces and numbers."""
    return character in "_.:/=+-@" or unicodedata.category(character)[0] in "LZN"


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Those that are the user's own."""
    return {key: value for key, value in tags.items() if not key.startswith(("plumbline:", "aws:"))}


def default_bucket(region: str, account: str) -> str:
    """The bucket that the SageMaker SDK uses, too; AWS's own policy for roles lets it be read."""
    return f"sagemaker-{region}-{account}"


def prefix(name: str) -> str:
    """Where in the bucket everything of a deployment lies."""
    return f"plumbline/{name}/"


def models(name: str) -> str:
    """Where the archives of a multi-model endpoint lie."""
    return f"{prefix(name)}models/"


def archive_name(model: str | None) -> str:
    """A model of a multi-model endpoint as SageMaker is told it, by either name; none for none."""
    return f"{model.removesuffix('.tar.gz')}.tar.gz" if model else ""


def component(name: str) -> str:
    """The inference component of an endpoint."""
    return name


def archive_key(name: str, sha256: str) -> str:
    """Where an archive lies; another content lies elsewhere."""
    return f"{prefix(name)}{sha256[:16]}/model.tar.gz"


def scalable(name: str, variant: str) -> str:
    """What Application Auto Scaling calls a variant."""
    return f"endpoint/{name}/variant/{variant}"


def copies(name: str) -> str:
    """What it calls the copies of an inference component."""
    return f"inference-component/{component(name)}"


def is_scaled(name: str, resource: str) -> bool:
    """Whether what it scales is of this deployment."""
    return resource.startswith(scalable(name, "")) or resource == copies(name)


def alarm(name: str, what: str) -> str:
    """The name of an alarm; all of a deployment begin with `alarm(name, "")`."""
    return f"plumbline/{name}/{what}"


def dashboard(name: str) -> str:
    """The name of the dashboard: letters, digits, hyphens and underscores are all that it takes."""
    return f"plumbline-{name}"


JOB_LOGS = "/aws/sagemaker/TransformJobs"
"""Where SageMaker writes what the containers of all batch jobs say."""

TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"
"""The same of all training jobs, those of searches included."""

REQUEST = "plumbline:request"
"""The tag by which a job says what it was asked for: the same request is not made twice."""


def timed(name: str, now: datetime) -> str:
    """The name of a job: it can't be changed, and most can't be used again, so it has the time."""
    return f"{name}-{now:%Y%m%d-%H%M%S}"


def is_timed(name: str, job: str) -> bool:
    """Whether a batch or training job may be one of this deployment, by its name."""
    return re.fullmatch(rf"{re.escape(name)}-\d{{8}}-\d{{6}}", job) is not None


def name_of(job: str) -> str:
    """The name of the deployment that a training job is of."""
    searched = search_of(job)
    return re.sub(r"-\d{12}$", "", searched) if searched else re.sub(r"-\d{8}-\d{6}$", "", job)


def search(name: str, now: datetime) -> str:
    """The name of a search for hyperparameters: SageMaker takes 32 characters."""
    return f"{name}-{now:%y%m%d%H%M%S}"


def is_search(name: str, job: str) -> bool:
    """Whether a search may be one of this deployment, by its name."""
    return re.fullmatch(rf"{re.escape(name)}-\d{{12}}", job) is not None


def search_of(job: str) -> str:
    """The search that a training job may be a trial of, by its name; empty for none."""
    found = re.fullmatch(r"(.+-\d{12})-\d{3,}-[0-9a-f]{6,}", job)
    return found[1] if found else ""


def front_log(stack: str) -> str:
    """Where an HTTPS front writes."""
    return f"/plumbline/front/{stack}"


def log_group(name: str) -> str:
    """Where SageMaker writes what the containers of an endpoint say."""
    return f"/aws/sagemaker/Endpoints/{name}"
