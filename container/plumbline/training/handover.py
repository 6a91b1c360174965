"""What a script leaves in /opt/ml/model: packed where it stands if it says how, else left."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from plumbline.archive import discovery, manifest
from plumbline.errors import PlumblineError
from plumbline.packing import assembly, pack
from plumbline.packing.progress_bar import Reporter
from plumbline.settings import environment
from plumbline.spec import model_spec as specs
from plumbline.spec.checks import FILE as SPEC
from plumbline.training.failure import sentence_for
from plumbline.training.job import Job
from plumbline.training.stopping import Stop

Say = Callable[[str], None]

PARTIAL = ".plumbline-partial"
"""Where a packed model is written before it takes the place of what was there."""

NOTES = "training.json"
"""How a recipe came to the model; it stays in the archive."""

DECLARE = (
    f"To have it packed and proven, write {SPEC} beside it, which says how pictures are "
    "preprocessed: from plumbline.training import save does that."
)


class TimeIsUp(Exception):
    """The 110 s after SIGTERM are over."""


def finish(job: Job, stop: Stop, say: Say) -> None:
    """Look at the model folder after a script has ended. The model itself is never lost to this."""
    folder = job.model
    if not job.cluster.chief:
        return
    if not any(folder.iterdir()):
        say(f"Warning: the script left nothing in {folder}, so the job has no model.")
        return
    if (folder / manifest.FILE).is_file() and (folder / assembly.PARITY).is_file():
        say(f"The model in {folder} is packed already.")
        return
    if not (folder / SPEC).is_file():
        say(f"{unpacked(folder)} {DECLARE}")
        return
    try:
        with in_time(stop):
            pack_in_place(folder, say)
    except TimeIsUp:
        say(f"There was no time to pack the model; it is left as the script wrote it. {REPACK}")
    except (PlumblineError, OSError, MemoryError) as exc:
        said = " ".join(sentence_for(exc).split())
        say(f"Warning: the model is left as the script wrote it. It can't be packed: {said}")


REPACK = "plumbline pack does it later."


def unpacked(folder: Path) -> str:
    """What is said of a model without a declaration, or of what is no model."""
    try:
        found = discovery.find_models(folder, None)
    except PlumblineError:
        names = ", ".join(sorted(path.name for path in folder.iterdir())[:8])
        return (
            f"Warning: what the script left in {folder} ({names}) is no model that the server "
            "reads: a SavedModel folder or one .keras file is expected."
        )
    name = found.models[0].path.relative_to(folder)
    return f"The model {'' if name == Path() else f'{name} '}is left in {folder} as it is."


def pack_in_place(folder: Path, say: Say) -> None:
    """Make the folder a packed archive's. Raises a `PlumblineError`; then it is as it was."""
    from rich.console import Console

    environment.quiet_frameworks()
    spec_file = folder / SPEC
    spec = specs.parse(spec_file.read_text("utf-8"))
    golden, code = folder / spec.golden.images, folder / "code"
    order = pack.Order(
        discovery.find_models(folder, spec.model.path).models[0],
        spec=spec_file,
        golden=golden if golden.is_dir() else None,
        code=code if code.is_dir() else None,
        files={
            name: (folder / name).read_text("utf-8")
            for name in (NOTES,)
            if (folder / name).is_file()
        },
    )
    with pack.laid_out(order, Reporter(Console(force_terminal=False))) as (archive, report):
        assembly.demand(report)
        replace(folder, archive)
    say(f"The model is packed. {pack.summary(report)}")


def replace(folder: Path, archive: Path) -> None:
    """Let what is in `archive` take the place of all that is in `folder`, which may be a mount."""
    partial = folder / PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(archive, partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    with uninterrupted(), tempfile.TemporaryDirectory(dir=folder, prefix=PARTIAL) as old:
        for path in [path for path in folder.iterdir() if not path.name.startswith(PARTIAL)]:
            path.rename(Path(old, path.name))
        for path in list(partial.iterdir()):
            path.rename(folder / path.name)
        partial.rmdir()


def empty(folder: Path) -> None:
    """Remove all that is in the folder, which may be a mount."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let nothing but SIGKILL come between."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def in_time(stop: Stop) -> Iterator[None]:
    """Raise `TimeIsUp` in the block when the stop's deadline is reached."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise TimeIsUp

    def begin() -> None:
        signal.setitimer(signal.ITIMER_REAL, max(0.001, stop.seconds_left))

    before = signal.signal(signal.SIGALRM, end)
    try:
        with stop.telling(begin):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
