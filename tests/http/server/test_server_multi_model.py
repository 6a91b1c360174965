"""SageMaker's contract for multi-model endpoints, over a real server and fake models.

The first part asks what the public tests of AWS's TensorFlow Serving container ask.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from gunicorn_server import APPS, CONTAINER, wait_until
from many_models import Many, document, many_models, number, process_of

from process_family import alive, family, occupied, written

Start = Callable[..., Many]

MEBIBYTE = 1024 * 1024


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a multi-model server: `start("megabytes=300", PLUMBLINE_QUEUE="4")`."""
    with ExitStack() as stack:
        yield lambda arguments="", **settings: stack.enter_context(
            many_models(tmp_path, arguments, **settings)
        )


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of that server."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, temporary: Path) -> Iterator[Many]:
    """One server for all tests that leave it as it was."""
    with many_models(tmp_path_factory.mktemp("server"), TMPDIR=str(temporary)) as started:
        yield started


@pytest.fixture
def measured() -> None:
    """Skip where memory can't be measured."""
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("reads Linux's /proc")


@pytest.fixture
def many(server: Many, tmp_path: Path) -> Iterator[Many]:
    """That server, its models unloaded afterwards."""
    yield Many(server.server, tmp_path)
    for name in server.names():
        server.unload(name)
    assert len(server.server.workers()) == 1


def test_without_a_model_it_is_healthy_and_lists_none(many: Many) -> None:
    assert many.names() == []
    assert many.server.ping().status == 200
    assert document(many.server.ask("GET", "/models")) == {"models": []}


def test_a_model_that_is_not_loaded_is_not_found(many: Many) -> None:
    for answer in (many.invoke("cats"), many.unload("cats"), many.describe("cats")):
        assert (answer.status, answer.error) == (404, "model_not_loaded")
        assert b"Model cats is not loaded yet." in answer.body


def test_a_model_is_loaded_asked_and_unloaded(many: Many) -> None:
    url = many.make("cats", number=7)
    answer = many.load("cats", url)
    assert answer.status == 200
    assert b"Successfully loaded model cats" in answer.body
    assert number(many.invoke("cats", 500)) == 7.5
    assert many.unload("cats").status == 200
    assert many.invoke("cats").status == 404
    assert many.names() == []


def test_two_models_answer_each_for_itself(many: Many) -> None:
    urls = {name: many.loaded(name, number=value) for name, value in (("two", 2), ("three", 3))}
    assert [number(many.invoke(name)) for name in ("two", "three", "two")] == [2, 3, 2]
    assert document(many.server.ask("GET", "/models"))["models"] == [
        {"modelName": name, "modelUrl": urls[name]} for name in ("three", "two")
    ]


def test_a_model_is_loaded_once(many: Many) -> None:
    url = many.loaded("cats", number=7)
    answer = many.load("cats", url)
    assert (answer.status, answer.error) == (409, "model_already_loaded")
    assert b"Model cats is already loaded" in answer.body
    assert number(many.invoke("cats")) == 7


def test_a_folder_that_is_not_there_is_not_found(many: Many) -> None:
    answer = many.load("none", "/opt/ml/models/none")
    assert (answer.status, answer.error) == (404, "model_folder_not_found")
    assert b"Could not find valid base path /opt/ml/models/none for servable none" in answer.body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"model_name": "m", "uri": "/tmp"}',
        b'{"model_name": "", "url": "/tmp"}',
        b'{"model_name": 5, "url": "/tmp"}',
        b'{"model_name": "m", "url": ["/tmp"]}',
    ],
)
def test_a_load_that_says_not_what_is_refused_in_words(many: Many, body: bytes) -> None:
    answer = many.server.ask("POST", "/models", body)
    assert (answer.status, answer.error) == (400, "invalid_load")
    assert b"model_name" in answer.body


def test_a_load_is_not_read_without_end(many: Many) -> None:
    answer = many.server.ask("POST", "/models", b" " * 100_000)
    assert (answer.status, answer.error) == (413, "body_too_large")


