"""What packing and searching found, as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from rich.box import SIMPLE
from rich.table import Table

from plumbline.packing.assembly import Report
from plumbline.packing.compilation import Acceleration


def differences(report: Report) -> Table:
    """Each picture, how far it is off, and whether that is allowed."""
    table = Table("picture", box=SIMPLE)
    table.add_column("largest difference", justify="right")
    table.add_column(f"allowed: {report.tolerance:g}")
    for one in report.checked:
        right = one.difference.within(report.tolerance)
        said = "right" if right else "WRONG"
        table.add_row(one.name, distance(one.difference.largest, one.difference.reason), said)
    return table


def distance(largest: float, reason: str) -> str:
    """The number, or why there is none."""
    return reason if largest == float("inf") else f"{largest:.3g}"


def acceleration(found: Acceleration) -> Table:
    """Each form of the model beside the original."""
    table = Table(box=SIMPLE)
    table.add_column("computed by", no_wrap=True)
    for title in ("MB", "largest difference", "agreement", "images/s", "×", ""):
        table.add_column(title, justify="right")
    original = found.trials[0]
    for trial in found.trials:
        table.add_row(
            trial.name if trial is original else f"openvino {trial.name}",
            f"{trial.size / 1e6:.1f}",
            f"{trial.largest:.2g}",
            f"{trial.agreement:.2%}",
            f"{trial.rate:,.0f}",
            f"{trial.rate / original.rate:.1f}",
            "kept" if trial.kept else "too far off",
        )
    if found.unmade:
        table.add_row("openvino int8", *5 * "–", "not made")
    return table


def remarks(found: Acceleration) -> Iterator[str]:
    """What the table does not say."""
    if found.trials:
        yield "Images/s are those of one picture after the other; decoding them is not counted."
    if found.trials and not any("bf16" in trial.name for trial in found.trials):
        yield (
            "bf16 was not tried: this machine's CPU has no bf16 arithmetic. Where [acceleration]'s "
            "budget allows bf16, pack on a machine that has it, such as an ml.c7i instance."
        )
    if found.unmade:
        yield f"int8 was not made: {found.unmade}."
    if found.reason:
        yield f"The archive holds no faster form: {found.reason}."


def contents(files: Mapping[str, int]) -> Table:
    """What is in the archive: folders of several files in one line each."""
    table = Table("in the archive", box=SIMPLE)
    table.add_column("files", justify="right")
    table.add_column("bytes", justify="right")
    for name, sizes in grouped(files).items():
        table.add_row(name, str(len(sizes)), f"{sum(sizes):,}")
    return table


def grouped(files: Mapping[str, int]) -> dict[str, list[int]]:
    """The sizes by the top folder, or by the file where it lies at the top."""
    groups: dict[str, list[int]] = {}
    for name, size in files.items():
        parts = PurePosixPath(name).parts
        groups.setdefault(f"{parts[0]}/" if len(parts) > 1 else name, []).append(size)
    return groups
