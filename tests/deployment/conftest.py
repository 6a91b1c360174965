"""An AWS account by moto, in this process, and `deploy.py` run in it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.handlers
import botocore.loaders
import botocore.session
import moto.core.responses
import pytest
from aws_account import IMAGE, REGION, ROLE, Account, Deploy
from batching import IN, OUT, filled
from botocore.useragent import UserAgentString
from click.testing import CliRunner, Result
from faults import Weather
from learning import School
from moto import mock_aws
from rolling import Rolling

from deployment.aws import performer, s3
from deployment.cli import main
from deployment.flows import preflight, recipe, watch


@pytest.fixture(scope="session", autouse=True)
def models_read_once() -> Iterator[None]:
    """The descriptions of services are large, and every session would read them again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.loaders.create_loader))
        yield


@pytest.fixture(scope="session", autouse=True)
def clients_made_once() -> Iterator[None]:
    """Making a session and its clients takes longer than all that they are asked here.

    They are made anew for another environment and other handlers of events, and for whoever asks by
    boto3's own session, to which a test may have added some.
    """
    made: dict[Any, Any] = {}
    session, make = boto3.session.Session, boto3.session.Session.client

    def client(self: Any, service: str, **options: Any) -> Any:
        if self is boto3.DEFAULT_SESSION:
            return make(self, service, **options)
        plain = {name: repr(getattr(each, "__dict__", each)) for name, each in options.items()}
        key = (service, self.region_name, self.profile_name, repr(plain), *circumstances())
        if key not in made:
            made[key] = make(self, service, **options)
        return made[key]

    def once(**options: Any) -> Any:
        key = (*options.items(), *circumstances())
        if key not in made:
            made[key] = session(**options)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "client", client)
        patch.setattr(boto3.session, "Session", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def said_once() -> Iterator[None]:
    """A sixth of each call goes into the names of moto's methods and of this machine's software."""
    with pytest.MonkeyPatch.context() as patch:
        named = cache(moto.core.responses.method_names_from_class)
        patch.setattr(moto.core.responses, "method_names_from_class", named)
        patch.setattr(UserAgentString, "to_string", lambda _: "botocore")
        yield


def circumstances() -> tuple[object, ...]:
    """What a session and its clients depend on, beside their options."""
    named = (item for item in os.environ.items() if item[0].startswith("AWS_"))
    return tuple(named), tuple(each[1] for each in botocore.handlers.BUILTIN_HANDLERS)


@pytest.fixture(scope="session", autouse=True)
def recipes_asked_once() -> Iterator[None]:
    """Plumbline's own command line takes a second, and answers the same each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "plumbline", cache(recipe.plumbline))
        yield


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto's endpoints and jobs need no waiting for, and files no hurry."""
    monkeypatch.setattr(performer, "PAUSE", 0.0)
    monkeypatch.setattr(watch, "PAUSE", 0.0)
    monkeypatch.setattr(s3, "AT_A_TIME", 1)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An empty account; called with a service it gives boto3's client."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    # Moto knows no prices: a port on which nobody listens.
    monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", "http://127.0.0.1:9")
    with mock_aws():
        yield boto3.session.Session().client


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A file that stands for an archive."""
    file = tmp_path / "model.tar.gz"
    file.write_bytes(b"an archive")
    return file


@pytest.fixture
def better(tmp_path: Path) -> Path:
    """Another one."""
    file = tmp_path / "better.tar.gz"
    file.write_bytes(b"another archive")
    return file


@pytest.fixture
def sagemaker() -> Rolling:
    """SageMaker, as far as it rolls out changes."""
    return Rolling()


@pytest.fixture
def weather(account: Account, sagemaker: Rolling) -> Iterator[Weather]:
    """All calls, with SageMaker's part that moto lacks."""
    with Weather(stubs=sagemaker.stubs).prevailing() as weather:
        yield weather


@pytest.fixture
def deploy() -> Deploy:
    """`python deploy.py` with these arguments, in this process."""

    def run(*arguments: object, answer: str | None = None) -> Result:
        return CliRunner().invoke(main, [str(each) for each in arguments], input=answer)

    return run


@pytest.fixture
def up(deploy: Deploy, archive: Path) -> Deploy:
    """`deploy.py up cats` with all that it needs, and more options."""
    needed = ("--image", IMAGE, "--role", ROLE, "--no-check")

    def run(*more: object, model: bool = True) -> Result:
        return deploy("up", "cats", *needed, *(("--model", archive) if model else ()), *more)

    return run


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account in which image, role and quota are taken to be right: moto has none of them."""
    for name in ("check", "check_batch", "check_training"):
        monkeypatch.setattr(preflight, name, lambda *_, **__: None)


@pytest.fixture
def pictures(account: Account) -> Any:
    """A bucket with three pictures and what the console makes for a folder."""
    return filled(account("s3"))


@pytest.fixture
def transform(deploy: Deploy, sound: None) -> Deploy:
    """`deploy.py transform cats` from there to there, in an account that lacks nothing."""
    return lambda *more: deploy("transform", "cats", IN, OUT, *more)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures for each of two classes; they are looked at by their names alone."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    for name in ("cats/a.png", "cats/b.png", "dogs/a.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(f"the picture {name}".encode())
    return folder


@pytest.fixture
def school(account: Account, monkeypatch: pytest.MonkeyPatch) -> School:
    """SageMaker, as far as it trains, and a clock by which no two jobs begin in one second."""
    start = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    seconds = (start + timedelta(seconds=number) for number in itertools.count())
    clock = SimpleNamespace(now=lambda _: next(seconds))
    for command in ("train", "search"):
        monkeypatch.setattr(f"deployment.commands.{command}.datetime", clock)
    return School()


@pytest.fixture
def studying(school: School) -> Iterator[Weather]:
    """All calls, with training jobs that take a while."""
    with school.weather().prevailing() as weather:
        yield weather


@pytest.fixture
def train(deploy: Deploy, photos: Path, sound: None) -> Deploy:
    """`deploy.py train cats` with all that it needs, and more options."""
    needed = ("--data", photos, "--image", IMAGE, "--role", ROLE)
    return lambda *more: deploy("train", "cats", *needed, *more)


@pytest.fixture
def seek(deploy: Deploy, photos: Path, sound: None) -> Deploy:
    """`deploy.py search cats` with all that it needs, and more options."""
    needed = ("--data", photos, "--image", IMAGE, "--role", ROLE)
    tried = ("--range", "learning_rate=1e-4..1e-1:log", "--choose", "optimizer=adam,sgd")
    return lambda *more: deploy("search", "cats", *needed, *tried, *more)


@pytest.fixture
def change(deploy: Deploy) -> Deploy:
    """`deploy.py update cats`."""
    return lambda *more: deploy("update", "cats", "--no-check", *more)
