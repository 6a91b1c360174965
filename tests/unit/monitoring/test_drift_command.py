"""`plumbline drift` over folders of captured lines, whole, cut, hostile and of another model."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from captured import line, picture
from click.testing import CliRunner

from plumbline.cli import main
from plumbline.drift import baseline
from plumbline.drift.looks import look
from plumbline.drift.picture_summary import Observation, Share, said
from plumbline.results.task_results import Classes
from plumbline.wire.responses import FORMS

LABELS = ("night", "day", "<script>alert(1)</script>")
SIZE = (9, 7)


def answer(level: int, score: float | None = None) -> bytes:
    """What a model that tells bright from dark answers to such a picture."""
    best = min(2, level // 100)
    scores = np.zeros(3, np.float32)
    scores[best] = level / 1000 + 0.5 if score is None else score
    form = FORMS["application/json"]
    return form.whole([form.part(Classes(scores, (best,), (LABELS[best],)), 0, "typed")], True)


def seen(level: int) -> Observation:
    """The same as it is counted when a model is packed."""
    best = min(2, level // 100)
    scores = np.zeros(3, np.float32)
    scores[best] = level / 1000 + 0.5
    pixels = np.full((SIZE[1], SIZE[0], 3), level, np.uint8)
    return said(Classes(scores, (best,), (LABELS[best],))).with_look(look(pixels))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The folder of an archive that was packed with a hundred pictures, none of them bright."""
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "plumbline.toml").write_text('task = "classification"\n')
    baseline.write(folder, baseline.of("classification", [seen(k) for k in range(20, 120)]))
    return folder


def capture(folder: Path, *lines: str) -> Path:
    """A folder as data capture lays it out."""
    file = folder / "captured/cats/AllTraffic/2026/11/29/10/00-00-123.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines))
    return folder / "captured"