def test_a_model_that_fails_to_load_says_why_and_can_be_loaded_once_it_is_mended(
    many: Many,
) -> None:
    many.loaded("good", number=1)
    url = many.make("cats", number=7, failure="The golden picture cat.png differs.")
    for _ in range(2):
        answer = many.load("cats", url)
        assert (answer.status, answer.error) == (400, "model_not_loadable")
        assert b"The golden picture cat.png differs." in answer.body
    assert many.names() == ["good"]
    assert many.invoke("cats").status == 404
    many.loaded("cats", number=7)
    assert [number(many.invoke(name)) for name in ("good", "cats")] == [1, 7]


def test_a_process_that_dies_as_it_loads_harms_no_other(many: Many) -> None:
    many.loaded("good", number=1)
    answer = many.load("bad", many.make("bad", number=2, dies=7))
    assert (answer.status, answer.error) == (400, "model_not_loadable")
    assert b"exit status 7" in answer.body
    assert number(many.invoke("good")) == 1


def test_a_load_that_takes_too_long_is_broken_off(start: Start) -> None:
    many = start(PLUMBLINE_LOAD_SECONDS="2")
    url = many.make("first", number=1)
    wait_until(lambda: many.load("first", url).status == 200)  # once what all need is imported
    answer = many.load("slow", many.make("slow", number=1, pause=60))
    assert (answer.status, answer.error) == (503, "deadline_exceeded")
    many.loaded("slow", number=2)
    assert number(many.invoke("slow")) == 2


def test_a_name_is_anybody_s_guess_and_never_a_path(many: Many) -> None:
    names = ["a b", "../../etc/passwd", "x/invoke", "é?&=%41", "//a", "a//b", "a" * 500]
    for value, name in enumerate(names):
        url = many.make(f"folder{value}", number=value)
        assert many.load(name, url).status == 200
    assert [number(many.invoke(name)) for name in names] == list(range(len(names)))
    assert sorted(many.names()) == sorted(names)
    assert [many.unload(name).status for name in names] == [200] * len(names)


def test_the_list_comes_in_pages(many: Many) -> None:
    for value in range(5):
        many.loaded(f"model{value}", number=value)
    found, token = [], ""
    while True:
        page = document(many.server.ask("GET", f"/models?limit=2&next_page_token={token}"))
        found.append([one["modelName"] for one in page["models"]])
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert found == [["model0", "model1"], ["model2", "model3"], ["model4"]]
    assert many.names("?limit=5") == [name for page in found for name in page]
    for limit in ("0", "x", "-1", "99999"):
        assert many.server.ask("GET", f"/models?limit={limit}").error == "invalid_load"


def test_a_request_that_names_no_model_is_refused_in_words(many: Many) -> None:
    many.loaded("cats", number=7)
    answer = many.server.invoke(b"x")
    assert (answer.status, answer.error) == (400, "model_not_named")


def test_what_is_known_of_a_model(many: Many) -> None:
    url = many.loaded("cats", number=7)
    many.invoke("cats")
    assert many.invoke("cats", -5).status == 500
    known = document(many.describe("cats"))
    assert known["modelName"], known["modelUrl"] == ("cats", url)
    assert (known["requests"], known["errors"]) == (2, 1)
    assert (known["state"], known["engine"], known["models"]) == ("ready", "adder", ["model/1"])
    assert known["loadSeconds"] > 0
    if Path("/proc/self/smaps_rollup").exists():
        assert known["memory"] > 0


def test_log_lines_say_which_model_they_are_about(many: Many) -> None:
    before = len(many.server.said())
    many.loaded("cats", number=7)
    many.invoke("cats", **{"X-Amzn-SageMaker-Target-Model": "cats.tar.gz"})
    said = many.server.said()[before:]
    lines = [json.loads(line) for line in said.splitlines() if line[:1] == "{"]
    loading = [line for line in lines if line["message"] == "The model is loading."]
    asked = [line for line in lines if line["message"].startswith("POST /models/cats/invoke")]
    assert [line["model"] for line in loading + asked] == ["cats", "cats"]
    assert asked[0]["target"] == "cats.tar.gz"
    assert {"wait", "infer", "total"} <= set(asked[0]["ms"])


