"""The plumb line: golden pictures through the endpoint, coming out right and wrong."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aws_account import BUCKET, IMAGE, ROLE, Account, Deploy
from click.testing import Result
from faults import Weather, refused
from PIL import Image

from deployment.aws import predictor
from deployment.proof import inspection

EXPECTED = np.array([0.25, 0.75], np.float32)

OTHER = np.array([0.75, 0.25], np.float32)

PICTURE = b"the bytes of cat.png" * 7_000


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A tar with a golden picture."""
    file = tmp_path / "model.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        member = tarfile.TarInfo("golden/cat.png")
        member.size = len(PICTURE)
        tar.addfile(member, io.BytesIO(PICTURE))
    return file


@pytest.fixture
def plumbline(sound: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plumbline's command line, as far as it is asked here, without TensorFlow."""

    def run(command: str, file: str, *more: str) -> subprocess.CompletedProcess[str]:
        said = {"inspect": inspected, "compare": compared}[command](*map(Path, more[:1]))
        return subprocess.CompletedProcess([], 0, json.dumps(said), "")

    def inspected(_json: Path) -> dict[str, Any]:
        return {"golden": {"files": ["golden/cat.png"]}}

    def compared(answers: Path) -> dict[str, Any]:
        file = answers / "cat.png.npy"
        if file.is_file():
            right = np.array_equal(np.load(file), EXPECTED)
        else:
            said = json.loads((answers / "cat.png.json").read_text())
            right = said["predictions"][0] == EXPECTED.tolist()
        return {"pictures": {"cat.png": {}}, "wrong": None if right else "cat.png is off by 0.5."}

    monkeypatch.setattr(inspection, "plumbline", run)


def npy(values: Any) -> bytes:
    """As the server writes arrays."""
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def container(values: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A container that answers so, if it is asked as it should be."""

    def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
        assert asked["Body"] == PICTURE
        assert asked["CustomAttributes"] == "format=raw"
        return {"Body": io.BytesIO(npy(values)), "ContentType": asked["Accept"]}

    return answer


@pytest.fixture
def up(deploy: Deploy, archive: Path, plumbline: None) -> Deploy:
    """`deploy.py up cats`, its archive checked."""

    def run(*more: object) -> Result:
        arguments = ("--image", IMAGE, "--role", ROLE, *(more or ("--model", archive)))
        return deploy("up", "cats", *arguments)

    return run


def test_right_answers_are_said_to_be_right(account: Account, up: Deploy) -> None:
    with Weather(stubs={"InvokeEndpoint": container(EXPECTED)}).prevailing():
        ended = up()

    assert ended.exit_code == 0, ended.stderr
    assert "1 golden pictures came out right through the endpoint." in ended.stderr


def test_wrong_answers_end_with_their_own_status(account: Account, up: Deploy) -> None:
    with Weather(stubs={"InvokeEndpoint": container(OTHER)}).prevailing():
        ended = up()

    assert ended.exit_code == 7
    assert "cat.png is off by 0.5." in ended.stderr
    assert "python deploy.py down cats" in ended.stderr


def test_every_variant_is_asked(account: Account, up: Deploy, archive: Path) -> None:
    weather = Weather(stubs={"InvokeEndpoint": container(EXPECTED)})
    with weather.prevailing():
        ended = up("--variant", f"a={archive}:90", "--variant", f"b={archive}:10")

    assert ended.exit_code == 0, ended.stderr
    asked = [call for call in weather.calls if call.operation == "InvokeEndpoint"]
    assert [call.parameters["TargetVariant"] for call in asked] == ["a", "b"]
    since = [call.operation for call in weather.calls[weather.calls.index(asked[0]) :]]
    assert set(since) == {"InvokeEndpoint"}, "the configuration is asked for once, before"


def test_a_model_of_several_outputs_is_asked_for_json(account: Account, up: Deploy) -> None:
    def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
        said = {"predictions": [EXPECTED.tolist()]}
        return {"Body": io.BytesIO(json.dumps(said).encode())}

    no_array = refused(
        "ModelError",
        "Received client error (406) from all with message …",
        424,
        OriginalStatusCode=406,
        OriginalMessage='{"error": {"code": "not_acceptable", "message": "…"}}',
    )
    first = iter([no_array()])
    weather = Weather(
        before={"InvokeEndpoint": lambda: next(first, None)}, stubs={"InvokeEndpoint": answer}
    )
    with weather.prevailing():
        ended = up()

    assert ended.exit_code == 0, ended.stderr


def test_an_error_of_the_container_is_told_in_its_own_words(account: Account, up: Deploy) -> None:
    error = refused(
        "ModelError",
        "Received server error (500)",
        424,
        OriginalStatusCode=500,
        OriginalMessage='{"error": {"code": "engine_error", "message": "Too many axes."}}',
    )
    with Weather(before={"InvokeEndpoint": error}).prevailing():
        ended = up()

    assert ended.exit_code == 7
    assert "Too many axes." in ended.stderr
    assert "python deploy.py logs cats" in ended.stderr


def test_an_async_endpoint_is_asked_by_way_of_s3(
    account: Account, up: Deploy, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "PAUSE", 0.0)
    s3 = account("s3")
    place = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket="answers", CreateBucketConfiguration=place)

    def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
        bucket, key = predictor.place(asked["InputLocation"])  # too large to be sent along
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == PICTURE
        s3.put_object(Bucket="answers", Key="there/1.out", Body=npy(EXPECTED))
        return {"OutputLocation": "s3://answers/there/1.out", "InferenceId": "1"}

    with Weather(stubs={"InvokeEndpointAsync": answer}).prevailing():
        ended = up("--model", archive, "--async", "s3://answers/there/")

    assert ended.exit_code == 0, ended.stderr
    assert "came out right" in ended.stderr


def test_what_async_endpoints_were_sent_is_removed_with_the_data(
    account: Account, up: Deploy, deploy: Deploy, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_an_async_endpoint_is_asked_by_way_of_s3(account, up, archive, monkeypatch)

    ended = deploy("down", "cats", "--yes", "--data")

    left = account("s3").list_objects_v2(Bucket="answers")["Contents"]
    assert ended.exit_code == 0, ended.stderr
    assert [each["Key"] for each in left] == ["there/1.out"]


def test_an_archive_in_s3_is_fetched_to_be_looked_into(
    account: Account, up: Deploy, archive: Path
) -> None:
    s3 = account("s3")
    place = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    s3.upload_file(str(archive), BUCKET, "there/model.tar.gz")
    with Weather(stubs={"InvokeEndpoint": container(EXPECTED)}).prevailing():
        ended = up("--model", f"s3://{BUCKET}/there/model.tar.gz")

    assert ended.exit_code == 0, ended.stderr
    assert len(s3.list_objects_v2(Bucket=BUCKET)["Contents"]) == 1


def test_a_folder_in_s3_is_looked_into_as_an_archive_is(account: Account, up: Deploy) -> None:
    s3 = account("s3")
    place = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    s3.put_object(Bucket=BUCKET, Key="there/golden/cat.png", Body=PICTURE)
    with Weather(stubs={"InvokeEndpoint": container(EXPECTED)}).prevailing() as weather:
        nothing = up("--model", f"s3://{BUCKET}/elsewhere/")
        ended = up("--model", f"s3://{BUCKET}/there/")

    assert ended.exit_code == 0, ended.stderr
    assert "1 golden pictures came out right" in ended.stderr
    [made] = [call for call in weather.calls if call.operation == "CreateModel"]
    source = made.parameters["PrimaryContainer"]["ModelDataSource"]["S3DataSource"]
    assert (source["S3DataType"], source["CompressionType"]) == ("S3Prefix", "None")
    assert nothing.exit_code == 2
    assert f"There is nothing under s3://{BUCKET}/elsewhere/" in nothing.stderr


@pytest.mark.parametrize("url", [f"s3://{BUCKET}/none.tar.gz", "s3://nobodys/none.tar.gz"])
def test_an_archive_that_is_not_in_s3(account: Account, up: Deploy, url: str) -> None:
    place = {"LocationConstraint": "eu-central-1"}
    account("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)

    ended = up("--model", url)

    assert ended.exit_code == 2
    assert f"There is no object {url}." in ended.stderr


# -- the archive itself -------------------------------------------------------------------------


def test_what_can_not_be_served_is_not_sent(
    account: Account, deploy: Deploy, sound: None, tmp_path: Path
) -> None:
    file = tmp_path / "model.tar.gz"
    file.write_bytes(b"no archive at all")

    ended = deploy("up", "cats", "--image", IMAGE, "--role", ROLE, "--model", file)

    assert ended.exit_code == 2
    assert "nothing was sent to AWS" in ended.stderr
    assert "not a whole tar archive" in ended.stderr
    assert account("s3").list_buckets()["Buckets"] == []


def test_where_tensorflow_is_lacking_it_says_how_to_go_on(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "Error: Looking into a model that was not compiled for OpenVINO needs TensorFlow, …"
    failed = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(inspection, "plumbline", lambda *_: failed)

    with pytest.raises(inspection.Misuse, match=r"can't be looked into here.*--no-check"):
        inspection.inspect(archive)


def test_answers_that_can_not_be_compared_are_not_taken_for_wrong_ones(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashed = subprocess.CompletedProcess([], 1, "", "Traceback …\nMemoryError: 2 GiB")
    monkeypatch.setattr(inspection, "plumbline", lambda *_: crashed)
    with pytest.raises(inspection.Misuse, match=r"MemoryError: 2 GiB Nothing is known of them"):
        inspection.compare(archive, tmp_path)

    killed = subprocess.CompletedProcess([], -9, "", "")
    monkeypatch.setattr(inspection, "plumbline", lambda *_: killed)
    with pytest.raises(inspection.Misuse, match="status -9"):
        inspection.compare(archive, tmp_path)


def test_what_does_not_end_is_told(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "SECONDS", 0.01)

    with pytest.raises(inspection.Misuse, match=r"did not end within .* --no-check"):
        inspection.inspect(archive)


@pytest.mark.tensorflow
def test_a_checkout_is_looked_into_by_its_own_package() -> None:
    """Whoever has installed nothing but what `deploy.py` imports has the server's package, too."""
    assert (inspection.CONTAINER / "plumbline/cli.py").is_file()


def test_a_real_archive_by_plumblines_own_command_line(tmp_path: Path) -> None:
    """A model that gives a picture's mean colour, packed by hand."""
    import tensorflow as tf

    class Mean(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 3], tf.float32, "image")])
        def __call__(self, image: Any) -> dict[str, Any]:
            return {"color": tf.reduce_mean(image, [1, 2])}

    made, folder = Mean(), tmp_path / "model"
    tf.saved_model.save(made, str(folder), signatures={"serving_default": made.__call__})
    (folder / "plumbline.toml").write_text('task = "raw"\n[preprocess]\nnormalize = "none"\n')
    (folder / "golden").mkdir()
    Image.new("RGB", (4, 4), (10, 20, 30)).save(folder / "golden" / "cat.png")
    np.savez(folder / "golden" / "cat.png.npz", color=np.float32([[10, 20, 30]]))
    file, answers = tmp_path / "model.tar.gz", tmp_path / "answers"
    with tarfile.open(file, "w:gz") as tar:
        tar.add(folder, ".")
    answers.mkdir()

    inspected = inspection.inspect(file)
    pictures = inspection.golden_pictures(inspected)
    np.save(answers / "cat.png.npy", np.float32([10, 20, 30]))

    assert pictures == {"cat.png": (folder / "golden" / "cat.png").read_bytes()}
    assert inspection.compare(file, answers) == 1
    np.save(answers / "cat.png.npy", np.float32([10, 20, 31]))
    with pytest.raises(inspection.AnsweredWrong, match="the largest difference is 1"):
        inspection.compare(file, answers)
