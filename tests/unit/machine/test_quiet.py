"""What libraries print when they are loaded stays off the terminal, unless something goes wrong."""

from __future__ import annotations

import os

import pytest

from plumbline.errors import ArchiveError
from plumbline.machine.quiet import is_ours, muted

GREETINGS = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
    b"I0000 00:00:1795908797.478201   31898 port.cc:153] oneDNN custom operations are on.\n",
    b"2026-11-28 10:00:00.123456: I tensorflow/core/platform/cpu_feature_guard.cc:227] This\n",
    b"To enable the following instructions: AVX2 AVX512F, in other operations, rebuild\n",
)

OURS = (
    b'{"time": "2026-11-28T10:00:00Z", "level": "info", "message": "It loads."}\n',
    b"2026-11-28 10:00:00 WARNING plumbline.loading: Nobody checked its answers.\n",
    b"E0000 00:00:1795908797.478201   31898 something.cc:1] It is broken.\n",
)


def writes_and_raises(error: Exception) -> None:
    """What stands for a library that greets, and what then goes wrong."""
    with muted():
        os.write(2, GREETINGS[1])
        raise error


def test_what_is_written_meanwhile_is_gone(capfd: pytest.CaptureFixture[str]) -> None:
    with muted():
        os.write(2, b"".join(GREETINGS))
    os.write(2, b"after it\n")
    assert capfd.readouterr().err == "after it\n"


def test_lines_of_ours_are_only_late(capfd: pytest.CaptureFixture[str]) -> None:
    with muted(spared=is_ours):
        os.write(2, GREETINGS[0] + OURS[0] + GREETINGS[1] + OURS[1] + GREETINGS[2] + OURS[2])
    assert capfd.readouterr().err == b"".join(OURS).decode()


@pytest.mark.parametrize("line", GREETINGS)
def test_greetings_are_told_by_how_they_begin(line: bytes) -> None:
    assert not is_ours(line)


def test_all_of_it_is_shown_where_something_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        writes_and_raises(ZeroDivisionError())
    assert capfd.readouterr().err == GREETINGS[1].decode()


def test_an_error_that_has_its_sentence_needs_no_more(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ArchiveError):
        writes_and_raises(ArchiveError("There is no model."))
    assert capfd.readouterr().err == ""