def test_settings_that_others_read_are_heeded_or_named(start: Start) -> None:
    many = start(
        SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="text/csv",
        SAGEMAKER_TFS_DEFAULT_MODEL_NAME="cats",
        SAGEMAKER_GUNICORN_WORKERS="2",
    )
    assert (
        "These settings have no meaning here and are ignored: "
        "SAGEMAKER_GUNICORN_WORKERS, SAGEMAKER_TFS_DEFAULT_MODEL_NAME."
    ) in many.server.said()
    many.loaded("cats", number=7)
    for accept in ({}, {"Accept": "*/*"}):
        assert many.invoke("cats", **accept).body == b"7.0\n"
    assert number(many.invoke("cats", Accept="application/json")) == 7


def test_errors_of_a_model_are_those_it_would_answer_alone(many: Many) -> None:
    many.loaded("cats", number=7)
    bad = many.server.ask(
        "POST", "/models/cats/invoke", b"{", **{"Content-Type": "application/json"}
    )
    assert (bad.status, bad.error) == (400, "invalid_json")
    short = many.invoke("cats", "text")  # type: ignore[arg-type]
    assert short.status == 400
    assert isinstance(json.loads(short.body)["error"], str)  # as TensorFlow Serving tells it
    other = many.invoke("cats", **{"X-Amzn-SageMaker-Custom-Attributes": "tfs-model-version=9"})
    assert other.status == 404
    assert "Servable not found" in json.loads(other.body)["error"]


@pytest.mark.parametrize(("order", "code"), [(-3, "internal_error"), (-5, "internal_error")])
def test_code_that_raises_or_exits_costs_one_request(many: Many, order: float, code: str) -> None:
    many.loaded("cats", number=7)
    pid = process_of(many, "cats")
    answer = many.invoke("cats", order)
    assert (answer.status, answer.error) == (500, code)
    assert b"Traceback" not in answer.body
    assert number(many.invoke("cats")) == 7
    assert process_of(many, "cats") == pid


def test_a_model_whose_process_dies_is_loaded_again_and_harms_no_other(many: Many) -> None:
    many.loaded("cats", number=7)
    many.loaded("dogs", number=8)
    pids = [process_of(many, name) for name in ("cats", "dogs")]
    answer = many.invoke("cats", -1)
    assert (answer.status, answer.error) == (500, "model_process_ended")
    assert b"exit status 9" in answer.body
    wait_until(lambda: many.invoke("cats").status == 200)
    assert number(many.invoke("cats")) == 7
    assert number(many.invoke("dogs")) == 8
    assert process_of(many, "cats") != pids[0]
    assert process_of(many, "dogs") == pids[1]


def test_a_model_that_dies_of_every_request_counts_as_unloaded(many: Many) -> None:
    many.loaded("cats", number=7)
    statuses = []

    def is_gone() -> bool:
        statuses.append(many.invoke("cats", -1).status)
        return statuses[-1] == 404

    wait_until(is_gone)
    assert set(statuses) <= {500, 503, 404}
    assert many.names() == []
    many.loaded("cats", number=9)
    assert number(many.invoke("cats")) == 9


def test_a_process_that_was_killed_is_replaced(many: Many) -> None:
    many.loaded("cats", number=7)
    killed = process_of(many, "cats")
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not alive(killed))
    wait_until(lambda: many.invoke("cats").status == 200)
    assert number(many.invoke("cats")) == 7


def test_a_model_that_hangs_is_cut_off_and_in_the_end_started_anew(
    start: Start, crowd: Callable[..., list[Future[Any]]]
) -> None:
    many = start(PLUMBLINE_DEADLINE_SECONDS="2")
    many.loaded("cats", number=7)
    pid = process_of(many, "cats")
    answers = [sent.result() for sent in crowd(4, many.invoke, "cats", -2)]
    assert [answer.status for answer in answers] == [503] * 4
    assert answers[0].error == "deadline_exceeded"
    wait_until(lambda: not alive(pid))
    wait_until(lambda: many.invoke("cats").status == 200)
    assert process_of(many, "cats") != pid


