"""Refusals of a crowd, by a clock that is set."""

from __future__ import annotations

from plumbline.web.refusal_pace import FEW, HELD_SECONDS, WINDOW_SECONDS, RefusalPace


def test_a_crowd_is_refused_later_and_a_few_at_once() -> None:
    now = [100.0]
    pace = RefusalPace(lambda: now[0])

    assert [pace.seconds() for _ in range(FEW + 2)] == [0.0] * FEW + [HELD_SECONDS] * 2
    now[0] += WINDOW_SECONDS
    assert pace.seconds() == 0.0


def test_refusals_that_come_slowly_never_wait() -> None:
    now = [0.0]
    pace = RefusalPace(lambda: now[0])

    for _ in range(10 * FEW):
        assert pace.seconds() == 0.0
        now[0] += WINDOW_SECONDS / (FEW - 1)
