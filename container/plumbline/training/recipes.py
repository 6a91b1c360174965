"""What this image trains without a script, and how a job says which."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from plumbline.training.errors import TrainingError
from plumbline.training.hyperparameters import Table
from plumbline.training.job import Job
from plumbline.training.stopping import Stop

NAMES = ("recipe", "task")
"""The hyperparameters that name a recipe; the first wins."""

LAYOUTS = (
    "a folder of pictures for each class",
    "RecordIO files (.rec)",
    ".lst files beside folders of pictures",
    "pictures with a mask for each (train and train_annotation)",
    "pictures with JSON files of boxes (train_annotation)",
    "an augmented manifest",
)
"""What the built-in algorithms train on."""


def unexamined(_job: Job) -> Mapping[str, str]:
    """Nothing is known of the layouts before the job begins."""
    return {}


@dataclass(frozen=True)
class Recipe:
    """Something that this image can train.

    `matches` says in words by what it knows that the job's channels are its own, or nothing.
    `train` does it: model, report and checkpoints go where the job says. It raises a
    `PlumblineError` for what the user can mend, and ends early where the stop is requested.
    `metrics` are the MetricDefinitions of its log: names, and expressions that find the values.
    `layouts` says of each channel of data what it holds, and raises a `DataError` for nothing.
    """

    name: str
    table: Table
    matches: Callable[[Job], str]
    train: Callable[[Job, Stop], None]
    metrics: Mapping[str, str] = field(default_factory=dict)
    layouts: Callable[[Job], Mapping[str, str]] = unexamined


def choose(job: Job, recipes: Mapping[str, Recipe]) -> Recipe:
    """The recipe that is named, or the one that the channels are of. Raises `TrainingError`."""
    if not job.channels:
        raise TrainingError(f"The job has no channel, so there is nothing to train on. {EXPECTED}")
    named = next((job.hyperparameters[name] for name in NAMES if name in job.hyperparameters), "")
    if named:
        if named in recipes:
            return recipes[named]
        raise TrainingError(f"There is no recipe {named}; {known(recipes)}")
    found = dict(matching(job, recipes))
    if len(found) == 1:
        return recipes[next(iter(found))]
    if found:
        ways = " and ".join(f"{name} ({why})" for name, why in found.items())
        raise TrainingError(f"The channels may be for {ways}: say which with recipe=NAME.")
    channels = ", ".join(job.channels)
    raise TrainingError(f"No recipe trains on the channels of this job ({channels}). {EXPECTED}")


def matching(job: Job, recipes: Mapping[str, Recipe]) -> Iterator[tuple[str, str]]:
    """The recipes whose own the channels are, and why."""
    for name, recipe in recipes.items():
        if why := recipe.matches(job):
            yield name, why


def known(recipes: Mapping[str, Recipe]) -> str:
    """What may be named."""
    return f"known are {', '.join(recipes)}."


EXPECTED = (
    f"Give {'; or '.join(LAYOUTS)}; or name a script (--script train.py, or the hyperparameter "
    "sagemaker_program)."
)
"""What a job needs."""
