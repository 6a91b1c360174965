"""code/requirements.txt: what is there is enough, what lacks is installed only where it may be."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from plumbline.archive.handler_code import Code
from plumbline.archive.handler_errors import HandlerError
from plumbline.errors import PackingError
from plumbline.handlers import requirements
from plumbline.handlers.user_code import load
from plumbline.packing import vendoring
from wheels import NAME, wheel

ROOT = Path(__file__).parents[3]

INFERENCE = f"from {NAME} import CAT\n\n\ndef handler(data, context):\n    return CAT\n"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let pip ask no index, and leave the path and the modules as they were."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    path = list(sys.path)
    yield
    sys.path[:] = path
    sys.modules.pop(NAME, None)
    sys.modules.pop("inference", None)


@pytest.fixture
def code(tmp_path: Path) -> Code:
    """Code that needs a package which nobody has."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "inference.py").write_text(INFERENCE)
    (folder / "requirements.txt").write_text(f"numpy>=1.0  # is there\n{NAME}==1.2\n")
    return Code(folder, folder / "inference.py")


def ensure(code: Code, may_install: bool, shared: Path | None = None) -> tuple[Path, ...]:
    return requirements.ensure(code, may_install, shared, lambda _: None)


def test_what_lacks_is_named_with_what_to_do(code: Code) -> None:
    with pytest.raises(HandlerError) as refusal:
        ensure(code, may_install=False)
    assert f"code/requirements.txt names what is not here: {NAME}==1.2." in refusal.value.message
    assert "plumbline pack --code DIR" in refusal.value.message
    assert "PLUMBLINE_INSTALL_REQUIREMENTS=1" in refusal.value.message


SLIM = {
    "tensorflow>=2\n": (True, False),
    "tf_keras\nnobody-has-this\n": (True, True),
    "numpy==0.0.1\n": (False, True),
}


@pytest.mark.parametrize("text", SLIM)
def test_what_only_the_slim_image_lacks_is_not_said_to_be_vendored(
    code: Code, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "versions", lambda _: {"numpy": "2.0"})
    (code.folder / "requirements.txt").write_text(text)
    with pytest.raises(HandlerError) as refusal:
        ensure(code, may_install=False)
    told = ("in the slim one" in refusal.value.message, "plumbline pack" in refusal.value.message)
    assert told == SLIM[text]


def test_the_wheels_of_the_archive_are_installed_without_a_network_and_once_for_all_processes(
    code: Code, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(code.folder / "wheels")

    folders = ensure(code, may_install=True, shared=tmp_path)

    monkeypatch.setattr(requirements, "install", lambda *_: pytest.fail("it installed again"))
    assert ensure(code, may_install=True, shared=tmp_path) == folders
    assert load(code, folders)["handler"](None, None, context=None) == "miaow"


def test_where_nothing_can_be_had_pips_words_are_told(code: Code) -> None:
    with pytest.raises(HandlerError) as refusal:
        ensure(code, may_install=True)
    assert "No matching distribution found for" in refusal.value.message
    assert "plumbline pack --code DIR" in refusal.value.message


def test_without_pip_it_says_so(
    code: Code, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda _: None)
    monkeypatch.setattr(requirements, "SYSTEM_WHEELS", tmp_path)
    with pytest.raises(HandlerError, match="needs pip, which is not here"):
        ensure(code, may_install=True)


MET = {
    "nothing": "",
    "comments": "# numpy==0\n\n   # more\n",
    "there": f"numpy=={version('numpy')}\nPillow\nRequests[security]>=2\n",
    "another system": "pywin32==1 ; sys_platform == 'win32'\n",
    "options": "--index-url https://example.com\n--no-binary :none:\nnumpy --hash=sha256:00\n",
    "in lib without metadata": "my-animals>=3\n",
    "in another file": "-r more.txt\n",
    "what a stand-in does for": "sagemaker-inference==1.10.1\nSageMaker_Containers\n",
}

LACKING = {
    "another version": "numpy==0.0.1\n",
    "an address": "git+https://example.com/animals.git\n",
    "another file": "-r worse.txt\n",
    "a path": "./animals\n",
    "a line over two": "nobody-has-this \\\n  ==1.0\n",
}


@pytest.mark.parametrize("case", [*MET, *LACKING])
def test_requirements_are_read_as_pip_reads_them(tmp_path: Path, case: str) -> None:
    (tmp_path / "lib" / "my_animals").mkdir(parents=True)
    (tmp_path / "more.txt").write_text("numpy\n")
    (tmp_path / "worse.txt").write_text("nobody-has-this\n")
    file = tmp_path / "requirements.txt"
    file.write_text({**MET, **LACKING}[case])

    assert len(requirements.missing(file, tmp_path)) == (1 if case in LACKING else 0)


def test_a_package_with_a_stand_in_is_not_vendored(code: Code, tmp_path: Path) -> None:
    (code.folder / "requirements.txt").write_text("sagemaker-inference\n")
    vendoring.copy(code.folder, tmp_path / "archive")
    assert vendoring.vendor(tmp_path / "archive") == []


def test_packing_vendors_what_the_image_lacks_and_nothing_else(code: Code, tmp_path: Path) -> None:
    """A package with a stand-in too, because its wheel is there."""
    wheel(code.folder / "wheels", needs="Requires-Dist: plumbline_test_fur\n")
    wheel(code.folder / "wheels", "plumbline_test_fur")
    wheel(code.folder / "wheels", "sagemaker_inference")
    with (code.folder / "requirements.txt").open("a") as file:
        file.write("sagemaker-inference\n")
    (code.folder / "__pycache__").mkdir()
    archive = tmp_path / "archive"
    vendoring.copy(code.folder, archive)

    said = vendoring.vendor(archive)

    assert [each.replace("-", "_") for each in said] == [
        f"{NAME} 1.2",
        "plumbline_test_fur 1.2",
        "sagemaker_inference 1.2",
    ]
    inside = Code(archive / "code", archive / "code" / "inference.py")
    assert ensure(inside, may_install=False) == ()
    assert load(inside)["handler"](None, None, context=None) == "miaow"
    assert not (archive / "code" / "__pycache__").exists()
    assert not (archive / "code" / "lib" / "numpy").exists()
    assert (archive / "code" / "lib" / "sagemaker_inference.py").is_file()


def test_what_can_not_be_vendored_is_an_error_of_packing(
    code: Code, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pip itself says is told above."""
    fails = ["-c", "raise SystemExit('ERROR: there is none')"]
    monkeypatch.setattr(requirements, "pip", lambda: fails)
    archive = tmp_path / "archive"
    vendoring.copy(code.folder, archive)
    with pytest.raises(PackingError, match=r"could not be installed: ERROR: there is none"):
        vendoring.vendor(archive)


def test_every_image_has_what_handlers_import(tmp_path: Path) -> None:
    assert {"numpy", "pillow", "requests", "boto3", "flask"} <= vendoring.in_image().keys()


def test_code_that_is_no_folder_is_an_error_of_packing(tmp_path: Path) -> None:
    with pytest.raises(PackingError, match="is no folder"):
        vendoring.copy(tmp_path / "nowhere", tmp_path / "archive")


def test_what_images_have_is_what_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["tensorflow"]]
    assert {Requirement(line).name for line in declared} == set(vendoring.SHIPPED)
