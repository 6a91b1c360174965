"""What docs/deploy.md says of updates, ways back, shares and folders: word for word, in order."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws_account import REGION, Account, Deploy, inventory
from faults import Weather
from rolling import Rolling
from test_readme import CHANGES, command, commands

PAGE = "docs/deploy.md"

LINES = [line for line in commands(PAGE) if line[0] in CHANGES]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the archives that the page names."""
    (tmp_path / "build" / "demo").mkdir(parents=True)
    for name in ("build/demo/model.tar.gz", "better.tar.gz", "a.tar.gz", "b.tar.gz"):
        (tmp_path / name).write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_four_commands_are_written_of() -> None:
    assert {line[0] for line in LINES} == set(CHANGES)


def test_they_do_what_is_written(folder: Path, account: Account, deploy: Deploy) -> None:
    place = {"LocationConstraint": REGION}
    account("s3").create_bucket(Bucket="my-bucket", CreateBucketConfiguration=place)
    account("s3").put_object(Bucket="my-bucket", Key="photographs/cat.jpg", Body=b"a picture")
    account("s3").put_object(Bucket="my-bucket", Key="answers/cat.jpg.out", Body=b"{}")
    with Weather(stubs=Rolling().stubs).prevailing():
        assert deploy(*command(PAGE, "up"), "--no-check").exit_code == 0
        for line in LINES:
            unchecked = ("--no-check",) if line[0] == "update" else ()
            ended = deploy(*line, *unchecked, *(("--dry-run",) if line[0] == "transform" else ()))
            assert ended.exit_code == 0, (line, ended.stderr)

    described = account("sagemaker").describe_endpoint(EndpointName="digits")
    assert [each["VariantName"] for each in described["ProductionVariants"]] == ["new"]
    assert deploy(*command(PAGE, "down"), "--yes").exit_code == 0
    assert set(inventory(account)) == {"objects"}
    assert all(each.startswith("my-bucket/") for each in inventory(account)["objects"])


@pytest.mark.parametrize("name", CHANGES)
def test_every_option_that_is_written_of_is_there(name: str, deploy: Deploy) -> None:
    known = deploy(name, "--help").stdout

    for line in LINES:
        if line[0] == name:
            assert all(word in known for word in line if word.startswith("--"))
