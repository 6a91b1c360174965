"""Whoever answers for pictures: a server by its URL, or a SageMaker endpoint by its name."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

import orjson

from plumbline.errors import CommandError
from plumbline.settings.variable_values import MEBIBYTE

ANY_PICTURE = "application/x-image"
"""The server looks at the bytes, whatever a file is called."""

SECONDS = 120.0
"""More than a server's own deadline, so that it is the server who says why."""

MOST_SHOWN = 300
"""Characters of an answer that nobody here knows how to read."""


class NotReached(CommandError):
    """Nobody answers where a command asks, or nobody who may."""

    code = "not_reached"


class NoAnswer(CommandError):
    """A server took a request, and hung up or fell silent."""

    code = "no_answer"


class Refused(CommandError):
    """A server answered with an error; `status`, `code` and message are its own."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    content_type: str
    body: bytes


class Client(Protocol):
    """The port: one request, one answer, from several threads at once."""

    @property
    def most_bytes(self) -> int:
        """What a larger body need not even be sent for."""

    def invoke(self, body: bytes, content_type: str, accept: str, attributes: str) -> Answer:
        """The answer, errors included; `attributes` are custom attributes, or empty.

        Raises `NotReached` and `NoAnswer`.
        """


def ask(client: Client, picture: bytes, accept: str, attributes: str) -> Answer:
    """The answer to a picture. Raises `Refused` for one that is an error."""
    answer = client.invoke(picture, ANY_PICTURE, accept, attributes)
    if answer.status != 200:
        raise refusal(answer)
    return answer


def read_picture(file: Path, most_bytes: int) -> bytes:
    """The bytes of a file. Raises `Refused` for one that can't be read, or has too many."""
    try:
        size = file.stat().st_size
        if size <= most_bytes:
            return file.read_bytes()
    except OSError as exc:
        message = f"The file can't be read: {exc.strerror}."
        raise Refused(400, "unreadable_file", message) from exc
    raise Refused(
        413,
        "body_too_large",
        f"The file has {size:,} bytes, and {most_bytes // MEBIBYTE:,} MiB are taken at most; make "
        "a smaller picture of it.",
    )


def refusal(answer: Answer) -> Refused:
    """The error that an answer is, in the server's own words."""
    try:
        error = orjson.loads(answer.body)["error"]
        return Refused(answer.status, str(error["code"]), str(error["message"]))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        text = " ".join(answer.body.decode(errors="replace").split())[:MOST_SHOWN]
        message = f"The server answered with status {answer.status}: {text or 'nothing more'}"
        return Refused(answer.status, f"http_{answer.status}", message)


def prediction(answer: Answer) -> Any:
    """What is said of the only picture, without the wrapping. Raises `Refused` for no JSON."""
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError as exc:
        message = f"The answer is not JSON, but {answer.content_type or 'of no type'}."
        raise Refused(answer.status, "not_json", message) from exc
    if not isinstance(document, dict):
        return document
    several = document.get("predictions")
    if isinstance(several, list) and len(several) == 1:
        return several[0]
    return document.get("prediction", document)


def attributes(options: Mapping[str, Any]) -> str:
    """The custom attributes of one request; None stands for what is not asked for."""
    return ",".join(f"{name}={value}" for name, value in options.items() if value is not None)


@dataclass(frozen=True)
class Server:
    """A server at a URL, such as http://127.0.0.1:8080; how much it takes is for it to say."""

    url: str
    most_bytes: int = 1024 * MEBIBYTE

    def invoke(self, body: bytes, content_type: str, accept: str, attributes: str) -> Answer:
        """See `Client.invoke`; a connection for each request."""
        headers = {"Content-Type": content_type, "Accept": accept, **custom(attributes)}
        with self.connected() as connection:
            try:
                connection.request("POST", self.place.path, body, headers)
                response = connection.getresponse()
                read = response.read()
            except TimeoutError as exc:
                raise NoAnswer(f"{self.url} did not answer within {SECONDS:g} seconds.") from exc
            except (OSError, http.client.HTTPException) as exc:
                raise NoAnswer(f"{self.url} hung up without an answer; see its log.") from exc
        return Answer(response.status, response.headers.get_content_type(), read)

    @property
    def place(self) -> SplitResult:
        """The URL's parts, with the path that takes pictures."""
        text = self.url if "://" in self.url else f"http://{self.url}"
        place = urlsplit(text)
        return place._replace(
            path=f"{place.path.removesuffix('/invocations').rstrip('/')}/invocations"
        )

    @contextmanager
    def connected(self) -> Iterator[http.client.HTTPConnection]:
        """A connection to the server. Raises `NotReached`."""
        place = self.place
        kind = SCHEMES[place.scheme]
        connection = kind(place.hostname or "", place.port, timeout=SECONDS)
        try:
            connection.connect()
        except OSError as exc:
            raise NotReached(
                f"There is no response from {self.url} ({exc.strerror or exc}). Is a server "
                "running there? plumbline serve MODEL starts one; --url names another."
            ) from exc
        try:
            yield connection
        finally:
            connection.close()


SCHEMES = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


def custom(attributes: str) -> dict[str, str]:
    """The header of custom attributes, where there are some."""
    return {"X-Amzn-SageMaker-Custom-Attributes": attributes} if attributes else {}


def check_url(url: str) -> None:
    """Raise `ValueError` with what is wrong with a URL."""
    place = Server(url).place
    if place.scheme not in SCHEMES or not place.hostname:
        raise ValueError("it must be like http://127.0.0.1:8080")
    _ = place.port  # raises for a port that is no number
