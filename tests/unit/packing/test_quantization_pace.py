"""How much time packing gives to quantisation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plumbline.packing.quantize import (
    FEWEST_RANKED,
    FEWEST_ROUNDS,
    MOST_RANKED,
    MOST_ROUNDS,
    RANKING_SECONDS,
    RESTORING_SECONDS,
    Pace,
)

PACES = st.builds(Pace, st.floats(1e-3, 60), st.floats(1e-5, 60), st.integers(0, 2000))


def test_a_small_network_gets_the_most() -> None:
    pace = Pace(compiling=0.1, picture=0.001, layers=20)
    assert (pace.ranked_by, pace.rounds(200)) == (MOST_RANKED, MOST_ROUNDS)


def test_a_detector_gets_what_there_is_time_for() -> None:
    pace = Pace(compiling=0.8, picture=0.1, layers=110)
    assert (pace.ranked_by, pace.rounds(200)) == (13, 11)


@given(PACES, st.integers(1, 1000))
def test_it_stays_within_its_time_or_does_the_least(pace: Pace, pictures: int) -> None:
    assert FEWEST_RANKED <= pace.ranked_by <= MOST_RANKED
    if pace.ranked_by > FEWEST_RANKED:
        each = pace.compiling + pace.ranked_by * pace.picture
        assert pace.layers * each <= RANKING_SECONDS * 1.001
    assert FEWEST_ROUNDS <= pace.rounds(pictures) <= MOST_ROUNDS
    if pace.rounds(pictures) > FEWEST_ROUNDS:
        each = pace.compiling + pictures * pace.picture
        assert pace.rounds(pictures) * each <= RESTORING_SECONDS * 1.001
