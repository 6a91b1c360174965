"""An AWS account by moto, in this process, and `deploy.py` run in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.handlers
import botocore.loaders
import botocore.session
import pytest
from aws_account import IMAGE, REGION, ROLE, Account, Deploy
from batching import IN, OUT, filled
from click.testing import CliRunner, Result
from faults import Weather
from moto import mock_aws
from rolling import Rolling

from deployment.aws import performer
from deployment.cli import main


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
        plain = {name: repr(vars(option)) for name, option in options.items()}
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


def circumstances() -> tuple[object, ...]:
    """What a session and its clients depend on, beside their options."""
    named = (item for item in os.environ.items() if item[0].startswith("AWS_"))
    return tuple(named), tuple(each[1] for each in botocore.handlers.BUILTIN_HANDLERS)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto's endpoints need no waiting for."""
    monkeypatch.setattr(performer, "PAUSE", 0.0)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An empty account; called with a service it gives boto3's client."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
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
def pictures(account: Account) -> Any:
    """A bucket with three pictures and what the console makes for a folder."""
    return filled(account("s3"))


@pytest.fixture
def transform(deploy: Deploy) -> Deploy:
    """`deploy.py transform cats` from there to there."""
    return lambda *more: deploy("transform", "cats", IN, OUT, *more)


@pytest.fixture
def change(deploy: Deploy) -> Deploy:
    """`deploy.py update cats`."""
    return lambda *more: deploy("update", "cats", "--no-check", *more)
