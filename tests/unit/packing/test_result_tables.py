"""What packing tells of the model's forms."""

from __future__ import annotations

import io

from rich.console import Console

from plumbline.packing import result_tables
from plumbline.packing.compilation import Acceleration, Trial

ORIGINAL = Trial("tensorflow", 2_000_000, 100.0)
F32 = Trial("f32", 1_900_000, 520.0, 7.1e-7)
BF16 = Trial("bf16", 1_900_000, 810.0, 0.0123, 0.98765, 1.0, kept=False)


def shown(found: Acceleration) -> list[list[str]]:
    """The words of each row."""
    console = Console(file=io.StringIO(), width=80)
    console.print(result_tables.acceleration(found))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return [line.split() for line in lines if line.split()[:1] in (["tensorflow"], ["openvino"])]


def test_each_form_is_told_beside_the_original() -> None:
    assert shown(Acceleration((ORIGINAL, F32, BF16))) == [
        ["tensorflow", "2.0", "0", "100.00%", "100", "1.0", "kept"],
        ["openvino", "f32", "1.9", "7.1e-07", "100.00%", "520", "5.2", "kept"],
        ["openvino", "bf16", "1.9", "0.012", "98.77%", "810", "8.1", "too", "far", "off"],
    ]


def test_a_form_that_was_not_made_has_its_row_and_its_reason() -> None:
    found = Acceleration((ORIGINAL, F32, BF16), unmade="it needs NNCF")

    assert shown(found)[-1] == ["openvino", "int8", *"–––––", "not", "made"]
    assert list(result_tables.remarks(found)) == [
        "Images/s are those of one picture after the other; decoding them is not counted.",
        "int8 was not made: it needs NNCF.",
    ]


def test_that_bf16_was_not_tried_is_told() -> None:
    *_, said = result_tables.remarks(Acceleration((ORIGINAL, F32)))

    assert said.startswith("bf16 was not tried: this machine's CPU has no bf16 arithmetic. ")


def test_the_reason_for_none_at_all_is_told_alone() -> None:
    found = Acceleration(reason="there are no golden pictures to prove it with")

    assert list(result_tables.remarks(found)) == [
        "The archive holds no faster form: there are no golden pictures to prove it with."
    ]
