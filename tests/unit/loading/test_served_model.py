"""When others hear that a model is ready, it answers."""

from __future__ import annotations

from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import ServedModel


def test_that_it_is_ready_is_told_once_it_answers() -> None:
    told = []
    registry = Registry(())
    model = ServedModel(lambda _: registry, lambda: told.append(model.status.state))

    model.load_now()

    assert told == ["ready"]
    assert model.models() is registry


def test_nobody_is_told_of_a_model_that_fails() -> None:
    told: list[None] = []

    def fail(_: object) -> Registry:
        raise OSError("There is no such file.")

    model = ServedModel(fail, lambda: told.append(None))
    model.load(lambda: None)

    assert (model.status.state, told) == ("failed", [])
