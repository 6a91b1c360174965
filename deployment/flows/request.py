"""What was typed, and what is on this machine and in S3 → a training job that can begin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deployment.aws.client import Aws
from deployment.current import data
from deployment.errors import Misuse
from deployment.flows import recipe
from deployment.plan.search import Range, Search
from deployment.plan.training import Channel, Training
from deployment.terminal import folders, job_parsing, parsing
from deployment.terminal.progress import say

NEEDED = {
    "image": "./build_and_push.sh pushes the image, and prints the URI to take: --image URI.",
    "role": "`python deploy.py account` makes one, once, and prints its ARN: --role ARN.",
}

FOREIGN = "s3://"


def requested(
    aws: Aws, name: str, asked: Mapping[str, Any], search: Search | None = None
) -> tuple[Training, Search | None]:
    """The job, and the search with the types of its ranges; nothing is made or uploaded.

    Raises `Misuse` for what the job would refuse, and what `data` raises.
    """
    for option, origin in NEEDED.items():
        if not asked[option]:
            raise Misuse(f"--{option} is missing. {origin}")
    found = places(aws, asked)
    given = job_parsing.pairs(asked["given"], "--set", "--set epochs=20")
    metrics = job_parsing.pairs(asked["metrics"], "--metric", "'accuracy=acc: ([0-9.]+)'")
    if asked["script"]:
        given = by_script(asked, given)
    else:
        given, shipped, search = by_recipe(asked, found, given, search)
        metrics = {**shipped, **metrics}
    training = Training(
        name,
        aws.region,
        asked["role"],
        asked["image"],
        tuple(channels(aws, found, asked["script"])),
        given,
        metrics,
        asked["instance"],
        job_parsing.limits(asked),
        asked["bucket"] or "",
        parsing.environment(asked["env"]),
        isolated=not asked["script"],
        checkpoints=asked["checkpoints"] or asked["spot"],
        kms_key=asked["kms_key"] or "",
        data_key=asked["kms_data"] or "",
        tags=parsing.tags(asked["tags"]),
    )
    if search and asked["script"] and training.checkpoints:
        say(
            "The jobs of a search would share the checkpoints of a script, which can't tell them "
            "apart: none are kept, and a job that loses its Spot instance starts again."
        )
        training = replace(training, checkpoints=False)
    return training, search


def places(aws: Aws, asked: Mapping[str, Any]) -> dict[str, Path | str]:
    """The channels by their names: folders, manifests, or addresses in S3. Raises `Misuse`."""
    if not asked["data"]:
        raise Misuse("Say what to learn from: --data photos/, or --data s3://my-bucket/photos/.")
    found = dict(of_option(aws, asked["data"], "--data"))
    if asked["validation"]:
        more = dict(of_option(aws, asked["validation"], "--validation"))
        if "validation" in found or len(more) > 1:
            raise Misuse(
                f"--validation {asked['validation']}: there is a channel validation in "
                f"{asked['data']} already, or several in here; name one folder of pictures."
            )
        found["validation"] = next(iter(more.values()))
    return found


def of_option(aws: Aws, where: str, option: str) -> Iterator[tuple[str, Path | str]]:
    """The channels of one option."""
    if not where.startswith(FOREIGN):
        yield from folders.places(where, option).items()
        return
    known = data.folders(aws, where, folders.CHANNELS)
    yield from known.items() if known else {folders.ONLY: where}.items()


def channels(aws: Aws, found: Mapping[str, Path | str], script: Path | None) -> Iterator[Channel]:
    """The channels with all that is in them, each once: pictures may be named by a manifest, too.

    Raises `Misuse`.
    """
    seen: set[str] = set()
    for name, place in found.items():
        made = data.channels(aws, name, place) if isinstance(place, str) else None
        for each in made or folders.channels(name, Path(place)):
            if each.name not in seen:
                yield each
            seen.add(each.name)
    if script:
        yield folders.code(script)


def by_script(asked: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """The hyperparameters that name the script. Raises `Misuse`."""
    if asked["recipe"]:
        raise Misuse("--script or --recipe, one of the two: each says what trains.")
    return {**given, "sagemaker_program": asked["script"].name}


def by_recipe(
    asked: Mapping[str, Any],
    found: Mapping[str, Path | str],
    given: Mapping[str, str],
    search: Search | None,
) -> tuple[dict[str, str], dict[str, str], Search | None]:
    """Hyperparameters, metrics and the search as the recipe takes them. Raises `Misuse`."""
    told = {"recipe": asked["recipe"], **given} if asked["recipe"] else dict(given)
    known = recipe.look(found, told, tried(search) if search else ())
    for warning in known.warnings:
        say(f"Warning: {warning}")
    if search:
        if search.strategy == "hyperband" and known.epochs:
            told.setdefault("epochs", str(known.epochs))
        typed = tuple(of_type(each, known.types[each.name]) for each in search.ranges)
        search = replace(search, ranges=typed)
    return told, dict(known.metrics), search


def tried(search: Search) -> Iterator[tuple[str, str]]:
    """Values that the recipe has to take: the ends of ranges, and all choices."""
    for each in search.ranges:
        yield from ((each.name, each.least), (each.name, each.most))
    for name, values in search.choices.items():
        yield from ((name, value) for value in values)


def of_type(found: Range, types: Mapping[str, str]) -> Range:
    """A range of whole numbers where the hyperparameter is one. Raises `Misuse` for a text."""
    kinds = set(types.values())
    if not kinds <= {"int", "float"}:
        raise Misuse(
            f"--range {found.name}: it is no number; --choose {found.name}=… lists values to try."
        )
    if kinds == {"int"}:
        least, most = (str(int(float(each))) for each in (found.least, found.most))
        return replace(found, least=least, most=most, whole=True)
    return replace(found, whole=False)
