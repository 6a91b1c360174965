"""The report of a classification job, written down."""

from __future__ import annotations

from pathlib import Path

from plumbline.results.png_files import png
from plumbline.training.reports.outcome import ClassificationReport, Mistake
from plumbline.training.reports.page import page
from plumbline.training.reports.poster import poster
from plumbline.training.reports.whole_files import write_whole

__all__ = ["ClassificationReport", "Mistake", "write_report"]

PAGE, PICTURE = "report.html", "report.png"


def write_report(folder: Path, report: ClassificationReport) -> None:
    """Write report.html and report.png into a folder, each whole. Raises `OSError`."""
    files = {PAGE: page(report).encode("utf-8"), PICTURE: png(poster(report))}
    for name, content in files.items():
        write_whole(folder / name, content)
