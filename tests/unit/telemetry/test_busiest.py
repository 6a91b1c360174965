"""The busiest of many models, by name."""

from __future__ import annotations

from plumbline.telemetry.busiest import OTHER, Busiest


def test_no_counter_falls_whoever_is_busy_and_however_often_it_is_loaded() -> None:
    busiest = Busiest(2)
    found = [
        busiest.counted(requests)
        for requests in (
            {"a": 5, "b": 3, "c": 1},
            {"a": 6, "b": 4, "c": 1},
            {"a": 1, "b": 4, "c": 9},  # `a` was loaded again
            {"b": 5, "c": 10},
        )
    ]

    assert found == [
        {"a": 0, "b": 0, OTHER: 9},
        {"a": 1, "b": 1, OTHER: 9},
        {"b": 1, "c": 0, OTHER: 17},
        {"b": 2, "c": 1, OTHER: 17},
    ]


def test_a_model_that_calls_itself_other_is_one_of_the_others() -> None:
    busiest = Busiest(2)
    busiest.counted({OTHER: 3})
    assert set(busiest.counted({OTHER: 4, "x" * 999: 1})) == {OTHER, "x" * 200}
