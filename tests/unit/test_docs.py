"""The documentation says what the code does: nothing is missing, nothing is stale."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from plumbline import errors
from plumbline.cli import main
from plumbline.conformance import catalogue
from plumbline.conformance.conform_command import conform
from plumbline.hosting import errors as hosting_errors
from plumbline.settings import tf_serving_variables
from plumbline.spec import known_keys, model_spec
from plumbline.training import hyperparameters
from plumbline.training.classifiers import hyperparameter_table as tables
from plumbline.training.classifiers.metric_definitions import METRICS
from plumbline.training.networks.network_table import NETWORKS
from plumbline.training.networks.u_net import SEGMENTERS
from plumbline.training.object_detectors import detection_lines, detection_table
from plumbline.training.segmenters import quality_lines, segmentation_table
from plumbline.vision.decoders import DECODERS
from plumbline.vision.fit import FITS
from plumbline.vision.images import COLORS
from plumbline.vision.normalize import NORMALIZATIONS
from plumbline.vision.resize import FILTERS
from plumbline.wire import requests

ROOT = Path(__file__).parents[2]

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def page(name: str) -> str:
    """The text of a page in docs/."""
    return (ROOT / "docs" / name).read_text("utf-8")


def test_the_pages_call_the_program_by_one_name_and_say_the_other_once() -> None:
    other = re.compile(r"python3? deploy\.py|`deploy\.py [a-z-]")
    found = [(file.name, line) for file in PAGES for line in other.findall(file.read_text("utf-8"))]

    assert found == [("deploy.md", "python deploy.py")]


def test_the_settings_table_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(main, ["settings", "--markdown"]).stdout

    assert page("settings.md").endswith(printed)


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_every_table_has_a_header(file: Path) -> None:
    lines = ["", *file.read_text("utf-8").splitlines(), ""]
    tops = [
        (lines[place], lines[place + 1])
        for place in range(1, len(lines) - 1)
        if lines[place].startswith("|") and not lines[place - 1].startswith("|")
    ]

    assert [top for top, below in tops if not re.fullmatch(r"[-: |]+", below)] == []


def spec_keys() -> Iterator[str]:
    """Every key of plumbline.toml as the documentation writes it."""
    for entry in (entry for entry in fields(model_spec.ModelSpec) if entry.compare):
        default = getattr(model_spec.ModelSpec(), entry.name)
        if not is_dataclass(default):
            yield entry.name
        else:
            yield from (f"[{entry.name}] {key.name}" for key in fields(default))


@pytest.mark.parametrize("key", list(spec_keys()))
def test_every_key_of_the_spec_is_documented(key: str) -> None:
    assert f"`{key}`" in page("archive.md")


@pytest.mark.parametrize("name", known_keys.DETECTION_FORMATS)
def test_every_format_of_detections_is_documented(name: str) -> None:
    _, _, section = page("archive.md").partition("\n## Detection\n")

    assert f"`{name}`" in section or f'format = "{name}"' in section


CHOICES = [*DECODERS, *COLORS, *FITS, *FILTERS, *NORMALIZATIONS]


@pytest.mark.parametrize("name", [name for name in CHOICES if name != "none"])
def test_how_exactly_every_choice_of_preprocessing_equals_its_library_is_published(
    name: str,
) -> None:
    assert f"`{name}`" in page("parity.md")


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_of_preprocessing_is_documented(name: str) -> None:
    """A filter is named in full, or behind others of its library: `pillow-box`, `-hamming`."""
    library, _, rest = name.partition("-")
    rows = [line for line in page("archive.md").splitlines() if line.startswith("| `[preprocess]")]
    assert any(
        f"`{name}`" in row or (f"`{library}-" in row and f"`-{rest}`" in row) for row in rows
    )


def request_errors(kind: type[errors.PlumblineError]) -> Iterator[type[errors.PlumblineError]]:
    """The errors that a caller can get; those with subclasses are only families."""
    for error in kind.__subclasses__():
        yield from request_errors(error) if error.__subclasses__() else [error]


@pytest.mark.parametrize(
    "error", [*request_errors(errors.RequestError), *request_errors(errors.Unavailable)]
)
def test_every_error_code_is_documented_with_its_status(error: type[errors.PlumblineError]) -> None:
    rows = [line for line in page("requests.md").splitlines() if f"`{error.code}`" in line]

    assert [row.split("|")[1].strip() for row in rows] == [str(error.status)]


def test_the_errors_of_multi_model_endpoints_are_among_those() -> None:
    assert hosting_errors.ModelNotLoaded in request_errors(errors.RequestError)


@pytest.mark.parametrize("media_type", list(requests.READERS))
def test_every_content_type_is_documented(media_type: str) -> None:
    assert f"`{media_type}`" in page("requests.md")


def anchors(file: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", file.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = [title.lower() for title in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_every_link_leads_somewhere(file: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]*)(?:#([^)]+))?\)", file.read_text("utf-8"))
    inside = [link for link in links if not link[0].startswith(("http:", "https:"))]

    for target, anchor in inside:
        there = file.parent / target if target else file
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


def test_the_index_names_every_page() -> None:
    pages = {file.name for file in (ROOT / "docs").glob("*.md")} - {"README.md"}

    assert {name for name in pages if f"]({name}" not in page("README.md")} == set()


@pytest.mark.parametrize("file", PAGES[1:], ids=lambda file: file.name)
def test_every_page_names_a_next_step(file: Path) -> None:
    text = file.read_text("utf-8").strip()
    last = text if file.name == "settings.md" else text.rpartition("\n\n")[2]  # it ends in a table

    assert "Next: " in last


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120


@pytest.mark.parametrize(
    "name", [*tf_serving_variables.READERS, tf_serving_variables.DEFAULT_MODEL]
)
def test_every_setting_of_another_container_that_is_heeded_is_documented(name: str) -> None:
    assert f"`{name}`" in page("tensorflow-serving.md")


def test_training_is_documented_as_it_is() -> None:
    text = page("training.md")
    for part in (tables.DATA, tables.PICTURES, tables.NETWORK, tables.LEARNING):
        assert hyperparameters.markdown(part) in text
    for name, value in tables.SUCCESSOR.items():
        assert f"`{name}={value}`" in text
    for network in NETWORKS:
        assert f"`{network}`" in text
    for name, expression in METRICS.items():
        assert f"| `{name}` | `{expression}` |" in text


def test_detection_is_documented_as_it_is() -> None:
    text = page("training.md")
    table = detection_table
    for part in (table.DATA, table.PICTURES, table.NETWORK, table.LEARNING):
        assert hyperparameters.markdown(part) in text
    for name, value in table.SUCCESSOR.items():
        assert f"`{name}={value}`" in text
    for name, expression in detection_lines.METRICS.items():
        assert f"| `{name}` | `{expression}` |" in text


def test_segmentation_is_documented_as_it_is() -> None:
    text = page("training.md")
    table = segmentation_table
    for part in (table.DATA, table.PICTURES, table.NETWORK, table.LEARNING):
        assert hyperparameters.markdown(part) in text
    for network in SEGMENTERS:
        assert f"`{network}`" in text
    for name, expression in quality_lines.METRICS.items():
        assert f"| `{name}` | `{expression}` |" in text


def test_the_checks_of_conform_are_documented_as_they_are() -> None:
    text = page("conform.md")
    assert catalogue.markdown().rstrip() in text
    assert f"each of {len(catalogue.CHECKS)} rules" in text
    options = {name for one in conform.params for name in one.opts if name.startswith("--")}
    assert {name for name in options if f"{name} " not in text and f"{name}`" not in text} == set()
