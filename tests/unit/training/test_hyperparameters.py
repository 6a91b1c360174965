"""Hyperparameters by their table: types, ranges, names that are nearly right."""

from __future__ import annotations

import pytest

from plumbline.training import hyperparameters as hp
from plumbline.training.errors import HyperparameterError
from plumbline.training.hyperparameters import Hyperparameter

TABLE = {
    "epochs": Hyperparameter(hp.whole(1, 1000), "30", "Epochs."),
    "learning_rate": Hyperparameter(hp.number(0, 10), "0.1", "The step."),
    "mini_batch_size": Hyperparameter(
        hp.whole(1, 4096), "32", "Pictures.", aliases=("batch_size",)
    ),
    "optimizer": Hyperparameter(hp.choice("sgd", "adam"), "sgd", "What steps."),
    "augmentation": Hyperparameter(hp.switch, "false", "Whether."),
    "lr_scheduler_step": Hyperparameter(hp.listed(hp.whole(0, 1000)), None, "When."),
    "num_classes": Hyperparameter(hp.whole(2, 1000), None, "How many classes.", required=True),
    "kv_store": Hyperparameter(hp.text, "", "MXNet's.", without_meaning="one host trains"),
}


def read(**given: str) -> hp.Values:
    return hp.read(TABLE, {"num_classes": "3", **given})


def test_defaults_and_what_is_given() -> None:
    values = read(epochs="5", augmentation="True", lr_scheduler_step="10,20", batch_size="64.0")
    assert dict(values.chosen) == {
        "epochs": 5,
        "learning_rate": 0.1,
        "mini_batch_size": 64,
        "optimizer": "sgd",
        "augmentation": True,
        "lr_scheduler_step": (10, 20),
        "num_classes": 3,
        "kv_store": "",
    }
    assert values.given == {
        "epochs", "augmentation", "lr_scheduler_step", "mini_batch_size", "num_classes"
    }  # fmt: skip


def test_a_hyphen_is_an_underscore() -> None:
    assert read(**{"learning-rate": "0.5"})["learning_rate"] == 0.5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epoch": "5"}, "there is no epoch (did you mean epochs?)"),
        ({"Learning_Rate": "5"}, "did you mean learning_rate?"),
        ({"zzz": "5"}, "there is no zzz (known are augmentation, epochs, "),
        ({"epochs": "0"}, "epochs=0 must be a whole number from 1 to 1000"),
        ({"epochs": "2.5"}, "epochs=2.5 must be a whole number from 1 to 1000"),
        ({"epochs": "nan"}, "epochs=nan must be a whole number from 1 to 1000"),
        ({"epochs": "inf"}, "epochs=inf must be a whole number from 1 to 1000"),
        ({"learning_rate": "fast"}, "learning_rate=fast must be a number from 0 to 10"),
        ({"learning_rate": "nan"}, "learning_rate=nan must be a number from 0 to 10"),
        ({"optimizer": "adan"}, "must be one of sgd, adam (did you mean adam?)"),
        ({"augmentation": "yes"}, "augmentation=yes must be true or false"),
        ({"lr_scheduler_step": "10,x"}, "each a whole number from 0 to 1000"),
        ({"batch_size": "1", "mini_batch_size": "1"}, "are the same; give one of them"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, str], said: str) -> None:
    with pytest.raises(HyperparameterError) as caught:
        read(**given)
    assert said in caught.value.message


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(HyperparameterError) as caught:
        hp.read(TABLE, {"epochs": "0", "optimiser": "sgd"})
    for part in ("epochs=0", "optimizer?", "num_classes is missing: How many classes"):
        assert part in caught.value.message


def test_what_has_no_meaning_here_is_told() -> None:
    assert read(kv_store="dist_sync").warnings == ("kv_store is ignored: one host trains.",)


def test_the_table_can_be_printed() -> None:
    printed = hp.markdown(TABLE)
    assert "| `mini_batch_size`, `batch_size` | 32 | Pictures. |" in printed
    assert "| `num_classes` | required | How many classes. |" in printed
