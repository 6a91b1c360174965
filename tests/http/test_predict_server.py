"""`plumbline predict` and `transform` over the wire: against the app, and against SageMaker.

SageMaker's part is played by a server that boto3 itself talks to: it hands invocations on to the
app, and answers errors as `invoke_endpoint` does.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask, request
from PIL import Image
from sagemaker_runtime import ATTRIBUTES, REGION, listening, sagemaker_for
from served import Served

from plumbline.cli import main
from plumbline.engines.fake import FakeEngine

PAGE = Path(__file__).parents[2] / "docs" / "using.md"


@pytest.fixture(scope="module")
def app() -> Flask:
    """The app over the fake engine."""
    return Served().client().application


@pytest.fixture(scope="module")
def url(app: Flask) -> Iterator[str]:
    """Where it listens."""
    with listening(app) as found:
        yield found


@pytest.fixture
def variants() -> list[str | None]:
    """The variants that SageMaker was asked for."""
    return []


@pytest.fixture
def sagemaker(
    app: Flask, variants: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """boto3 set up to talk to what stands for SageMaker."""
    with listening(sagemaker_for(app, variants)) as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", found)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        yield


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with three pictures and a broken one."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("dark.png", "half.webp", "light.jpg"), start=1):
        image = Image.radial_gradient("L").point(lambda value, by=number: value // by)
        image.convert("RGB").save(name)
    Path("broken.png").write_bytes(Path("dark.png").read_bytes()[:500])
    return tmp_path


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


def asked(app: Flask, name: str, attributes: str = "", accept: str = "*/*") -> Any:
    """What the app itself answers to a picture."""
    answer = app.test_client().post(
        "/invocations",
        data=Path(name).read_bytes(),
        content_type="application/x-image",
        headers={ATTRIBUTES: attributes, "Accept": accept},
    )
    return answer.data if accept == "image/png" else json.loads(answer.data)


WHERE = ["server", "endpoint"]


@pytest.fixture(params=WHERE)
def where(request: pytest.FixtureRequest, url: str, sagemaker: None) -> list[str]:
    """The options that say who is asked."""
    if request.param == "server":
        return ["--url", url]
    return ["--endpoint", "cats", "--region", REGION]


def test_the_table_shows_what_the_server_says(where: list[str], app: Flask, photos: Path) -> None:
    done = run("predict", "light.jpg", *where, "--top-k", 3)

    assert done.exit_code == 0, done.output
    name, *lines = done.stdout.split("\n")
    assert name == "light.jpg"
    classes = asked(app, "light.jpg", "top_k=3")["predictions"][0]["classes"]
    assert len(classes) == 3
    for line, found in zip(lines, classes, strict=False):
        words = line.split()
        assert (words[0], words[-1]) == (found["label"], f"{found['score']:.4f}")


def test_for_scripts_there_is_a_line_of_json_each(
    where: list[str], app: Flask, photos: Path
) -> None:
    done = run("predict", "dark.png", "broken.png", "half.webp", "--json", *where)

    assert done.exit_code == 1
    first, second, third = map(json.loads, done.stdout.splitlines())
    for line, name in ((first, "dark.png"), (third, "half.webp")):
        assert line == {"file": name, "prediction": asked(app, name)["predictions"][0]}
    assert second == {"file": "broken.png", **asked(app, "broken.png")}


def test_a_bad_picture_is_named_and_the_others_are_shown(
    where: list[str], app: Flask, photos: Path
) -> None:
    done = run("predict", "broken.png", "dark.png", *where)

    assert done.exit_code == 1
    assert done.stdout.startswith("dark.png\n")
    message = asked(app, "broken.png")["error"]["message"]
    assert done.stderr == f"broken.png: {message}\n"


def test_drawings_are_what_the_server_draws(where: list[str], app: Flask, photos: Path) -> None:
    one = run("predict", "light.jpg", "--out", "new/one.png", "--top-k", 2, *where)
    several = run("predict", "light.jpg", "dark.png", "--out", "drawn", *where)

    assert (one.exit_code, several.exit_code) == (0, 0)
    assert Path("new/one.png").read_bytes() == asked(app, "light.jpg", "top_k=2", "image/png")
    assert Path("drawn/dark.png").read_bytes() == asked(app, "dark.png", accept="image/png")
    assert sorted(file.name for file in Path("drawn").iterdir()) == ["dark.png", "light.png"]
    assert [file.name for file in Path("new").iterdir()] == ["one.png"]
    assert "drawn: new/one.png" in one.stdout


def test_a_drawing_that_fails_leaves_what_was_there(url: str, photos: Path) -> None:
    Path("drawn.png").write_bytes(b"before")
    done = run("predict", "broken.png", "--out", "drawn.png", "--url", url)
    assert done.exit_code == 1
    assert Path("drawn.png").read_bytes() == b"before"


def test_the_variant_arrives(sagemaker: None, variants: list[str | None], photos: Path) -> None:
    options = ["--endpoint", "cats", "--region", REGION]
    run("predict", "dark.png", *options)
    run("predict", "dark.png", *options, "--variant", "blue")
    assert variants == [None, "blue"]


@pytest.mark.parametrize("command", [["predict", "dark.png"], ["transform", ".", "--out", "out"]])
def test_an_endpoint_that_is_not_there_is_said_once(
    command: list[str], sagemaker: None, photos: Path
) -> None:
    done = run(*command, "--endpoint", "dogs", "--region", REGION)
    assert done.exit_code == 1
    assert done.stderr.count("Endpoint dogs of account 1 not found.") == 1
    assert "Check --endpoint, --variant and --region." in done.stderr


def test_a_folder_is_transformed_by_a_server_as_by_an_endpoint(
    where: list[str], app: Flask, photos: Path
) -> None:
    done = run("transform", ".", "--out", "out", "--pictures", "--top-k", 2, *where)

    assert done.exit_code == 1
    assert done.stdout == "out/predictions.jsonl: 4 pictures, 1 of them with an error.\n"
    lines = [json.loads(line) for line in Path("out/predictions.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == ["broken.png", "dark.png", "half.webp", "light.jpg"]
    for line in lines:
        name = line.pop("file")
        answer = asked(app, name, "top_k=2")
        assert line == (answer if "error" in line else answer["predictions"][0])
    drawn = Path("out/pictures/light.png").read_bytes()
    assert drawn == asked(app, "light.jpg", "top_k=2", "image/png")
    assert not Path("out/pictures/broken.png").exists()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "not_found"),
        (403, "forbidden"),
        (406, "not_acceptable"),
        (400, "invalid_instances"),
        (415, "unsupported_content_type"),
    ],
)
def test_an_error_that_is_no_pictures_fault_ends_a_transform_without_a_line(
    status: int, code: str, photos: Path
) -> None:
    another = Flask("another")

    @another.post("/invocations")
    def invoke() -> tuple[dict[str, Any], int]:
        return {"error": {"code": code, "message": "Not so."}}, status

    with listening(another) as url:
        done = run("transform", ".", "--out", "out", "--url", url)
    assert done.exit_code == 1
    said = "Error: broken.png: Not so. 4 pictures are left; the same command goes on there.\n"
    assert done.stderr == said
    assert Path("out/predictions.jsonl").read_bytes() == b""


def test_every_option_arrives(photos: Path) -> None:
    sent = set()
    recorder = Flask("recorder")

    @recorder.post("/under/invocations")
    def invoke() -> dict[str, Any]:
        sent.add(tuple(request.headers[name] for name in ("Content-Type", "Accept", ATTRIBUTES)))
        return {"predictions": [1]}

    options = ["--top-k", 3, "--score-threshold", 0.25, "--max-detections", 7, "--mask"]
    with listening(recorder) as url:
        options += ["--url", f"{url}/under/"]
        assert run("predict", "dark.png", "--out", "x.png", *options).exit_code == 0
        assert run("predict", "dark.png", "--json", "--out", "x.png", *options).exit_code == 0
        command = ["transform", ".", "--out", "out", "--pictures", "--format", "builtin"]
        assert run(*command, *options).exit_code == 0
    named = "top_k=3,score_threshold=0.25,max_detections=7,mode=mask"
    expected = {
        ("application/x-image", accept, attributes)
        for attributes in (f"format=typed,{named}", named, f"format=builtin,{named}")
        for accept in ("application/json", "image/png")
    }
    assert sent == expected


def test_a_server_that_is_too_slow_is_told_from_one_that_is_not_there(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbline.client.base.SECONDS", 0.2)
    with listening(Served(engine=FakeEngine(delay=1)).client().application) as url:
        done = run("predict", "dark.png", "--url", url)
    assert done.exit_code == 1
    assert done.stderr == f"dark.png: {url} did not answer within 0.2 seconds.\n"


# -- the documentation --------------------------------------------------------------------------


def test_what_the_documentation_does_with_boto3_works(
    sagemaker: None, app: Flask, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cat.jpg").write_bytes(Path("light.jpg").read_bytes())
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)

    *lines, refused = capsys.readouterr().out.splitlines()
    classes = asked(app, "cat.jpg", "top_k=3")["predictions"][0]["classes"]
    assert lines == [f"{found['label']} {found['score']}" for found in classes]
    status, _, told = refused.partition(" ")
    assert (status, json.loads(told)["error"]["code"]) == ("400", "not_an_image")


def test_failed_pictures_are_tried_again_as_the_documentation_says(url: str, photos: Path) -> None:
    Path("photos").mkdir()
    for name in ("broken.png", "dark.png", "light.jpg"):
        Path(name).rename(Path("photos") / name)
    command = ["transform", "photos", "--out", "results", "--url", url]
    assert run(*command).exit_code == 1

    Path("photos/broken.png").write_bytes(Path("photos/dark.png").read_bytes())
    assert run(*command).exit_code == 1, "the error stays until it is taken out"
    recipe = re.search(r"    grep .*\n    mv .*\n", PAGE.read_text("utf-8"))
    assert recipe
    subprocess.run(recipe[0], shell=True, check=True)

    assert run(*command).exit_code == 0
    lines = [
        json.loads(line) for line in Path("results/predictions.jsonl").read_text().splitlines()
    ]
    assert [line["file"] for line in lines] == ["dark.png", "light.jpg", "broken.png"]
