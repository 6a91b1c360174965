"""A real browser, what it is shown, and what it has done meanwhile."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from open_page import Drawn, Open, Page
from PIL import Image
from sagemaker_runtime import listening
from selenium import webdriver
from served import Served

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # CI is root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--window-size=1280,1000",
)

VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""
"""Run before the page's own program."""


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    """Headless Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": VIOLATIONS})
    yield driver
    driver.quit()


@pytest.fixture
def visit(driver: Any) -> Iterator[Open]:
    """Open an address; in the end, nothing may have broken the page's own policy."""
    opened: list[Page] = []

    def visit(url: str) -> Page:
        page = Page(driver, url)
        driver.set_window_size(1280, 1000)
        driver.get("about:blank")  # what was shown before asks no more
        driver.get_log("performance")
        driver.get(url)
        opened.append(page)
        page.requests()
        return page

    yield visit
    for page in opened:
        assert page.run("return window.violations") == []
        page.requests()
        assert {url for url in page.addresses if not url.startswith(page.url)} == set()
    wrong = [each["message"] for each in driver.get_log("browser")]
    assert [each for each in wrong if "Failed to load resource" not in each] == []


@pytest.fixture
def show(visit: Open) -> Iterator[Callable[..., Page]]:
    """The page of an app, ready: `show(engine=…, spec=…, labels=…)`; its own server is asked."""
    with ExitStack() as stack:

        def show(**parts: Any) -> Page:
            served = Served(**parts)
            served.settings = replace(served.settings, page=True)
            app = served.client().application
            page = visit(stack.enter_context(listening(app)) + "/")
            page.app = app
            return page.until_state("Ready")

        yield show


@pytest.fixture(scope="session")
def scene() -> Image.Image:
    """A picture in which every part differs: a gradient, two discs, and a corner that is bright."""
    rows, columns = np.mgrid[:120, :200]
    pixels = np.stack([columns * 255 // 199, rows * 255 // 119, 128 + 0 * rows], axis=-1)
    for row, column, color in ((30, 50, (255, 30, 0)), (85, 150, (0, 40, 255))):
        pixels[(rows - row) ** 2 + (columns - column) ** 2 < 400] = color
    pixels[:20, :30] = (250, 240, 10)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def drawn() -> Drawn:
    """The server's own drawing of its answer to a picture, `[height, width, 3]` uint8."""

    def ask(page: Page, data: bytes, media_type: str = "image/png") -> np.ndarray:
        headers = {"Accept": "image/png", "Content-Type": media_type}
        answer = page.app.test_client().post("/invocations", data=data, headers=headers)
        assert answer.status_code == 200, answer.text
        return np.asarray(Image.open(io.BytesIO(answer.data)).convert("RGB"))

    return ask


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
