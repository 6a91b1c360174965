"""What was typed → an order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deployment.errors import Misuse
from deployment.names import tag_problems
from deployment.plan import limits
from deployment.plan.order import (
    DEFAULT_VARIANT,
    Archive,
    Async,
    Capture,
    Component,
    Kind,
    Network,
    Order,
    RealTime,
    Serverless,
    Timeouts,
    Variant,
)
from deployment.terminal import autoscale, watching

DEFAULT_INSTANCE = "ml.c5.large"

INTERVALS = MappingProxyType({"none": 0, "60": 60, "10": 10})
"""What --metrics takes, in seconds."""


def order(name: str, region: str, asked: Mapping[str, Any]) -> Order:
    """The order that these options make. Raises `Misuse`."""
    chosen = kind(asked)
    return limits.check(
        Order(
            name=name,
            region=region,
            role=asked["role"],
            image=asked["image"] or "",
            variants=served(asked),
            kind=chosen,
            shadow=variant(asked["shadow"], "--shadow") if asked["shadow"] else None,
            bucket=asked["bucket"] or "",
            environment=environment(asked["env"]),
            network=Network(asked["subnet"], asked["security_group"], asked["isolated"]),
            kms_key=asked["kms_key"] or "",
            capture=capture(asked),
            timeouts=Timeouts(asked["health_timeout"], asked["download_timeout"]),
            metrics=INTERVALS[asked["metrics"] or "60"],
            alarms=watching.new_alarms(asked),
            scaling=autoscale.scaling(asked, chosen),
            tags=tags(asked["tags"]),
            routing=routing(asked, chosen),
            data_key=asked["kms_data"] or "",
            log_days=asked["log_days"],
            multi=asked["multi_model"],
        )
    )


ROUTINGS: Mapping[str, str] = MappingProxyType(
    {"least": "LEAST_OUTSTANDING_REQUESTS", "random": "RANDOM"}
)
"""SageMaker's names for how a machine is chosen for a request."""


def routing(asked: Mapping[str, Any], kind: Kind) -> str:
    """How machines are chosen: pictures take unequal times, so by what each has to do."""
    if asked["routing"] is None:
        return ROUTINGS["least"] if isinstance(kind, RealTime | Component) else ""
    return ROUTINGS[asked["routing"]]


def tags(pairs: Iterable[str]) -> dict[str, str]:
    """KEY=VALUE, several times. Raises `Misuse`, also for what AWS would not take."""
    split = [pair.partition("=") for pair in pairs]
    for key, equals, _ in split:
        if not equals:
            raise Misuse(f"--tag {key}: it must be KEY=VALUE, such as --tag team=vision.")
    made = {key: value for key, _, value in split}
    if len(made) < len(split):
        raise Misuse("--tag: a key is given twice; each has one value.")
    for problem in tag_problems(made):
        raise Misuse(problem)
    return made


def capture(asked: Mapping[str, Any]) -> Capture | None:
    """What is kept of requests. Raises `Misuse` for a share of nothing."""
    if asked["capture"]:
        return Capture(asked["capture"], asked["capture_percent"] or 100)
    if asked["capture_percent"] is not None:
        raise Misuse("--capture-percent goes with --capture s3://my-bucket/captured/.")
    return None


def archive(text: str) -> Archive:
    """A file of this machine, or an object in S3. Raises `Misuse` for a file that is not there."""
    if text.startswith("s3://"):
        return Archive(url=text)
    if text.startswith("arn:"):
        return Archive(package=text)
    file = Path(text)
    if not file.is_file():
        raise Misuse(
            f"There is no file {file}. --model takes the model.tar.gz that `plumbline pack` wrote, "
            "or where one lies in S3: s3://my-bucket/model.tar.gz."
        )
    return Archive(file, sha256(file))


def served(asked: Mapping[str, Any]) -> tuple[Variant, ...]:
    """The variants, or the only one that serves a folder. Raises `Misuse`."""
    if not asked["multi_model"]:
        return variants(asked["model"], asked["variant"])
    if asked["model"] or asked["variant"] or asked["shadow"]:
        raise Misuse(
            "--multi-model serves a folder of archives: leave out --model, --variant and --shadow, "
            "and put archives in with `python deploy.py models NAME --add cats=cats.tar.gz`."
        )
    return (Variant(DEFAULT_VARIANT, Archive()),)


