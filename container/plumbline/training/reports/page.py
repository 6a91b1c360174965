"""The report as one page: no script, and nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from plumbline.results.drawing.render import in_words
from plumbline.training.reports.confusion import class_measures, most_confused
from plumbline.training.reports.confusion_charts import bars, grid
from plumbline.training.reports.curves import charts
from plumbline.training.reports.outcome import (
    LARGEST_MATRIX,
    MOST_PAIRS,
    ClassificationReport,
    Mistake,
    Report,
    surest,
)
from plumbline.training.reports.page_style import STYLE
from plumbline.training.reports.svg import escaped, svg
from plumbline.training.reports.thumbnails import TINY, data_uri

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>"""

FOOT = """</main>
</body>
</html>
"""

HALF = 440
"""A matrix that is no wider has room beside others."""

SHADES = "Blue is right, orange is wrong; the stronger, the larger the share of the row."


def page(report: ClassificationReport) -> str:
    """The whole page."""
    return "\n".join(parts(report))


def parts(report: ClassificationReport) -> Iterator[str]:
    """The page from top to bottom."""
    yield from beginning(report)
    yield from confused(report)
    yield from mistakes(surest(report.mistakes))
    yield from classes(report)
    yield FOOT


def beginning(report: Report) -> Iterator[str]:
    """What every report begins with."""
    title = escaped(report.title)
    yield HEAD.format(title=title, style=STYLE)
    yield f"<h1>{title}</h1>"
    yield from summary(report)
    yield from learning(report)


def summary(report: Report) -> Iterator[str]:
    """What is to be known first."""
    yield "<dl>"
    for name, value in report.summary.items():
        yield f"<div><dt>{escaped(name)}</dt><dd>{isolated(value)}</dd></div>"
    yield "</dl>"


def learning(report: Report) -> Iterator[str]:
    """The curves."""
    if drawings := charts(report.history):
        yield '<h2>Learning curves</h2>\n<div class="side-by-side">'
        yield from map(svg, drawings)
        yield "</div>"


def confused(report: ClassificationReport) -> Iterator[str]:
    """The matrix, if it can be looked at, and the pairs."""
    matrix, labels = report.matrix, report.labels
    chart = grid(matrix, labels) if len(labels) <= LARGEST_MATRIX else None
    yield '<div class="side-by-side">' if chart and chart.width <= HALF else "<div>"
    if chart:
        yield f"<section><h2>Confusion matrix</h2>\n<p>{SHADES}</p>"
        yield f'<div class="matrix">{svg(chart)}</div></section>'
    yield "<section><h2>Most confused classes</h2>"
    yield f"{svg(bars(most_confused(matrix, MOST_PAIRS), labels))}</section></div>"


def mistakes(shown: Sequence[Mistake]) -> Iterator[str]:
    """The pictures of mistakes."""
    yield "<h2>Most confident mistakes</h2>"
    if not shown:
        yield "<p>There are none.</p>"
        return
    yield '<div class="gallery">'
    for each in shown:
        tiny = ' class="tiny"' if max(each.picture.shape) <= TINY else ""
        yield (
            f'<figure><img{tiny} src="{data_uri(each.picture)}" alt="{escaped(each.name)}">'
            f"<figcaption>{isolated(each.truth)}, taken for <b>{isolated(each.predicted)}</b> "
            f"({in_words(each.score, 3)})<small>{isolated(each.name)}</small></figcaption></figure>"
        )
    yield "</div>"


def classes(report: ClassificationReport) -> Iterator[str]:
    """Each class with its measures, the worst first, and their means."""
    measures = class_measures(report.matrix)
    shares = np.stack([measures.precision, measures.recall, measures.f1], axis=1)
    yield '<h2>Classes, the worst first</h2>\n<div class="scroll">\n<table>\n<thead><tr>'
    yield "".join(f"<th>{name}</th>" for name in ("class", "precision", "recall", "F1", "pictures"))
    yield "</tr></thead>\n<tbody>"
    for number in np.argsort(measures.f1, kind="stable").tolist():
        yield row(isolated(report.labels[number]), shares[number], int(measures.count[number]))
    yield "</tbody>\n<tfoot>"
    yield row("mean of classes", shares.mean(axis=0), int(measures.count.sum()))
    yield "</tfoot>\n</table>\n</div>"


def row(name: str, shares: Sequence[float], count: int) -> str:
    """A row of the table; `name` is escaped already."""
    cells = "".join(f"<td>{share:.3f}</td>" for share in shares)
    return f"<tr><th>{name}</th>{cells}<td>{count}</td></tr>"


def isolated(text: str) -> str:
    """A text, escaped, whose direction does not spread to what is around it."""
    return f"<bdi>{escaped(text)}</bdi>"
