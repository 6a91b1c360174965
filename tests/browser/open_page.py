"""The page, open in a browser: what it shows, what is done on it, what it has asked for."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

DROP = """
const [kind, name, type, data] = arguments;
const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
const held = new DataTransfer();
held.items.add(new File([bytes], name, { type }));
const target = document.getElementById("drop");
target.dispatchEvent(
  kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: held, bubbles: true })
    : new DragEvent("drop", { dataTransfer: held, bubbles: true, cancelable: true })
);
"""


@dataclass
class Page:
    """The page, open in the browser."""

    driver: Any
    url: str
    app: Any = None
    """What serves it, where that is in this process."""
    addresses: set[str] = field(default_factory=set)
    """All that were asked for."""

    def find(self, id_: str) -> WebElement:
        """The element of that id."""
        found: WebElement = self.driver.find_element("id", id_)
        return found

    def text(self, id_: str) -> str:
        """What an element says, shown or not."""
        return str(self.run("return document.getElementById(arguments[0]).textContent", id_))

    def run(self, script: str, *arguments: Any) -> Any:
        """What a program answers that runs in the page."""
        return self.driver.execute_script(script, *arguments)

    def until(self, holds: Callable[[Page], Any], seconds: float = 60) -> Any:
        """What `holds` returns once that is true."""
        return WebDriverWait(self.driver, seconds, 0.05).until(lambda _: holds(self))

    def until_state(self, beginning: str) -> Page:
        """Wait until the line at the top begins so."""
        self.until(lambda page: page.text("state").startswith(beginning))
        return self

    def drop(
        self, data: bytes, name: str = "it.png", media_type: str = "image/png", kind: str = "drop"
    ) -> Page:
        """Drop, or paste, a file onto the page, and wait for what comes of it."""
        self.run(DROP, kind, name, media_type, base64.b64encode(data).decode())
        self.until(lambda page: page.text("state") in (f"Answered: {name}", f"Refused: {name}"))
        return self

    def canvas(self) -> np.ndarray:
        """What is drawn, `[height, width, 3]` uint8."""
        url = str(self.run("return document.getElementById('canvas').toDataURL('image/png')"))
        data = base64.b64decode(url.partition(",")[2])
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def rows(self) -> list[list[str]]:
        """The table: label and figure of each row."""
        script = """
        return [...document.querySelectorAll("#rows tr")].map(
          (row) => [row.cells[0].textContent, row.cells[2].textContent])
        """
        found: list[list[str]] = self.run(script)
        return found

    def keys(self, *keys: str) -> Page:
        """Press keys, one after another."""
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()
        return self

    def focus(self) -> str:
        """The id of what the next key is for, or what it says."""
        script = "const at = document.activeElement; return at.id || at.textContent"
        return str(self.run(script))

    def requests(self) -> list[tuple[str, str]]:
        """Method and address of each request since this was asked last."""
        logged = [
            json.loads(one["message"])["message"] for one in self.driver.get_log("performance")
        ]
        sent = [each["params"]["request"] for each in logged if each["method"] == ASKED]
        found = [(each["method"], each["url"]) for each in sent]
        self.addresses |= {url for _, url in found if not url.startswith(WITHIN)}
        return found


ASKED = "Network.requestWillBeSent"

WITHIN = ("blob:", "data:")
"""How addresses begin that are within the browser."""

Open = Callable[[str], Page]

Drawn = Callable[..., np.ndarray]
"""The server's own drawing of its answer to a picture, `[height, width, 3]` uint8."""
