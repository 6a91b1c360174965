"""What TensorFlow says of an archive that was never packed, asked in a process of its own.

TensorFlow costs seconds and hundreds of megabytes, which are given back when that process ends. It
leaves the network in OpenVINO's format, and the model's answers for some pictures: those golden
ones that there are, else synthetic ones. The network is there long before the answers, so that it
can be compiled meanwhile. A folder that several processes share is filled once; the
first of them asks, and the others wait for it.
"""

from __future__ import annotations

import atexit
import fcntl
import importlib.util
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from plumbline.archive import accelerated_files, manifest
from plumbline.archive.accelerated_files import FORMS, Accelerated
from plumbline.archive.contents import Archive, opened, read_outputs, read_spec
from plumbline.archive.discovery import ModelFile
from plumbline.archive.npz_outputs import save
from plumbline.errors import EngineError
from plumbline.loading.openvino_equivalence import UNHURRIED
from plumbline.machine import child_process
from plumbline.parity.differences import compare
from plumbline.pipeline.inference import Predictor
from plumbline.vision import synthetic_pictures
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.images import Limits

log = logging.getLogger("plumbline.loading")

MOST_SECONDS = 150.0
"""What the process may take: TensorFlow itself must still have time to load before the platform's
eight minutes are over.
"""

MOST_PICTURES = 16
"""Of the golden ones: each costs start-up time."""

OUTCOME = "outcome.json"


@dataclass(frozen=True)
class Answer:
    """A model's values for one picture, and what they mean (`Task.gist`)."""

    values: Tensors
    gist: Tensor


@dataclass(frozen=True)
class Original:
    """What TensorFlow answers for each of the pictures."""

    aliases: frozenset[str]
    """Other names of the same function."""
    pictures: Sequence[bytes]
    answers: Sequence[Answer]


def can_be_asked() -> bool:
    """Whether there is a TensorFlow here."""
    return importlib.util.find_spec("tensorflow") is not None


def ask(
    archive: Archive,
    limits: Limits,
    cores: int,
    shared: Path | None,
    begin: Callable[[Accelerated], None],
) -> Original:
    """What TensorFlow makes of the archive's model; `shared` is a folder to keep it in.

    `begin` is called with the network as soon as it is there, perhaps for nothing.
    Raises `EngineError` where nothing but TensorFlow can compute it.
    """
    if reason := hopeless(archive):
        raise EngineError(reason)
    try:
        folder = shared or own_folder()
        folder.mkdir(exist_ok=True)
        request = {
            **described(archive),
            "limits": asdict(limits),
            "cores": cores,
            "folder": str(folder),
        }

        def at_hand(signature: Mapping[str, Any]) -> None:
            begin(network_of(folder, archive, signature))

        with locked(folder):
            outcome = kept_or_asked(folder / OUTCOME, request, at_hand)
    except OSError as exc:
        raise EngineError(f"There is no room for temporary files: {exc}.") from exc
    if "error" in outcome:
        raise EngineError(outcome["error"])
    return read(folder, outcome, archive, limits)


def described(archive: Archive) -> dict[str, Any]:
    """Which archive it is, and which of its models, for another process."""
    model = archive.model
    return {
        "root": str(archive.root.resolve()),
        "kind": model.kind,
        "path": model.path.relative_to(archive.root).as_posix(),
        "weights": model.weights and model.weights.relative_to(archive.root).as_posix(),
        "goldens": bool(archive.goldens),
        "allow_ops": list(archive.allow_ops),
    }


def reopened(request: Mapping[str, Any]) -> Archive:
    """The archive that was described. Raises a `ModelError`."""
    root, weights = Path(request["root"]), request["weights"]
    model = ModelFile(request["kind"], root / request["path"], weights and root / weights)
    archive = opened(root, read_spec(root), (model,), "")
    archive = replace(archive, allow_ops=tuple(request["allow_ops"]))
    return archive if request["goldens"] else replace(archive, goldens=())


def hopeless(archive: Archive) -> str:
    """Why there is no use in asking; empty if there is."""
    if archive.goldens and (archive.root / manifest.FILE).is_file():
        return "The archive was packed, and no faster form was found to be within its budget."
    return ""