def drift(*words: object) -> dict[str, Any]:
    """The report for scripts."""
    done = CliRunner().invoke(main, ["drift", *map(str, words), "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["verdict"] for one in found["quantities"]}


def test_pictures_as_usual_have_not_moved(archive: Path, tmp_path: Path) -> None:
    levels = [*range(20, 120)] * 2
    lines = [line(picture(level), answer(level)) for level in levels]

    found = drift(archive, capture(tmp_path, *lines))

    assert verdicts(found) == dict.fromkeys(
        ("top_score", "brightness", "contrast", "megapixels", "classes"), "stable"
    )
    assert (found["pictures"], found["requests"], found["left_out"]) == (200, 200, {})


def test_brighter_pictures_have_moved_far_and_are_shown(archive: Path, tmp_path: Path) -> None:
    lines = [line(picture(level), answer(level), encoding="BASE64") for level in range(110, 250)]
    page = tmp_path / "drift.html"

    found = drift(archive, capture(tmp_path, *lines), "--out", page)

    moved = verdicts(found)
    assert (moved["brightness"], moved["classes"], moved["megapixels"]) == (
        *("moved far", "moved far"),
        "stable",
    )
    brightest = found["unusual"][0]["reasons"]
    assert any(reason.startswith("brightness 0.97") for reason in brightest)
    text = page.read_text()
    assert text.count("<img") == len(found["unusual"]) == 24
    assert "moved far" in text


def test_a_script_learns_of_it_by_the_exit_status(archive: Path, tmp_path: Path) -> None:
    captured = capture(tmp_path, *(line(picture(200), answer(200)) for _ in range(100)))

    done = CliRunner().invoke(main, ["drift", str(archive), str(captured), "--at-most", "0.25"])

    assert done.exit_code == 1
    assert "brightness" in done.stdout


def test_what_cannot_be_read_is_counted_and_the_rest_reported(
    archive: Path, tmp_path: Path
) -> None:
    good = line(picture(50), answer(50))
    other = b'{"predictions":[{"classes":[{"class_id":1,"label":"aeroplane","score":0.9}]}]}'
    document = json.loads(good)
    del document["captureData"]["endpointOutput"]
    captured = capture(
        tmp_path,
        *(good, "", "[]", "7", '{"captureData": 7}', json.dumps(document)),
        line(picture(50), other),
        line(picture(50), b'{"predictions":[{"detections":[]}]}'),
        line(picture(50), answer(50)).replace("iVBORw0KGgo", "!!"),
        line(b"no picture at all", answer(50)),
        line(picture(50)[:40], answer(50)),
        good[: len(good) // 2],
    )

    found = drift(archive, captured)

    assert found["pictures"] == 1
    assert found["left_out"] == {
        "not captured requests": 3,
        "without the answer": 1,
        "answered by another model, or unreadable": 2,
        "cut, or no JSON": 2,
        "refused by the server": 2,
    }


def test_several_pictures_of_a_request_belong_to_their_answers(
    archive: Path, tmp_path: Path
) -> None:
    rows = [{"b64": base64.b64encode(picture(level)).decode()} for level in (30, 60)]
    request = json.dumps({"instances": rows}).encode()
    parts = [json.loads(answer(level))["predictions"][0] for level in (30, 60)]
    both = json.dumps({"predictions": parts}).encode()
    one = json.dumps({"predictions": parts[:1]}).encode()

    found = drift(
        archive,
        capture(
            tmp_path,
            line(request, both, request_type="application/json"),
            line(request, one, request_type="application/json"),
        ),
    )

    assert found["pictures"] == 2
    assert found["left_out"] == {"answered by another model, or unreadable": 1}


def test_nothing_hostile_gets_onto_the_page(archive: Path, tmp_path: Path) -> None:
    hostile = json.loads(line(picture(250), answer(250)))
    hostile["eventMetadata"] = {
        "inferenceId": '"><img src=x onerror=alert(2)>',
        "inferenceTime": "<svg onload=alert(3)>\u202e",
    }
    page = tmp_path / "drift.html"

    drift(archive, capture(tmp_path, json.dumps(hostile)), "--out", page)

    text = page.read_text()
    assert "default-src 'none'" in text
    assert not any(each in text for each in ("<script", "<svg onload", "<img src=x", "http://"))
    assert "&lt;svg onload" in text
    assert base64.b64encode(picture(250)).decode() not in text, "decoded, and written anew"


def test_the_newest_are_looked_at_and_no_more_than_asked(archive: Path, tmp_path: Path) -> None:
    old = tmp_path / "captured/cats/AllTraffic/2026/11/28/23/59-00-1.jsonl"
    old.parent.mkdir(parents=True)
    old.write_text("\n".join(line(picture(200), answer(200)) for _ in range(5)))
    captured = capture(tmp_path, *(line(picture(50), answer(50)) for _ in range(5)))

    found = drift(archive, captured, "--most", 5)

    assert found["pictures"] == 5
    (brightness,) = (one for one in found["quantities"] if one["name"] == "brightness")
    assert brightness["median"][1] == pytest.approx(50 / 255)


def test_a_class_that_no_picture_showed_is_unusual(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    usual = [Observation({"top_score": 0.9}, [Share(0, "cat", 1.0)])] * 60
    baseline.write(tmp_path / "archive", baseline.of("classification", usual))

    found = drift(
        tmp_path / "archive", capture(tmp_path, line(picture(50), answer(110, score=0.9)))
    )

    assert found["unusual"][0]["reasons"] == ["class day (in no picture of the baseline)"]


@pytest.mark.parametrize("goldens", [True, False])
def test_an_archive_without_a_baseline_is_told_what_to_do(tmp_path: Path, goldens: bool) -> None:
    archive = tmp_path / "archive"
    (archive / "golden").mkdir(parents=True) if goldens else archive.mkdir()
    captured = capture(tmp_path, line(picture(50), answer(50)))

    done = CliRunner().invoke(main, ["drift", str(archive), str(captured)])

    assert done.exit_code == 1
    assert "has no baseline.json" in done.output
    assert ("older Plumbline" in done.output) is goldens
    assert "Pack the model again: plumbline pack … --golden DIR" in done.output


def test_a_folder_without_captured_requests_is_told_where_they_are(
    archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()

    done = CliRunner().invoke(main, ["drift", str(archive), str(tmp_path / "empty")])

    assert done.exit_code == 1
    assert "no file that ends in .jsonl" in done.output
    assert "Traceback" not in done.output
