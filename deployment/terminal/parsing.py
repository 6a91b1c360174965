"""What was typed → an order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deployment.errors import Misuse
from deployment.plan import limits
from deployment.plan.order import (
    DEFAULT_VARIANT,
    IN_COOLDOWN,
    OUT_COOLDOWN,
    Archive,
    Async,
    Capture,
    Kind,
    Network,
    Order,
    RealTime,
    Scaling,
    Serverless,
    Timeouts,
    Variant,
)
from deployment.terminal import benchmark

DEFAULT_INSTANCE = "ml.c5.large"


def order(name: str, region: str, asked: Mapping[str, Any]) -> Order:
    """The order that these options make. Raises `Misuse`."""
    chosen = kind(asked)
    return limits.check(
        Order(
            name=name,
            region=region,
            role=asked["role"],
            image=asked["image"],
            variants=variants(asked["model"], asked["variant"]),
            kind=chosen,
            shadow=variant(asked["shadow"], "--shadow") if asked["shadow"] else None,
            bucket=asked["bucket"] or "",
            environment=environment(asked["env"]),
            network=Network(asked["subnet"], asked["security_group"], asked["isolated"]),
            kms_key=asked["kms_key"] or "",
            capture=capture(asked),
            timeouts=Timeouts(asked["health_timeout"], asked["download_timeout"]),
            scaling=scaling(asked, chosen),
        )
    )


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
    file = Path(text)
    if not file.is_file():
        raise Misuse(
            f"There is no file {file}. --model takes the model.tar.gz that `plumbline pack` wrote, "
            "or where one lies in S3: s3://my-bucket/model.tar.gz."
        )
    return Archive(file, sha256(file))


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
    if asked["serverless"] is not None and asked["async_"] is not None:
        raise Misuse("--serverless or --async, one of the two.")
    refuse_strangers(asked)
    instance, count = asked["instance"] or DEFAULT_INSTANCE, asked["count"] or 1
    if asked["serverless"] is not None:
        return Serverless(asked["serverless"], asked["concurrency"] or 5, asked["provisioned"] or 0)
    if asked["async_"] is not None:
        topics = asked["success_topic"] or "", asked["error_topic"] or ""
        return Async(asked["async_"], instance, count, asked["concurrency"] or 4, *topics)
    return RealTime(instance, count)


BELONG: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "instance": ("async_", "real-time"),
        "count": ("async_", "real-time"),
        "concurrency": ("async_", "serverless"),
        "provisioned": ("serverless",),
        "success_topic": ("async_",),
        "error_topic": ("async_",),
    }
)
"""The options that not every kind of endpoint has."""


def refuse_strangers(asked: Mapping[str, Any]) -> None:
    """Raise `Misuse` for an option of another kind, which would be ignored."""
    special = (each for each in ("serverless", "async_") if asked[each] is not None)
    chosen = next(special, "real-time")
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


NO_SCALING = "none"
"""What --autoscale takes for a number of machines that stays as it is."""

BACKLOG = 5.0
"""Requests that may wait in an async endpoint's queue for each machine."""


def scaling(asked: Mapping[str, Any], kind: Kind) -> Scaling | None:
    """What --autoscale says, with a target that was given or measured. Raises `Misuse`."""
    if asked["autoscale"] in (None, NO_SCALING):
        refuse_unscaled(asked)
        return None
    least, most = bounds(asked["autoscale"])
    metric = asked["metric"] or ("backlog" if isinstance(kind, Async) else "invocations")
    if (metric == "backlog") != isinstance(kind, Async):
        raise Misuse(
            "--metric backlog counts the requests that wait for an --async endpoint; a real-time "
            "one is scaled by invocations or concurrency."
        )
    return Scaling(
        least,
        most,
        target(asked, metric),
        metric,
        given(asked["scale_in_cooldown"], IN_COOLDOWN),
        given(asked["scale_out_cooldown"], OUT_COOLDOWN),
    )


def given(value: Any, default: Any) -> Any:
    """What was typed, and the default where nothing was."""
    return default if value is None else value


def refuse_unscaled(asked: Mapping[str, Any]) -> None:
    """Raise `Misuse` for an option that means nothing without --autoscale."""
    for option in ("target", "benchmark", "metric", *MEASURED, *COOLDOWNS):
        if asked[option] is not None:
            raise Misuse(
                f"--{option.replace('_', '-')} goes with --autoscale FEWEST:MOST, such as "
                "--autoscale 1:4."
            )


MEASURED = ("p95", "safety")
"""The options that say how a benchmark is read."""

COOLDOWNS = ("scale_in_cooldown", "scale_out_cooldown")


def bounds(text: str) -> tuple[int, int]:
    """FEWEST:MOST. Raises `Misuse`."""
    found = re.fullmatch(r"([0-9]{1,6}):([0-9]{1,6})", text)
    if not found:
        raise Misuse(f"--autoscale {text}: the fewest machines, a colon and the most, such as 1:4.")
    return int(found[1]), int(found[2])


def target(asked: Mapping[str, Any], metric: str) -> float:
    """What one machine should have to do. Raises `Misuse` where nobody says it."""
    refuse_unread(asked, metric)
    if asked["target"] is not None:
        return float(asked["target"])
    if asked["benchmark"] is not None:
        runs = benchmark.read(asked["benchmark"])
        run = benchmark.best(runs, given(asked["p95"], benchmark.P95))
        return benchmark.target(run, metric, given(asked["safety"], benchmark.SAFETY))
    if metric == "backlog":
        return BACKLOG
    raise Misuse(
        "--autoscale needs to know what one machine can do. `plumbline bench --out bench.json` "
        "measures it, best on such a machine: then --benchmark bench.json. Or say it yourself: "
        "--target 600 is 600 requests a minute for each machine."
    )


def refuse_unread(asked: Mapping[str, Any], metric: str) -> None:
    """Raise `Misuse` for a benchmark that would not be read, or options of one that is not."""
    if asked["benchmark"] is None:
        for option in MEASURED:
            if asked[option] is not None:
                raise Misuse(f"--{option} goes with --benchmark bench.json.")
    elif asked["target"] is not None:
        raise Misuse("--target or --benchmark, one of the two: each says what a machine can do.")
    elif metric == "backlog":
        raise Misuse(
            "--benchmark does not say how many requests may wait, by which an --async endpoint is "
            f"scaled: leave it out ({BACKLOG:g} may wait for each machine), or say --target."
        )


def sha256(file: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits. Raises `Misuse`."""
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while piece := stream.read(PIECE):
                digest.update(piece)
    except OSError as exc:
        raise Misuse(f"The archive {file} can't be read: {exc.strerror}.") from exc
    return digest.hexdigest()


PIECE = 1024 * 1024
