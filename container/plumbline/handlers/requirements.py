"""code/requirements.txt: whether all of it is there, and installing it where that is allowed."""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from sysconfig import get_path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from plumbline.archive.handler_code import LIBRARIES, Code
from plumbline.archive.handler_errors import HandlerError
from plumbline.handlers.import_hints import TENSORFLOW, WITH_TENSORFLOW
from plumbline.handlers.stand_ins.finder import PACKAGES

log = logging.getLogger("plumbline.handlers")

FILE = "requirements.txt"

WHEELS = "wheels"

SECONDS = 240.0
"""What installing may take, of the eight minutes that a container has to become healthy."""

SYSTEM_WHEELS = Path("/usr/share/python-wheels")
"""Where Debian keeps pip as a wheel, which can be run as it is."""

SAME = {"tensorflow": "tensorflow-cpu", "tensorflow-cpu": "tensorflow"}
"""Two names under which the same package is published."""

SETTING = "PLUMBLINE_INSTALL_REQUIREMENTS"

VENDOR = "Where there is no network, plumbline pack --code DIR puts what it names into the archive."

REMEDY = (
    "Pack the archive with plumbline pack --code DIR, which vendors them, or set "
    f"{SETTING}=1, which installs them at every start."
)


def ensure(
    code: Code, may_install: bool, shared: Path | None, say: Callable[[str], None]
) -> tuple[Path, ...]:
    """The folders with what was installed, none where all is there. Raises `HandlerError`.

    `shared` is a folder for what the processes of a server need to do only once.
    """
    file = code.folder / FILE
    lacking = missing(file, code.folder) if file.is_file() else []
    if not lacking:
        return ()
    names = ", ".join(lacking)
    if not may_install:
        raise HandlerError(
            f"{code.folder.name}/{FILE} names what is not here: {names}. {remedy(lacking)}"
        )
    say(f"{code.folder.name}/{FILE} is being installed: {names}.")
    return (installed(code, shared or own_folder()),)


def missing(file: Path, folder: Path) -> list[str]:
    """The lines that nothing here, nor in code/lib, satisfies. Raises `HandlerError`."""
    there = versions([str(folder / LIBRARIES), *sys.path])
    return [line for line in lines(file) if not is_met(line, there, folder / LIBRARIES)]


def remedy(lacking: list[str]) -> str:
    """What helps where lines are not met; nothing vendors what only the slim image lacks."""
    there = versions(sys.path)
    names = [package(line) for line in lacking]
    slim = [name for name in names if name in WITH_TENSORFLOW and name not in there]
    return " ".join([TENSORFLOW] * bool(slim) + [REMEDY] * (len(slim) < len(names)))


def package(line: str) -> str:
    """What a requirement names; empty for addresses and paths."""
    try:
        return canonicalize_name(Requirement(line).name)
    except InvalidRequirement:
        return ""


def versions(places: list[str]) -> dict[str, str]:
    """What is installed in some folders, by name; of two, the first counts."""
    found: dict[str, str] = {}
    for each in distributions(path=places):
        found.setdefault(canonicalize_name(each.name), each.version)
    for name, other in SAME.items():
        if other in found:
            found.setdefault(name, found[other])
    return found


def lines(file: Path) -> Iterator[str]:
    """The requirements of a file, and of those that it includes; pip's options are left out."""
    try:
        text = file.read_text("utf-8-sig").replace("\\\n", " ")
    except (OSError, UnicodeDecodeError) as exc:
        raise HandlerError(
            f"{file.parent.name}/{file.name} can't be read as UTF-8 text; save it as that."
        ) from exc
    for line in text.splitlines():
        plain = line.partition(" #")[0].partition(" --")[0].strip()
        option, _, name = plain.partition(" ")
        if option in ("-r", "--requirement"):
            yield from lines(file.parent / name.strip())
        elif plain and not plain.startswith(("#", "-")):
            yield plain


def is_met(line: str, there: Mapping[str, str], libraries: Path) -> bool:
    """Whether a requirement is satisfied; addresses and paths never are, as nothing tells."""
    try:
        wanted = Requirement(line)
    except InvalidRequirement:
        return False
    if wanted.marker is not None and not wanted.marker.evaluate():
        return True
    version = there.get(canonicalize_name(wanted.name))
    if version is None:
        module = wanted.name.replace("-", "_")
        inside = (libraries / module).is_dir() or (libraries / f"{module}.py").is_file()
        return inside or is_stood_for(module, libraries.parent / WHEELS)
    return wanted.url is None and wanted.specifier.contains(version, prereleases=True)


def is_stood_for(module: str, wheels: Path) -> bool:
    """Whether a stand-in does, because nobody brings the package along."""
    return module.lower() in PACKAGES and not any(wheels.glob(f"{module.lower()}-*.whl"))


def own_folder() -> Path:
    """A folder that is removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="plumbline-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def installed(code: Code, within: Path) -> Path:
    """The folder with what pip made of the file; processes that share `within` do it once.

    The wheels in code/wheels are tried first, without a network. Raises `HandlerError`.
    """
    file = code.folder / FILE
    target = within / f"requirements-{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}"
    with (within / "requirements.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            fresh = Path(tempfile.mkdtemp(dir=within))
            install(file, code.folder / WHEELS, fresh)
            fresh.rename(target)
    return Path(get_path("purelib", vars={"base": str(target), "platbase": str(target)}))


def install(file: Path, wheels: Path, target: Path) -> None:
    """Let pip install what lacks below a folder. Raises `HandlerError` with what it said last.

    What is here stays as it is: another version of it could not be imported beside it.
    """
    name, here = f"{file.parent.name}/{FILE}", target / "constraints.txt"
    here.write_text(constraints(versions(sys.path)), "utf-8")
    options = ["--prefix", str(target), "--requirement", str(file), "--constraint", str(here)]
    if wheels.is_dir():
        try:
            return run_pip([*options, "--no-index", "--find-links", str(wheels)], name)
        except HandlerError as exc:
            log.info("%s/%s are not enough: %s", file.parent.name, WHEELS, exc.message)
    return run_pip(options, name)


def constraints(there: Mapping[str, str]) -> str:
    """What keeps pip from choosing other versions than these."""
    return "".join(f"{name}=={version}\n" for name, version in sorted(there.items()))


def run_pip(options: list[str], name: str) -> None:
    """`pip install`. Raises `HandlerError` with what it said last; `name` is what it installs."""
    fixed = ("install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-input")
    try:
        done = subprocess.run(
            [sys.executable, *pip(), *fixed, *options],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise HandlerError(
            f"Installing {name} took more than {SECONDS:g} seconds. {VENDOR}"
        ) from exc
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        last = (said or ["pip said nothing of why"])[-1]
        raise HandlerError(f"{name} could not be installed: {last} {VENDOR}")


def pip() -> list[str]:
    """The arguments with which Python runs pip. Raises `HandlerError` where there is none."""
    if find_spec("pip"):
        return ["-m", "pip"]
    wheels = sorted(SYSTEM_WHEELS.glob("pip-*.whl"))
    if wheels:
        return [str(wheels[-1] / "pip")]
    raise HandlerError(f"{SETTING}=1 needs pip, which is not here. {VENDOR}")
