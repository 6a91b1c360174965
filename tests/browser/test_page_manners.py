"""The page keeps to itself, can be used by everybody, and says how to ask without it."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import axe_core_python
import pytest
from click.testing import CliRunner
from flask import Flask
from open_page import Drawn, Open, Page
from PIL import Image
from sagemaker_runtime import REGION, listening, sagemaker_for
from selenium.webdriver.common.keys import Keys
from served import Served
from task_engines import Detector

from plumbline.browser_page import about
from plumbline.cli import main
from plumbline.client import endpoint as endpoints
from plumbline.client.page_command import asking
from plumbline.spec.model_spec import ModelSpec
from plumbline.web.endpoint_page import Elsewhere, app_for

Show = Callable[..., Page]

AXE = Path(axe_core_python.__file__).with_name("axe.min.js")

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "a" * 5000,
    "\u202egnp.exe {{7*7}} ${7*7}",
)


@pytest.fixture
def picture(scene: Image.Image) -> bytes:
    """A picture in which a detector finds three things."""
    stream = io.BytesIO()
    scene.save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def detector(show: Show) -> Page:
    """The page of a detector of four classes."""
    labels = ("bee", "wasp", "fly", "ant")
    return show(engine=Detector(), spec=ModelSpec("detection", labels), labels=labels)


def test_hostile_labels_and_file_names_stay_text(show: Show, picture: bytes) -> None:
    page = show(engine=Detector(), spec=ModelSpec("detection", HOSTILE), labels=HOSTILE)
    name = "<b onclick=alert(3)>'\"$(touch x).png"
    page.drop(picture, name)

    assert [label for label, _ in page.rows()] == [HOSTILE[1], HOSTILE[3], HOSTILE[0]]
    assert page.text("state") == f"Answered: {name}"
    assert page.run("return document.querySelectorAll('img, b, script:not([src])').length") == 0
    assert all(label in page.text("facts") for label in HOSTILE)
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")


def test_the_page_asks_its_own_server_and_nobody_else(detector: Page, picture: bytes) -> None:
    detector.driver.get(detector.url)
    detector.until_state("Ready").drop(picture)
    asked = [(method, url) for method, url in detector.requests() if not url.startswith("data:")]
    own = detector.url
    paths = ["", "page.css", "page.js", "about"]
    assert sorted(asked) == sorted(
        [*(("GET", f"{own}{path}") for path in paths), ("POST", f"{own}invocations")]
    )


def test_the_policy_stops_what_is_not_the_pages_own(detector: Page) -> None:
    detector.run("""
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.head.append(script);
      const image = document.createElement("img");
      image.src = "http://192.0.2.1/x.png";
      document.body.append(image);
    """)
    detector.until(lambda page: len(page.run("return window.violations")) == 2)
    assert detector.run("return window.ran") is None

    detector.run("window.violations = []")
    detector.driver.get_log("browser")
    detector.requests()
    detector.addresses.clear()


def test_everything_can_be_reached_and_used_by_keys_alone(detector: Page, picture: bytes) -> None:
    detector.run("""
      window.opened = 0;
      document.getElementById("file").addEventListener("click", (event) => {
        opened++;
        event.preventDefault();
      });
    """)
    detector.keys(Keys.TAB, Keys.ENTER, Keys.SPACE)
    assert detector.focus() == "choose"
    assert detector.run("return opened") == 2
    detector.drop(picture, kind="paste")

    reached = []
    for _ in range(13):
        detector.keys(Keys.TAB)
        reached.append(detector.focus())
    assert reached == [
        *("camera", "save", "threshold", "wasp", "ant", "bee"),
        *("Raw answer", "Repeat this request", "curl", "boto3", "predict"),
        *reached[-2:],
    ]
    detector.run("document.querySelector('#rows button').focus()")
    before = detector.canvas()
    detector.keys(Keys.ARROW_DOWN)
    assert detector.focus() == "ant"
    assert (detector.canvas() != before).any(), "the box of the row is shown"
    detector.run("document.getElementById('threshold').focus()")
    detector.keys(Keys.END)
    assert detector.rows() == []
    assert detector.text("count") == "0 detections; 3 hidden"


def test_a_picture_can_be_taken_with_the_camera(detector: Page) -> None:
    detector.find("camera").click()
    detector.until(lambda page: page.find("shoot").is_displayed())
    detector.find("shoot").click()
    detector.until_state("Answered: camera.png")
    detector.until(lambda page: page.find("canvas").is_displayed())
    image = json.loads(detector.text("raw"))["predictions"][0]["image"]
    assert min(image["width"], image["height"]) >= 240
    assert not detector.find("video").is_displayed()
    assert detector.find("save").get_attribute("download") == "camera.png"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_anybody_out(
    scheme: str, detector: Page, picture: bytes
) -> None:
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    detector.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    dark = detector.run("return getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(255, 255, 255)") == (scheme == "light")
    detector.run(AXE.read_text("utf-8"))
    for data, name in ((None, ""), (picture, "it.png"), (b"no picture", "bad.png")):
        if data is not None:
            detector.drop(data, name)
        detector.run("for (const each of document.querySelectorAll('details')) each.open = true")
        found = detector.driver.execute_async_script("axe.run().then(arguments[0])")
        assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
        assert len(found["passes"]) > 15


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_nothing_sticks_out_of_a_window(width: int, detector: Page, picture: bytes) -> None:
    detector.driver.set_window_size(width, 900)
    detector.drop(picture, f"{'long' * 60}.png")
    across = detector.run("return [document.documentElement.scrollWidth, innerWidth]")
    assert across[0] <= across[1]


def test_the_lines_repeat_the_request(
    detector: Page, picture: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "-it's $HOME.png"
    (tmp_path / name).write_bytes(picture)
    detector.drop(picture, name)
    answer = json.loads(detector.text("raw"))

    done = subprocess.run(
        ["bash", "-c", detector.text("curl")], capture_output=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == answer

    program, *arguments = shlex.split(detector.text("predict"))
    shown = CliRunner().invoke(main, [*arguments, "--json"])
    assert program == "plumbline"
    assert json.loads(shown.stdout)["prediction"] == answer["predictions"][0]


def test_the_page_of_an_endpoint_draws_and_says_how_to_ask_it(
    visit: Open,
    drawn: Drawn,
    picture: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it.png").write_bytes(picture)
    labels = ("bee", "wasp", "fly", "ant")
    spec = ModelSpec("detection", labels)
    container = Served(engine=Detector(), spec=spec, labels=labels).client().application
    with sagemaker(container, monkeypatch):
        client = endpoints.connect("cats", REGION, None)
        told = about.of_endpoint("cats", REGION, None, client.most_bytes)
        with listening(app_for(Elsewhere(asking(client), told, client.most_bytes))) as url:
            page = visit(f"{url}/").until_state("Ready: endpoint cats")
            page.app = container
            page.drop(picture)
            answer = json.loads(page.text("raw"))
            done = subprocess.run(
                ["bash", "-c", page.text("curl")], capture_output=True, check=True, timeout=60
            )
            assert json.loads(done.stdout) == answer
        _, *arguments = shlex.split(page.text("predict"))
        shown = CliRunner().invoke(main, [*arguments, "--json"])
        exec(page.text("boto3"), {})
    assert json.loads(shown.stdout)["prediction"] == answer["predictions"][0]
    assert json.loads(capsys.readouterr().out) == answer
    servers = drawn(page, picture)
    assert page.canvas().shape == servers.shape
    assert (page.canvas()[-20:] == servers[-20:]).all()
    assert "endpoint" in page.text("stages")


@contextmanager
def sagemaker(app: Flask, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """SageMaker with an endpoint "cats" behind which the app is."""
    with listening(sagemaker_for(app, [])) as runtime:
        patch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", runtime)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(variable, "testing")
        yield


def test_the_lines_for_boto3_repeat_the_request(
    detector: Page,
    picture: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    name = 'a"b\\c.png'
    (tmp_path / name).write_bytes(picture)
    detector.drop(picture, name)
    with sagemaker(detector.app, monkeypatch):
        exec(detector.text("boto3").replace("YOUR-ENDPOINT", "cats"), {})
    assert json.loads(capsys.readouterr().out) == json.loads(detector.text("raw"))