def test_unloading_lets_requests_in_flight_finish_and_takes_no_more(
    many: Many, crowd: Callable[..., list[Future[Any]]], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    many.loaded("cats", number=7, until=str(gate))
    pid = process_of(many, "cats")
    in_flight = crowd(3, many.invoke, "cats", -4)
    wait_until(lambda: document(many.describe("cats"))["requests"] == 3)
    (unloading,) = crowd(1, many.unload, "cats")
    wait_until(lambda: many.invoke("cats").status == 404)
    assert not any(answer.done() for answer in [*in_flight, unloading])
    gate.touch()
    assert unloading.result().status == 200
    assert [number(answer.result()) for answer in in_flight] == [pytest.approx(6.996)] * 3
    assert not alive(pid)


def test_a_model_that_hangs_can_be_unloaded(
    start: Start, crowd: Callable[..., list[Future[Any]]]
) -> None:
    many = start(PLUMBLINE_DEADLINE_SECONDS="1")
    many.loaded("cats", number=7)
    pid = process_of(many, "cats")
    (hanging,) = crowd(1, many.invoke, "cats", -2)
    wait_until(lambda: document(many.describe("cats"))["requests"] == 1)
    assert many.unload("cats").status == 200
    assert hanging.result().status == 503
    assert not alive(pid)


def test_a_load_waits_for_nobody_and_nobody_for_it(
    many: Many, crowd: Callable[..., list[Future[Any]]], tmp_path: Path
) -> None:
    many.loaded("cats", number=7)
    gate, before = tmp_path / "gate", many.server.said().count("The model is loading.")
    url = many.make("slow", number=8, gate=str(gate))
    (loading,) = crowd(1, many.load, "slow", url)
    wait_until(lambda: many.server.said().count("The model is loading.") > before)
    assert many.load("slow", url).status == 409
    assert number(many.invoke("cats")) == 7
    assert many.server.ping().status == 200
    assert many.invoke("slow").status == 404
    assert many.unload("slow").status == 404
    assert many.names() == ["cats"]
    assert not loading.done()
    gate.touch()
    assert loading.result().status == 200
    assert number(many.invoke("slow")) == 8


def test_when_many_are_loaded_at_once_the_last_are_told_to_come_back(
    many: Many, crowd: Callable[..., list[Future[Any]]], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    url = many.make("slow", number=1, gate=str(gate))
    loads = [crowd(1, many.load, f"model{number}", url)[0] for number in range(40)]
    wait(loads, timeout=60, return_when=FIRST_COMPLETED)
    gate.touch()
    answers = [load.result() for load in loads]
    assert {answer.status for answer in answers} == {200, 503}
    assert {answer.error for answer in answers if answer.status == 503} == {"server_busy"}
    assert len(many.names()) == sum(answer.status == 200 for answer in answers)


@pytest.mark.usefixtures("measured")
def test_memory_that_is_short_refuses_a_load_and_unloading_makes_room(start: Start) -> None:
    many = start("megabytes=800")
    url = many.make("large", number=1, megabytes=100)
    loaded = 0
    while (answer := many.load(f"model{loaded}", url)).status == 200:
        loaded += 1
    assert (answer.status, answer.error) == (507, "not_enough_memory")
    assert 2 <= loaded <= 6
    assert [number(many.invoke(f"model{one}")) for one in range(loaded)] == [1] * loaded
    assert many.load("more", url).status == 507
    assert [many.unload(name).status for name in ("model0", "model1")] == [200, 200]
    assert many.load("more", url).status == 200
    assert number(many.invoke("more")) == 1


@pytest.mark.usefixtures("measured")
def test_a_load_that_takes_more_than_there_is_is_broken_off_before_it_is_gone(
    start: Start,
) -> None:
    many = start("megabytes=800")
    many.loaded("small", number=1)
    answer = many.load("huge", many.make("huge", number=2, megabytes=2000))
    assert (answer.status, answer.error) == (507, "not_enough_memory")
    assert number(many.invoke("small")) == 1
    again = many.load("huge", many.make("huge", number=2, megabytes=2000))
    assert again.status == 507
    assert many.names() == ["small"]


@pytest.mark.usefixtures("measured")
def test_a_model_that_leaks_is_replaced_before_it_takes_the_memory_of_others(
    start: Start, crowd: Callable[..., list[Future[Any]]], tmp_path: Path
) -> None:
    many, gate = start("megabytes=800"), tmp_path / "gate"
    many.loaded("good", number=1)
    many.loaded("leaky", number=7, until=str(gate))
    (worker,) = many.server.workers()
    first, largest = process_of(many, "leaky"), 0
    (in_flight,) = crowd(1, many.invoke, "leaky", -4)

    while "The process of model leaky is replaced" not in many.server.said():
        assert number(many.invoke("leaky", -6)) == pytest.approx(6.994)
        largest = max(largest, occupied(worker))
        time.sleep(0.02)

    wait_until(lambda: process_of(many, "leaky") != first)
    assert largest < 600 * MEBIBYTE, "there was no room for others"
    assert number(many.invoke("good")) == number(many.invoke("leaky", 1000)) - 7 == 1
    assert not in_flight.done()
    assert alive(first)
    gate.touch()
    assert in_flight.result().status == 200
    wait_until(lambda: not alive(first))
    said = many.server.said()
    assert "The process of model leaky is replaced: its memory has grown from 32 MiB to" in said
    assert not any(words in said for words in ("was sent SIGKILL", "The process of model leaky e"))


def test_no_process_is_left_when_the_server_ends(
    start: Start, crowd: Callable[..., list[Future[Any]]]
) -> None:
    many = start()
    for value in range(3):
        many.loaded(f"model{value}", number=value)
    pids = [process_of(many, f"model{value}") for value in range(3)]
    pids += family(many.server.process.pid)
    in_flight = crowd(2, many.invoke, "model0", -4)
    wait_until(lambda: document(many.describe("model0"))["requests"] == 2)
    many.server.process.send_signal(signal.SIGTERM)
    assert [answer.result().status for answer in in_flight] == [200, 200]
    assert many.server.process.wait(60) == 0
    wait_until(lambda: not any(map(alive, pids)))


def test_models_end_with_a_server_that_is_killed(start: Start) -> None:
    many = start()
    many.loaded("cats", number=7)
    pid = process_of(many, "cats")
    (worker,) = many.server.workers()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not alive(pid))
    wait_until(many.server.is_ready)
    assert many.invoke("cats").status == 404


def test_nothing_is_left_in_the_temporary_folder(many: Many, temporary: Path) -> None:
    before = set(temporary.rglob("*"))
    many.loaded("cats", number=7)
    many.load("bad", many.make("bad", number=1, dies=1))
    assert many.invoke("cats", -1).status == 500
    wait_until(lambda: many.invoke("cats").status == 200)
    many.unload("cats")
    assert set(temporary.rglob("*")) == before


def test_the_processes_of_models_are_the_first_to_end_where_memory_runs_out(many: Many) -> None:
    if not Path("/proc/self/oom_score_adj").exists():
        pytest.skip("reads Linux's /proc")
    many.loaded("cats", number=7)
    scores = [
        int(Path(f"/proc/{pid}/oom_score_adj").read_text())
        for pid in (process_of(many, "cats"), *many.server.workers())
    ]
    assert scores[0] > scores[1]


@pytest.mark.usefixtures("measured")
def test_loads_and_unloads_leave_no_memory_and_no_process_behind(many: Many) -> None:
    url = many.make("cats", number=7)

    def rounds(count: int) -> None:
        for value in range(count):
            assert many.load(f"cats{value}", url).status == 200
            assert number(many.invoke(f"cats{value}")) == 7
            assert many.unload(f"cats{value}").status == 200

    def files() -> int:
        return len(list(Path(f"/proc/{worker}/fd").iterdir()))

    rounds(5)
    (worker,) = many.server.workers()
    before, open_files, memory = family(worker), files(), written(worker)
    rounds(40)
    assert family(worker) == before
    assert files() < open_files + 20
    assert written(worker) < memory + 5 * MEBIBYTE


BROKEN = {
    "import os; os._exit(5)": 500,
    "import os; os.kill(os.getpid(), 9)": 507,  # as the system does where memory runs out
    "raise ModuleNotFoundError('No module', name='tensorflow')": 200,
}


def test_a_tensorflow_that_is_not_there_harms_only_who_needs_it(
    start: Start, tmp_path: Path
) -> None:
    many = start(PYTHONPATH=os.pathsep.join([str(tmp_path), *map(str, (CONTAINER, APPS))]))
    many.loaded("packed", number=1)
    for code, status in [pair for pair in BROKEN.items() for _ in range(2)]:
        (tmp_path / "tensorflow.py").write_text(code)
        answer = many.load("plain", many.make("plain", packed=False, number=2))
        assert answer.status == status, answer.body
        many.unload("plain")
    assert number(many.invoke("packed")) == 1
