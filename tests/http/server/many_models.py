"""A multi-model server, and what tests ask of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gunicorn_server import Answer, Server, running, wait_until


@dataclass
class Many:
    """A server with many models, whose folders are made here."""

    server: Server
    folder: Path

    def make(self, name: str, packed: bool = True, **said: Any) -> str:
        """The folder of a model that does what is said (`apps/many_app.py`).

        It is made to look packed, unless TensorFlow is to be waited for.
        """
        folder = self.folder / name / "model"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.json").write_text(json.dumps(said))
        if packed:
            (folder / "accelerated").mkdir(exist_ok=True)
            (folder / "accelerated" / "forms.json").touch()
        return str(folder)

    def load(self, name: str, url: str) -> Answer:
        """`POST /models`."""
        return self.server.ask("POST", "/models", json.dumps({"model_name": name, "url": url}))

    def loaded(self, name: str, **said: Any) -> str:
        """Make a model and load it, which must succeed; its folder."""
        url = self.make(name, **said)
        answer = self.load(name, url)
        assert answer.status == 200, answer.body
        return url

    def unload(self, name: str) -> Answer:
        """`DELETE /models/<name>`."""
        return self.server.ask("DELETE", f"/models/{quote(name, safe='')}")

    def describe(self, name: str) -> Answer:
        """`GET /models/<name>`."""
        return self.server.ask("GET", f"/models/{quote(name, safe='')}")

    def invoke(self, name: str, value: float = 0, **headers: str) -> Answer:
        """`POST /models/<name>/invoke` with one number."""
        return self.server.ask(
            "POST",
            f"/models/{quote(name, safe='')}/invoke",
            json.dumps({"instances": [[value]]}),
            **{"Content-Type": "application/json", **headers},
        )

    def names(self, query: str = "") -> list[str]:
        """The names that `GET /models` lists."""
        return [
            one["modelName"]
            for one in document(self.server.ask("GET", f"/models{query}"))["models"]
        ]


def document(answer: Answer) -> Any:
    """The body of an answer that must be a success."""
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def number(answer: Answer) -> float:
    """What a model answered."""
    ((value,),) = document(answer)["predictions"]
    return float(value)


@contextmanager
def many_models(folder: Path, arguments: str = "", **settings: str) -> Iterator[Many]:
    """A multi-model server that is ready, with the app of `apps/many_app.py`."""
    settings["SAGEMAKER_MULTI_MODEL"] = "true"
    with running(folder, arguments, settings, "many_app") as server:
        wait_until(server.is_ready)
        yield Many(server, folder / "models")


def process_of(many: Many, name: str) -> int:
    """The process of a model that is loaded."""
    return int(document(many.describe(name))["pid"])
