"""`deploy.py drift` reads what SageMaker has captured, in moto's S3, and reports by `plumbline`."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_account import Account, Deploy
from PIL import Image

from plumbline.drift import baseline
from plumbline.drift.baseline import Baseline
from plumbline.drift.picture_summary import Observation

KEPT = ("--capture", "s3://kept/captured/")


def usual() -> Baseline:
    """Of pictures that are rather dark."""
    seen = [Observation({"brightness": level / 255}) for level in range(20, 120)]
    return baseline.of("raw", seen)


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """An archive that says what is usual."""
    folder = tmp_path / "laid-out"
    folder.mkdir()
    baseline.write(folder, usual())
    (folder / "plumbline.toml").write_text('task = "raw"\n')
    file = tmp_path / "packed.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        for each in sorted(folder.iterdir()):
            tar.add(each, each.name)
    return file


def line(level: int) -> str:
    """A captured request with a picture of one gray."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (level, level, level)).save(stream, "PNG")
    picture = base64.b64encode(stream.getvalue()).decode()
    sides = {
        "endpointInput": {"observedContentType": "image/png", "data": picture},
        "endpointOutput": {"observedContentType": "application/json", "data": "{}"},
    }
    for side, encoding in zip(sides.values(), ("BASE64", "JSON"), strict=True):
        side["encoding"] = encoding
    return json.dumps({"captureData": sides, "eventMetadata": {"eventId": "1"}})


@pytest.fixture
def keep(account: Account) -> Any:
    """Puts captured requests into S3, so many hours ago: `keep(3, 50, 60)`."""
    s3 = account("s3")
    s3.create_bucket(
        Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )

    def put(hours: int, *levels: int, variant: str = "all") -> str:
        when = datetime.now(UTC) - timedelta(hours=hours)
        key = f"captured/cats/{variant}/{when:%Y/%m/%d/%H}/{when:%M}-00-000-{levels[0]}.jsonl"
        s3.put_object(Bucket="kept", Key=key, Body="\n".join(map(line, levels)).encode())
        return key

    return put


@pytest.fixture
def report(deploy: Deploy, tmp_path: Path) -> Any:
    """`deploy.py drift cats`, its page in the test's folder."""
    return lambda *more: deploy("drift", "cats", "--out", tmp_path / "page.html", *more)


def test_what_has_been_captured_is_compared_with_the_archive_that_runs(
    up: Deploy,
    packed: Path,
    keep: Any,
    report: Any,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    up("--model", packed, *KEPT, model=False)
    keep(200, *[250] * 30)
    keep(20, *range(20, 120))
    keep(2, *range(200, 250), variant="another")

    ended = report("--since", "7d", "--at-most", 0.25)
    as_usual = capfd.readouterr().out
    keep(1, *[250] * 100)
    brighter = report("--since", "7d", "--at-most", 0.25)

    assert ended.exit_code == 0, ended.stderr
    assert "Captured pictures: 100, in 100 requests." in as_usual
    assert brighter.exit_code == 1
    assert "moved far" in capfd.readouterr().out
    assert "Most unusual pictures" in (tmp_path / "page.html").read_text()


def test_an_archive_that_lies_here_need_not_be_fetched(
    up: Deploy, packed: Path, keep: Any, report: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    up(*KEPT)
    keep(1, 50)

    ended = report("--model", packed)

    assert ended.exit_code == 0, ended.stderr
    assert "Captured pictures: 1, in 1 requests." in capfd.readouterr().out


@pytest.mark.usefixtures("account")
def test_a_dry_run_shows_the_calls(up: Deploy, packed: Path, report: Any) -> None:
    up("--model", packed, *KEPT, model=False)

    listing, fetching = json.loads(report("--since", "12h", "--dry-run").stdout)["calls"]

    assert listing["operation"] == "ListObjectsV2"
    assert listing["parameters"]["Prefix"] == "captured/cats/all/"
    begins = datetime.now(UTC) - timedelta(hours=12)
    hours = {f"captured/cats/all/{when:%Y/%m/%d/%H}/" for when in (begins, begins - MINUTE)}
    assert listing["parameters"]["StartAfter"] in hours
    assert fetching["operation"] == "GetObject"


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("up_with", "options", "told"),
    [
        ((), (), "python deploy.py update cats --capture s3://my-bucket/captured/"),
        (KEPT, (), "Nothing was captured of cats's variant all since"),
        (KEPT, ("--since", "yesterday"), "hours or days, such as 12h or 7d"),
        (KEPT, ("--variant", "new"), "cats has no variant new; it has all."),
    ],
)
def test_what_there_is_nothing_to_say_of_is_told(
    up: Deploy, keep: Any, report: Any, up_with: Any, options: Any, told: str
) -> None:
    up(*up_with)

    ended = report(*options)

    assert ended.exit_code == 2
    assert told in " ".join(ended.stderr.split())


def test_an_archive_without_a_baseline_is_told_what_to_do(
    up: Deploy, keep: Any, report: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "old.tar.gz"
    with gzip.open(old, "wb") as packed, tarfile.open(fileobj=packed, mode="w") as tar:  # type: ignore[call-overload]
        tar.addfile(tarfile.TarInfo("plumbline.toml"))
    up("--model", old, *KEPT, model=False)
    keep(1, 50)

    ended = report()

    assert ended.exit_code == 1
    assert "Pack the model again: plumbline pack" in capfd.readouterr().err


@pytest.mark.usefixtures("weather")
def test_requests_can_be_captured_from_now_on(account: Account, up: Deploy, deploy: Deploy) -> None:
    up()

    ended = deploy("update", "cats", "--no-check", *KEPT, "--capture-percent", 20)

    assert ended.exit_code == 0, ended.stderr
    config = account("sagemaker").describe_endpoint(EndpointName="cats")["EndpointConfigName"]
    found = account("sagemaker").describe_endpoint_config(EndpointConfigName=config)
    kept = found["DataCaptureConfig"]
    assert (kept["DestinationS3Uri"], kept["InitialSamplingPercentage"]) == (KEPT[1], 20)
