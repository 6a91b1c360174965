"""Labels as data sets have them: whole numbers, several at once, with names, and wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plumbline.training.class_labels import agreed, counted, demand_each, of_lines, of_numbers
from plumbline.training.errors import DataError
from plumbline.training.readers.augmented_manifest import Line
from plumbline.training.readers.entries import Entry, Labelled


def labelled(*labels: Any, classes: tuple[str, ...] = ()) -> Labelled[Any]:
    """Entries of these labels."""
    return Labelled(
        [Entry(f"{number}.jpg", Path("x"), label) for number, label in enumerate(labels)], classes
    )


def line(label: Any, **metadata: Any) -> Line:
    """A line of a manifest."""
    return Line("m, line 1", "s3://b/1.jpg", "kind", label, metadata)


def labels(found: Labelled[Any]) -> list[Any]:
    return [entry.label for entry in found.entries]


def test_numbers_are_classes() -> None:
    assert labels(of_numbers(labelled((0.0,), (3.0,)), multi_label=False)) == [0, 3]
    hot = of_numbers(labelled((0.0, 1.0), (1.0, 1.0)), multi_label=True)
    assert labels(hot) == [(0, 1), (1, 1)]
    assert counted(labels(hot), 2).tolist() == [1, 2]
    assert counted([0, 3, 3], 5).tolist() == [1, 0, 0, 2, 0]


@pytest.mark.parametrize(
    ("label", "multi", "sentence"),
    {
        "between classes": ((1.5,), False, r"0\.jpg has the label '1\.5'; a class is a whole"),
        "below": ((-1.0,), False, "has the label '-1.0'"),
        "no number": ((float("nan"),), False, "has the label 'nan'"),
        "several": ((0.0, 1.0), False, "has 2 numbers for a label. Set multi_label=1"),
        "not hot": (
            (0.0, 2.0),
            True,
            "with multi_label=1 it has to be a 0 or a 1",
        ),
    }.values(),
)
def test_other_numbers_are_refused(label: Any, multi: bool, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        of_numbers(labelled(label), multi_label=multi)


def test_ground_truth_names_its_classes() -> None:
    found = of_lines(
        labelled(
            line(2, **{"class-name": "wasp"}),
            line(0, **{"class-name": "honey bee"}),
            line(0),
        ),
        multi_label=False,
    )
    assert (labels(found), found.classes) == ([2, 0, 0], ("honey bee", "1", "wasp"))
    several = of_lines(
        labelled(line([1, 0, 1], **{"class-map": {"0": "bee", "2": "wasp", "x": "?"}})), True
    )
    assert (labels(several), several.classes) == ([(1, 0, 1)], ("bee", "1", "wasp"))


@pytest.mark.parametrize(
    ("label", "multi", "sentence"),
    {
        "a text": ("bee", False, "m, line 1 has the label 'bee'"),
        "true": (True, False, "m, line 1 has the label 'True'"),
        "a list for one": (
            [1, 0],
            False,
            r"'kind' is \[1, 0\]; with multi_label=0",
        ),
        "one for a list": (1, True, "with multi_label=1 it has to be a list"),
    }.values(),
)
def test_labels_of_lines_that_are_none_are_refused(label: Any, multi: bool, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        of_lines(labelled(line(label)), multi)


def test_the_number_of_classes_is_that_of_the_data() -> None:
    assert agreed(labelled(0, 4), None, "train") == 5
    assert agreed(labelled(0, 1), 7, "train") == 7
    assert agreed(labelled(0, 1, classes=("a", "b", "c")), None, "train") == 3
    assert agreed(labelled((0, 1, 1)), 3, "train") == 3


@pytest.mark.parametrize(
    ("found", "declared", "sentence"),
    {
        "beyond": (labelled(0, 5, 1), 5, r"num_classes is 5, and train has 6 classes \(see 1\.jpg"),
        "folders": (labelled(0, 1, classes=("a", "b")), 3, "num_classes is 3, and train has 2"),
        "one class": (labelled(0, 0), None, "train has one class only"),
        "lengths": (labelled((0, 1), (1,)), None, r"several lengths: \[1, 2\]"),
        "width": (labelled((0, 1)), 3, "num_classes is 3, and train has 2 classes"),
    }.values(),
)
def test_classes_that_do_not_fit_are_told(
    found: Labelled[Any], declared: int | None, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        agreed(found, declared, "train")


def test_a_class_without_a_picture_is_named() -> None:
    demand_each(labelled(0, 1, 2), 3, (), "train")
    with pytest.raises(DataError, match=r"train has no picture of 2 of 4 classes: b, d\. Add some"):
        demand_each(labelled(0, 2), 4, "abcd", "train")
    assert np.array_equal(counted([(1, 0)], 2), [1, 0])
