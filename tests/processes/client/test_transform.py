"""`plumbline transform` over the fake engine: its lines, its resuming, and its ends."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from rich.console import Console

from plumbline.cli import main
from plumbline.client import throughput_meter
from plumbline.client.base import Answer
from plumbline.client.files import drawn_names
from plumbline.client.transform import AHEAD, PAUSES, Patient, in_order
from plumbline.client.transform_ledger import opened
from plumbline.engines.fake import FakeEngine
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import CommandError, EngineError
from plumbline.loading import loader

CONTAINER = Path(__file__).parents[3] / "container"

SPEC = '[preprocess]\nnormalize = "unit"\n'

SLOW = """
import itertools, signal, time
from plumbline.loading import loader
from plumbline.cli import main
from plumbline.engines.fake import FakeEngine

numbers = itertools.count()

class Tiring(FakeEngine):
    def run(self, inputs, left):
        held = next(numbers) > 40
        while held and signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            time.sleep(0.01)
        return super().run(inputs, left)

loader.load_engine = lambda *_: Tiring()
main()
"""
"""The command in a process of its own, which stays in the middle until it is asked to end.

Lines are written in order, and a thread may fall 16 pictures behind the others: none of the first
ten may be the one that is held.
"""


def flat(level: int) -> bytes:
    """A picture of one colour: the fake engine puts all of it into one class of ten."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 24), (level, level, level)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder whose engine is the fake one, to which no process looks for an alternative."""
    monkeypatch.setattr(loader, "load_engine", lambda *_: FakeEngine())
    monkeypatch.setenv("PLUMBLINE_ENGINE", "tensorflow")
    folder = tmp_path / "model"
    (folder / "1" / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index"):
        (folder / "1" / name).write_bytes(b"\x08\x01")
    (folder / "1/variables/variables.data-00000-of-00001").write_bytes(b"\x08\x01")
    (folder / "plumbline.toml").write_text(SPEC)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six pictures, whose names say their class."""
    folder = tmp_path / "photos"
    for name, level in (("a-b/0.png", 10), ("a/3.JPG", 90), ("a.png", 40), ("z/y/9.png", 250)):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(flat(level))
    (folder / "5.webp").write_bytes(flat(140))
    (folder / "7.tiff").write_bytes(flat(190))
    return folder


def transform(*arguments: Any) -> Result:
    return CliRunner().invoke(main, ["transform", *map(str, arguments)])


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


def test_every_picture_has_its_line_sorted_by_name(
    photos: Path, model: Path, tmp_path: Path
) -> None:
    done = transform(photos, "--model", model, "--out", tmp_path / "out", "--top-k", 1)

    assert done.exit_code == 0, done.output
    assert done.stdout == f"{tmp_path / 'out' / 'predictions.jsonl'}: 6 pictures.\n"
    found = [(line["file"], line["classes"][0]["class_id"]) for line in lines(tmp_path / "out")]
    assert found == [
        ("5.webp", 5),
        ("7.tiff", 7),
        ("a-b/0.png", 0),
        ("a.png", 1),
        ("a/3.JPG", 3),
        ("z/y/9.png", 9),
    ]
    assert [len(line["classes"]) for line in lines(tmp_path / "out")] == [1] * 6


def test_the_builtin_form_stands_under_one_name(photos: Path, model: Path, tmp_path: Path) -> None:
    transform(photos, "--model", model, "--out", tmp_path / "out", "--format", "builtin")

    assert lines(tmp_path / "out")[0] == {
        "file": "5.webp",
        "prediction": [0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
    }


def test_bad_files_are_told_in_their_place_and_others_skipped(
    photos: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBLINE_MAX_BODY_MB", "1")
    (photos / "a" / "broken.png").write_bytes(flat(1)[:60])
    (photos / "b-large.png").write_bytes(bytes(1024 * 1024 + 1))
    (photos / "c-text.jpg").write_text("no picture")
    (photos / "empty.gif").touch()
    (photos / "notes.txt").write_text("no picture")
    (photos / ".hidden.png").write_bytes(flat(1))
    (photos / ".cache").mkdir()
    (photos / ".cache" / "seen.png").write_bytes(flat(1))

    done = transform(photos, "--model", model, "--out", tmp_path / "out")

    assert done.exit_code == 1
    assert "10 pictures, 4 of them with an error, 2 other files skipped." in done.stdout
    codes = {
        line["file"]: line["error"]["code"] for line in lines(tmp_path / "out") if "error" in line
    }
    assert codes == {
        "a/broken.png": "image_damaged",
        "b-large.png": "body_too_large",
        "c-text.jpg": "not_an_image",
        "empty.gif": "empty_body",
    }
    assert "c-text.jpg: The body is not a picture" in done.stderr
    again = transform(photos, "--model", model, "--out", tmp_path / "out")
    assert (again.exit_code, again.stdout) == (1, done.stdout)


def test_a_file_that_may_not_be_read_is_told_as_bad(
    photos: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_bytes = Path.read_bytes

    def read(file: Path) -> bytes:
        if file.name == "a.png":
            raise PermissionError(13, "Permission denied")
        return read_bytes(file)

    monkeypatch.setattr(Path, "read_bytes", read)
    done = transform(photos, "--model", model, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "a.png: The file can't be read: Permission denied." in done.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (EngineError("The model failed."), ("engine_error", "The model failed. It was: no memory")),
        (ZeroDivisionError("by zero"), ("internal_error", "ZeroDivisionError: by zero")),
    ],
)
def test_a_model_that_fails_on_a_picture_is_told_there_with_the_cause(
    error: Exception,
    said: tuple[str, str],
    photos: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = FakeEngine.run

    def failing(self: FakeEngine, inputs: Any, left: TimeLeft) -> Any:
        if inputs["image"].mean() > 0.9:
            raise error from MemoryError("no memory")
        return run(self, inputs, left)

    monkeypatch.setattr(FakeEngine, "run", failing)
    done = transform(photos, "--model", model, "--out", tmp_path / "out")
    assert done.exit_code == 1
    bad = [line for line in lines(tmp_path / "out") if "error" in line]
    code, message = said
    assert bad == [{"file": "z/y/9.png", "error": {"code": code, "message": message}}]


def test_drawings_lie_as_the_pictures_do(photos: Path, model: Path, tmp_path: Path) -> None:
    (photos / "a.webp").write_bytes(flat(60))
    done = transform(photos, "--model", model, "--out", photos / "out", "--pictures")

    assert done.exit_code == 0, done.output
    drawn = photos / "out" / "pictures"
    names = {file.relative_to(drawn).as_posix() for file in drawn.rglob("*") if file.is_file()}
    assert names == {
        *("5.png", "7.png", "a.png.png", "a.webp.png"),
        *("a-b/0.png", "a/3.png", "z/y/9.png"),
    }
    with Image.open(drawn / "a" / "3.png") as image:
        assert image.format == "PNG"
        assert image.width >= 40
    again = transform(photos, "--model", model, "--out", photos / "out", "--pictures")
    assert again.stdout == done.stdout, "what was drawn is no picture to answer"


def test_names_of_drawings_never_meet() -> None:
    names = ["a.jpg", "A.png", "a.jpg.webp", "b.gif", "a.png.tif"]
    found = drawn_names(names)
    assert found == ["a.jpg.png", "A.png.png", "a.jpg.webp.png", "b.png", "a.png.tif.png"]
    assert len({name.casefold() for name in found}) == len(names)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS takes no such names")
def test_a_name_that_is_no_text_is_written_as_one(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\n.png")).write_bytes(flat(10))
    for _ in range(2):
        done = transform(folder, "--model", model, "--out", tmp_path / "out", "--pictures")
        assert done.exit_code == 0, done.output
        assert [line["file"] for line in lines(tmp_path / "out")] == ["\\xff\n.png"]


# -- resuming -----------------------------------------------------------------------------------


@pytest.fixture
def whole(photos: Path, model: Path, tmp_path: Path) -> Path:
    """The results of a run that nobody interrupted, one error among them."""
    (photos / "a" / "broken.png").write_bytes(flat(1)[:60])
    transform(photos, "--model", model, "--out", tmp_path / "whole")
    return tmp_path / "whole"


def test_wherever_the_results_break_off_they_come_out_the_same(
    whole: Path, photos: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = (whole / "predictions.jsonl").read_bytes()
    answered: list[bytes] = []
    run = FakeEngine.run

    def counting(self: FakeEngine, inputs: Any, left: TimeLeft) -> Any:
        answered.extend(image.tobytes() for image in inputs["image"])
        return run(self, inputs, left)

    monkeypatch.setattr(FakeEngine, "run", counting)
    monkeypatch.setenv("PLUMBLINE_BATCH", "1")  # nothing is asked to find out about batches
    for length in (*range(0, len(complete), 61), len(complete) - 1):
        (whole / "predictions.jsonl").write_bytes(complete[:length])
        answered.clear()
        done = transform(photos, "--model", model, "--out", whole)
        assert done.exit_code == 1
        assert (whole / "predictions.jsonl").read_bytes() == complete
        left = 7 - complete[:length].count(b"\n")
        good = left - (b"broken.png" not in complete[: complete.rfind(b"\n", 0, length) + 1])
        assert len(answered) == good + 1, "one more, with which the model is warmed up"


def test_a_finished_run_does_not_load_the_model_again(
    whole: Path, photos: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "load_engine", lambda *_: pytest.fail("it was loaded"))
    assert transform(photos, "--model", model, "--out", whole).exit_code == 1


def test_new_pictures_are_added(whole: Path, photos: Path, model: Path) -> None:
    before = (whole / "predictions.jsonl").read_bytes()
    (photos / "b.png").write_bytes(flat(10))
    transform(photos, "--model", model, "--out", whole)
    after = (whole / "predictions.jsonl").read_bytes()
    assert after.startswith(before)
    assert json.loads(after[len(before) :])["file"] == "b.png"


def test_other_options_are_not_mixed_in(whole: Path, photos: Path, model: Path) -> None:
    before = (whole / "predictions.jsonl").read_bytes()
    done = transform(photos, "--model", model, "--out", whole, "--top-k", 2, "--pictures")
    assert done.exit_code == 2
    assert "(options: none then, top_k=2 now; pictures: no then, yes now)" in done.stderr
    assert (whole / "predictions.jsonl").read_bytes() == before


def test_another_model_is_not_mixed_in(whole: Path, photos: Path, model: Path) -> None:
    (model / "1" / "saved_model.pb").write_bytes(b"\x08\x02")
    done = transform(photos, "--model", model, "--out", whole)
    assert done.exit_code == 2
    assert "holds the results of something else (model: SHA-256 " in done.stderr


def test_another_folder_is_not_mixed_in(whole: Path, photos: Path, model: Path) -> None:
    done = transform(photos / "a", "--model", model, "--out", whole)
    assert done.exit_code == 2
    assert f"(folder: {photos} then, {photos / 'a'} now)" in done.stderr


@pytest.mark.parametrize("text", ["no JSON\n", "[]\n", '{"name": 1}\n'])
def test_what_is_not_of_a_transform_is_left_alone(
    text: str, whole: Path, photos: Path, model: Path
) -> None:
    (whole / "predictions.jsonl").write_text(text)
    done = transform(photos, "--model", model, "--out", whole)
    assert done.exit_code == 2
    assert "Line 1 of predictions.jsonl there is not of a transform" in done.stderr
    assert (whole / "predictions.jsonl").read_text() == text


@pytest.mark.parametrize("text", [None, "no JSON", "[]"])
def test_results_that_nobody_knows_of_what_are_left_alone(
    text: str | None, whole: Path, photos: Path, model: Path
) -> None:
    (whole / "transform.json").unlink()
    if text is not None:
        (whole / "transform.json").write_text(text)
    before = (whole / "predictions.jsonl").read_bytes()
    done = transform(photos, "--model", model, "--out", whole)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "choose another --out." in done.stderr
    assert (whole / "predictions.jsonl").read_bytes() == before


# -- ends ---------------------------------------------------------------------------------------


MANY = 80


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """More pictures than are begun before the first of them is done; one is broken."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(MANY):
        (folder / f"{number:03}.png").write_bytes(flat(2 * number))
    (folder / "007.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def begun(many: Path, model: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command at work on them in a process of its own, a few lines written."""
    command = [sys.executable, "-c", SLOW, "transform", many, "--model", model]
    process = subprocess.Popen(
        [*command, "--out", tmp_path / "out"],
        env={
            **os.environ,
            "PYTHONPATH": str(CONTAINER),
            "PLUMBLINE_BATCH": "1",
            "PLUMBLINE_SLOTS": "4",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    results = tmp_path / "out" / "predictions.jsonl"
    end = time.monotonic() + 60
    with process:
        try:
            while not results.exists() or results.read_bytes().count(b"\n") < 10:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < end
                time.sleep(0.01)
            yield process
        finally:
            process.kill()


def expect_resumed(many: Path, model: Path, tmp_path: Path) -> None:
    """Go on, and compare with a run that nobody interrupted."""
    left = MANY - (tmp_path / "out" / "predictions.jsonl").read_bytes().count(b"\n")
    assert 0 < left <= MANY - 10, "it was to be interrupted in the middle"
    for out in ("out", "whole"):
        assert transform(many, "--model", model, "--out", tmp_path / out).exit_code == 1
    written = [(tmp_path / out / "predictions.jsonl").read_bytes() for out in ("out", "whole")]
    assert written[0] == written[1]


def test_killed_in_the_middle_it_goes_on_there(
    begun: subprocess.Popen[str], many: Path, model: Path, tmp_path: Path
) -> None:
    begun.kill()
    begun.wait(120)
    expect_resumed(many, model, tmp_path)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_asked_to_end_it_ends_cleanly_and_says_how_to_go_on(
    number: int, status: int, begun: subprocess.Popen[str], many: Path, model: Path, tmp_path: Path
) -> None:
    begun.send_signal(number)
    said, errors = begun.communicate(timeout=120)

    assert begun.returncode == status
    assert "left to do; the same command goes on there." in said
    assert "Finishing what is in work" in errors
    assert "Traceback" not in errors
    assert (tmp_path / "out" / "predictions.jsonl").read_bytes().endswith(b"\n")
    expect_resumed(many, model, tmp_path)


def test_two_at_once_do_not_write_over_each_other(
    begun: subprocess.Popen[str], many: Path, model: Path, tmp_path: Path
) -> None:
    done = transform(many, "--model", model, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "Another transform is writing to" in done.stderr


def test_a_model_that_can_not_be_loaded_writes_no_line(
    photos: Path, model: Path, tmp_path: Path
) -> None:
    (model / "plumbline.toml").write_text("[preprocess]\nsize = [1, 2]\n")
    done = transform(photos, "--model", model, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith(
        "Error: plumbline.toml: preprocess.size = [1, 2]"
    )
    assert lines(tmp_path / "out") == []


def test_results_that_can_not_be_written_end_it(photos: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    done = transform(photos, "--model", model, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "can't be written to" in done.stderr


def test_a_drawing_that_can_not_be_written_ends_it_and_is_no_fault_of_the_picture(
    photos: Path, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "pictures").write_text("a file")
    done = transform(photos, "--model", model, "--out", tmp_path / "out", "--pictures")
    assert done.exit_code == 1
    assert "can't be written" in done.stderr
    assert "6 pictures are left; the same command goes on there." in done.stderr
    assert lines(tmp_path / "out") == []


USAGE = {
    "Say who answers": [],
    "one of the three": ["--model", "MODEL", "--url", "http://127.0.0.1:1"],
    "--url or --endpoint, one of the two": ["--endpoint", "x", "--url", "http://127.0.0.1:1"],
    "--region is of an endpoint": ["--model", "MODEL", "--region", "x"],
    "--mask says how to draw": ["--model", "MODEL", "--mask"],
    "it must be like http": ["--url", "ftp://127.0.0.1"],
    "0<=x<=1": ["--model", "MODEL", "--score-threshold", "2"],
}


@pytest.mark.parametrize("message", USAGE)
def test_what_makes_no_sense_is_a_usage_error(
    message: str, photos: Path, model: Path, tmp_path: Path
) -> None:
    arguments = [str(model) if each == "MODEL" else each for each in USAGE[message]]
    done = transform(photos, "--out", tmp_path / "out", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("folder", "out"), [("photos", "photos"), ("photos/pictures/x", "photos"), ("model", "out")]
)
def test_folders_that_make_no_sense_are_a_usage_error(
    folder: str, out: str, photos: Path, model: Path, tmp_path: Path
) -> None:
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    done = transform(tmp_path / folder, "--model", model, "--out", tmp_path / out, "--pictures")
    assert done.exit_code == 2
    assert "lies among the pictures" in done.stderr or "There are no pictures in" in done.stderr


def test_nobody_there_to_ask_is_said_and_no_line_written(photos: Path, tmp_path: Path) -> None:
    done = transform(photos, "--url", "http://127.0.0.1:1", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "There is no response from http://127.0.0.1:1" in done.stderr
    assert lines(tmp_path / "out") == []


# -- parts --------------------------------------------------------------------------------------


class Busy:
    """A client that is busy so many times before it answers."""

    most_bytes = 1

    def __init__(self, times: int, status: int = 503) -> None:
        self.answers = [status] * times

    def invoke(self, *_: Any) -> Answer:
        return Answer(self.answers.pop() if self.answers else 200, "", b"")


@pytest.mark.parametrize(
    ("times", "status", "answered", "waited"),
    [
        (0, 503, 200, []),
        (3, 503, 200, [0.5, 1.0, 2.0]),
        (2, 429, 200, [0.5, 1.0]),
        (50, 503, 503, list(PAUSES)),
        (1, 500, 500, []),
        (1, 400, 400, []),
    ],
)
def test_a_busy_server_is_asked_again_later(
    times: int, status: int, answered: int, waited: list[float]
) -> None:
    pauses: list[float] = []
    patient = Patient(Busy(times, status), lambda pause: bool(pauses.append(pause)))
    assert patient.invoke(b"", "", "", "").status == answered
    assert pauses == waited


def test_nobody_waits_for_a_busy_server_at_the_end() -> None:
    assert Patient(Busy(50), lambda _: True).invoke(b"", "", "", "").status == 503


def test_answers_come_in_order_and_few_are_begun_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    def act(number: int) -> int:
        time.sleep(0.001 * (number % 3))
        return -number

    for position, (item, result) in enumerate(in_order(act, items(), 2, threading.Event())):
        assert (item, result) == (position, -position)
        assert len(taken) <= position + 2 * AHEAD


def test_once_stopped_nothing_more_is_begun() -> None:
    stop = threading.Event()
    begun: list[int] = []

    def act(number: int) -> int:
        begun.append(number)
        if number == 5:
            stop.set()
        return number

    found = [item for item, _ in in_order(act, iter(range(1000)), 1, stop)]
    assert found == list(range(len(found)))
    assert 5 in found
    assert len(begun) < 20


def test_a_run_away_from_a_terminal_says_now_and_then_how_far_it_is() -> None:
    pace = throughput_meter.Pace(total=5000, done=1000, started=100.0)
    said = [pace.advance(100.0 + 0.5 * number) for number in range(1, 41)]
    assert [line for line in said if line] == [
        "1,020 of 5,000, 2.0 a second, 33 min 10 s left",
        "1,040 of 5,000, 2.0 a second, 33 min 0 s left",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (7322, "2 h 2 min")]
)
def test_times_are_told_in_two_units(seconds: float, text: str) -> None:
    assert throughput_meter.duration(seconds) == text


def test_a_terminal_shows_a_bar_with_rate_and_time_left() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with throughput_meter.counted(console, "Pictures", 4, 1) as advance:
        for _ in range(3):
            time.sleep(0.01)
            advance()
    assert "4/4" in screen.getvalue()
    assert "/s" in screen.getvalue()
    assert "left" in screen.getvalue()


THREADS = """
import ctypes, numpy, sys
from plumbline.machine import openblas as blas
numpy.ones((9, 9)) @ numpy.ones((9, 9))
names = [each.replace("_set_", "_get_") for each in blas.SETTERS]
def threads():
    return [getattr(ctypes.CDLL(path), name)() for path in blas.loaded() for name in names
            if hasattr(ctypes.CDLL(path), name)]
before = threads()
blas.compute_in_calling_threads()
print(before, threads())
"""


def test_openblas_says_that_it_starts_no_threads_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", THREADS],
        env={**os.environ, "PYTHONPATH": str(CONTAINER), "OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    if done.stdout == "[] []\n":
        pytest.skip("NumPy has another library for products of matrices here")
    assert done.stdout == "[2] [1]\n"


def add_to_the_limit(folder: Path) -> None:
    """Add a line that is longer than files may become."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(folder, {"model": "x"}) as ledger:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            ledger.add("b.png", {"prediction": "y" * 200})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_in_a_sentence(tmp_path: Path) -> None:
    """The system lets files grow to a limit here, and says so in nearly the words of a full disk.

    What stayed in a buffer would be written, and fail once more, as the file is closed.
    """
    with opened(tmp_path, {"model": "x"}) as ledger:
        ledger.add("a.png", {"prediction": 1})
    with pytest.raises(CommandError) as caught:
        add_to_the_limit(tmp_path)
    assert str(caught.value) == "predictions.jsonl can't be written: File too large."
    with opened(tmp_path, {"model": "x"}) as ledger:
        assert ledger.done == {"a.png"}
