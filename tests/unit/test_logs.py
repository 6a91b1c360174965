"""Log lines: JSON for machines, plain text for a terminal."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import sys
from datetime import datetime

import pytest

from plumbline.handlers.code_timeout import Cutoff
from plumbline.logs import (
    FIELDS,
    OF_REQUEST,
    JSONFormatter,
    LineHandler,
    ModelName,
    TextFormatter,
    configuration,
    formatter,
    tell,
)


def record(message: str, *args: object, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("plumbline.test", logging.WARNING, __file__, 1, message, args, None)
    setattr(made, FIELDS, fields)
    return made


def test_a_line_is_one_json_object_with_its_fields() -> None:
    text = JSONFormatter().format(record("%d pictures\nhere", 3, id="a1", ms={"total": 1.5}))
    assert "\n" not in text
    line = json.loads(text)
    assert datetime.fromisoformat(line.pop("time")).utcoffset() is not None
    assert line == {
        "level": "warning",
        "message": "3 pictures\nhere",
        "id": "a1",
        "ms": {"total": 1.5},
    }


def test_a_record_of_another_library_needs_no_fields() -> None:
    made = logging.LogRecord("gunicorn", logging.INFO, __file__, 1, "café", (), None)
    line = json.loads(JSONFormatter().format(made))
    assert sorted(line) == ["level", "message", "time"]
    assert line["message"] == "café"


def test_a_traceback_stays_on_its_line() -> None:
    error = ZeroDivisionError("by zero")
    made = record("failed")
    made.exc_info = (type(error), error, None)
    text = JSONFormatter().format(made)
    assert "\n" not in text
    assert json.loads(text)["traceback"].endswith("ZeroDivisionError: by zero")


def test_what_json_does_not_know_is_written_as_text() -> None:
    assert json.loads(JSONFormatter().format(record("x", value={1}.copy())))["value"] == "{1}"


def test_text_is_for_people() -> None:
    text = TextFormatter().format(record("ready"))
    assert text[8:] == " WARNING ready"


@pytest.mark.parametrize(
    ("name", "terminal", "kind"),
    [
        ("json", True, JSONFormatter),
        ("text", False, TextFormatter),
        ("auto", True, TextFormatter),
        ("auto", False, JSONFormatter),
    ],
)
def test_auto_is_text_on_a_terminal_only(
    name: str, terminal: bool, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    assert type(formatter(name)) is kind


def test_the_configuration_is_one_that_logging_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, root = io.StringIO(), logging.getLogger()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(logging, "_handlerList", [])  # a configuration closes those, pytest's too
    levels = {name: logging.getLogger(name).level for name in ("", "plumbline", "gunicorn.error")}
    try:
        logging.config.dictConfig(configuration("info", "json"))
        logging.getLogger("plumbline.test").info("ours")
        logging.getLogger("plumbline.test").debug("too fine")
        logging.getLogger("gunicorn.error").info("gunicorn's")
        logging.getLogger("someone.else").info("not asked for")
        logging.getLogger("someone.else").warning("a warning")
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    messages = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert messages == ["ours", "gunicorn's", "a warning"]


def only_ours(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What our own handler writes to, which is the only one from now on."""
    stream = io.StringIO()
    ours = LineHandler(stream)
    ours.setFormatter(JSONFormatter())
    monkeypatch.setattr(logging.getLogger(), "handlers", [ours])
    return stream


def test_a_line_that_is_told_is_the_one_that_logging_would_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = only_ours(monkeypatch)
    logger = logging.getLogger("plumbline.request")
    fields = {"id": "a1", "ms": {"total": 1.5}, "odd": {1}, "large": 1 << 70, "half": "\ud800"}
    token = OF_REQUEST.set({"trace_id": "t"})
    try:
        tell(logger, "GET /x 200 café", fields)
        logging.root.handlers[0].handle(
            logger.makeRecord(
                "", logging.INFO, "", 0, "GET /x 200 café", (), None, extra={FIELDS: fields}
            )
        )
    finally:
        OF_REQUEST.reset(token)
    told, logged = (json.loads(line) for line in stream.getvalue().splitlines())
    assert datetime.fromisoformat(told.pop("time")) <= datetime.fromisoformat(logged.pop("time"))
    assert told == logged
    assert told["trace_id"] == "t"
    assert told["ms"] == {"total": 1.5}


def test_whoever_listens_besides_gets_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = only_ours(monkeypatch)
    heard: list[logging.LogRecord] = []
    other = logging.Handler()
    other.emit = heard.append  # type: ignore[method-assign]
    logger = logging.getLogger("plumbline.told")
    logger.setLevel(logging.INFO)
    logger.addHandler(other)
    try:
        tell(logger, "100 %", {"id": "a1"})
    finally:
        logger.removeHandler(other)
    assert [record.getMessage() for record in heard] == ["100 %"]
    assert getattr(heard[0], FIELDS) == {"id": "a1"}
    assert json.loads(stream.getvalue())["id"] == "a1"


def test_filters_see_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = only_ours(monkeypatch)
    logging.root.handlers[0].addFilter(ModelName("bees"))
    logger = logging.getLogger("plumbline.told")
    logger.setLevel(logging.INFO)
    tell(logger, "x", {"id": "a1"})
    assert json.loads(stream.getvalue())["model"] == "bees"


def test_a_closed_stream_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = only_ours(monkeypatch)
    stream.close()
    tell(logging.getLogger("plumbline.told"), "x", {})


def test_a_model_s_own_lines_say_its_name_and_keep_what_else_they_say() -> None:
    plain = logging.LogRecord("plumbline", logging.INFO, __file__, 1, "loading", (), None)
    for made, expected in (
        (plain, {"model": "cats"}),
        (record("answered", id="a1"), {"model": "cats", "id": "a1"}),
    ):
        assert ModelName("cats").filter(made)
        line = json.loads(JSONFormatter().format(made))
        assert {name: line[name] for name in expected} == expected


def test_a_line_says_which_trace_its_request_belongs_to_in_the_thread_of_a_handler_too() -> None:
    def written() -> object:
        return json.loads(JSONFormatter().format(record("x"))).get("trace_id")

    assert written() is None
    token = OF_REQUEST.set({"trace_id": "4bf9"})
    try:
        assert written() == "4bf9"
        assert Cutoff().run(written, lambda: 60.0) == "4bf9"
    finally:
        OF_REQUEST.reset(token)
    assert written() is None