def variants(model: str | None, named: Iterable[str]) -> tuple[Variant, ...]:
    """The only variant, or those that were named. Raises `Misuse` for both, and for none."""
    several = tuple(variant(each, "--variant") for each in named)
    if bool(model) == bool(several):
        raise Misuse(
            "Say which model is served: --model model.tar.gz, or for several models side by side "
            "--variant old=a.tar.gz:90 --variant new=b.tar.gz:10."
        )
    return several or (Variant(DEFAULT_VARIANT, archive(str(model))),)


def variant(text: str, option: str) -> Variant:
    """NAME=ARCHIVE or NAME=ARCHIVE:WEIGHT. Raises `Misuse`."""
    name, place, weight = parts(text)
    if not name or not place:
        raise Misuse(f"{option} {text}: it must be like new=model.tar.gz:10.")
    return Variant(name, archive(place), float(weight or 1))


def parts(text: str) -> tuple[str, str, str]:
    """Name, archive and weight of a variant, as far as they are there."""
    name, _, rest = text.partition("=")
    place, _, weight = rest.rpartition(":")
    if not place or not is_number(weight):  # a weight is a number; s3:// is none
        return name, rest, ""
    return name, place, weight


def is_number(text: str) -> bool:
    """Whether this is a weight: digits, perhaps with a point."""
    return re.fullmatch(r"[0-9]{1,9}(\.[0-9]*)?|\.[0-9]+", text) is not None


def kind(asked: Mapping[str, Any]) -> Kind:
    """Which kind of endpoint. Raises `Misuse` for two at once."""
    chosen = [each for each in KINDS if asked[each] is not None]
    if len(chosen) > 1:
        written = " or ".join(f"--{each.rstrip('_')}" for each in chosen)
        raise Misuse(f"{written}, one of the two.")
    refuse_strangers(asked, chosen[0] if chosen else "real-time")
    instance, *pools = (asked["instance"] or DEFAULT_INSTANCE).split(",")
    count = asked["count"] or 1
    if pools and chosen:
        raise Misuse(
            f"--instance {asked['instance']}: several types, tried one after the other, are "
            "for real-time endpoints."
        )
    if asked["serverless"] is not None:
        return Serverless(asked["serverless"], asked["concurrency"] or 5, asked["provisioned"] or 0)
    if asked["async_"] is not None:
        topics = asked["success_topic"] or "", asked["error_topic"] or ""
        return Async(asked["async_"], instance, count, asked["concurrency"] or 4, *topics)
    if asked["component"] is not None:
        return Component(asked["component"], instance, count, asked["cpus"] or 1.0)
    return RealTime(instance, count, tuple(pools))


KINDS = ("serverless", "async_", "component")
"""The options that choose another kind of endpoint than machines that answer at once."""

BELONG: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "instance": ("async_", "component", "real-time"),
        "count": ("async_", "component", "real-time"),
        "cpus": ("component",),
        "concurrency": ("async_", "serverless"),
        "provisioned": ("serverless",),
        "success_topic": ("async_",),
        "error_topic": ("async_",),
    }
)
"""The options that not every kind of endpoint has."""


def refuse_strangers(asked: Mapping[str, Any], chosen: str) -> None:
    """Raise `Misuse` for an option of another kind, which would be ignored."""
    for option, kinds in BELONG.items():
        if asked[option] is not None and chosen not in kinds:
            owners = " and ".join(each.rstrip("_") for each in kinds)
            raise Misuse(
                f"--{option.replace('_', '-')} is an option of {owners} endpoints, and this one is "
                f"{chosen.rstrip('_')}."
            )


def environment(pairs: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE, several times. Raises `Misuse`."""
    split = [pair.partition("=") for pair in pairs]
    for name, equals, _ in split:
        if not equals:
            raise Misuse(f"--env {name}: it must be NAME=VALUE; docs/settings.md lists the names.")
    return {name: value for name, _, value in split}


def sha256(file: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits. Raises `Misuse`."""
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while piece := stream.read(PIECE):
                digest.update(piece)
    except OSError as exc:
        raise Misuse(f"{file} can't be read: {exc.strerror}.") from exc
    return digest.hexdigest()


PIECE = 1024 * 1024