def own_folder() -> Path:
    """A folder that nobody else can read, removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="plumbline-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time; the lock of one that was killed is free."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def kept_or_asked(
    file: Path, request: Mapping[str, Any], at_hand: Callable[[Mapping[str, Any]], None]
) -> dict[str, Any]:
    """The outcome in the file; where there is none yet, a process finds it out."""
    if file.is_file():
        outcome: dict[str, Any] = json.loads(file.read_text("utf-8"))
        if "error" not in outcome:
            at_hand(outcome)
        return outcome
    outcome = heard_of(request, at_hand)
    new = file.with_suffix(".new")
    new.write_text(json.dumps(outcome), "utf-8")
    new.replace(file)
    return outcome


def heard_of(
    request: Mapping[str, Any], at_hand: Callable[[Mapping[str, Any]], None]
) -> dict[str, Any]:
    """What the process finds; `{"error": sentence}` where that is nothing."""
    heard: dict[str, Any] = {}

    def listen(message: Mapping[str, Any]) -> None:
        if "said" in message:
            log.info(message["said"])
        elif "network" in message:
            at_hand(message["network"])
        else:
            heard.update(message)

    ending = child_process.run(
        "plumbline.loading.never_packed_process",
        request,
        listen,
        seconds=MOST_SECONDS,
        within=Path(request["folder"]),
    )
    if heard:
        return heard
    hint = " (out of memory, or of time)" if ending.status == -9 else ""
    return {"error": f"The process that asks TensorFlow {ending.words}{hint}.\n{ending.tail}"}


def read(folder: Path, outcome: Mapping[str, Any], archive: Archive, limits: Limits) -> Original:
    """What the process left in the folder."""
    pictures = pictures_of(archive, limits)
    answers = [read_answer(folder, number) for number in range(len(pictures))]
    return Original(frozenset(outcome["aliases"]), pictures, answers)


def network_of(folder: Path, archive: Archive, signature: Mapping[str, Any]) -> Accelerated:
    """The network in the folder, in the one form that it has."""
    return Accelerated(
        folder,
        str(archive.model.path),
        archive.spec.model.signature,
        accelerated_files.signature(signature),
        {FORMS[0]: 1.0},
    )


def write_answer(folder: Path, number: int, answer: Answer) -> None:
    """Keep the answer for one of the pictures."""
    save(folder / f"{number}.values.npz", answer.values)
    save(folder / f"{number}.gist.npz", {"gist": answer.gist})


def read_answer(folder: Path, number: int) -> Answer:
    """The answer that was kept."""
    gist = read_outputs(folder / f"{number}.gist.npz")["gist"]
    return Answer(read_outputs(folder / f"{number}.values.npz"), gist)


def pictures_of(archive: Archive, limits: Limits) -> Sequence[bytes]:
    """What two engines are held against each other with."""
    goldens = [golden.picture for golden in archive.goldens[:MOST_PICTURES]]
    return goldens or synthetic_pictures.pictures(limits.formats[0])


def answered(predictor: Predictor, picture: bytes) -> Answer:
    """What a model says of a picture."""
    outputs, geometry = predictor.alone(picture, UNHURRIED)
    task = predictor.task
    return Answer(task.readings(outputs, geometry)[0], task.gist(outputs, geometry))


def check(predictor: Predictor, original: Original) -> float:
    """The largest difference of any value. Raises `EngineError` if that is beyond the budget."""
    found = [answered(predictor, picture) for picture in original.pictures]
    pairs = list(zip(original.answers, found, strict=True))
    worst = max(
        (compare(true.values, one.values) for true, one in pairs), key=lambda it: it.largest
    )
    agreement = predictor.task.agreement([(true.gist, one.gist) for true, one in pairs])
    budget = predictor.spec.acceleration
    allowed = worst.allowed(budget.max_difference)
    if not worst.within(budget.max_difference) or agreement < budget.min_agreement:
        raise EngineError(
            f"OpenVINO answers otherwise for {len(found)} pictures: in {worst.output}, "
            f"{worst.reason}, and {allowed} is allowed; the agreement is "
            f"{agreement:.4g}, and must be {budget.min_agreement:g}."
        )
    return worst.largest
