"""The report as one page: no script, and nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.drift.stability import LARGE, MODERATE
from plumbline.monitoring.drift_report import Quantity, Report, Unusual
from plumbline.training.reports.page import FOOT, HEAD, isolated
from plumbline.training.reports.page_style import STYLE
from plumbline.training.reports.shapes import Box, Drawing, Shape, Text
from plumbline.training.reports.svg import escaped, svg
from plumbline.training.reports.thumbnails import TINY, data_uri

ROW, BAR, NAMES, WIDTH = 24.0, 8.0, 130.0, 440.0

MORE_STYLE = """
td.far { font-weight: 600; color: var(--wrong); }
"""

EXPLAINED = (
    f"PSI is the population stability index: customarily below {MODERATE:g} is stable, above "
    f"{LARGE:g} is a shift. Up to the value beside it, 99 of 100 such samples differ by chance."
)


def page(report: Report, title: str) -> str:
    """The whole page."""
    return "\n".join(parts(report, title))


def parts(report: Report, title: str) -> Iterator[str]:
    """The page from top to bottom."""
    yield HEAD.format(title=escaped(title), style=STYLE + MORE_STYLE)
    yield f"<h1>{escaped(title)}</h1>\n<dl>"
    for name, value in facts(report).items():
        yield f"<div><dt>{escaped(name)}</dt><dd>{isolated(value)}</dd></div>"
    yield f"</dl>\n<h2>How far each quantity has moved</h2>\n<p>{escaped(EXPLAINED)}</p>"
    yield from table(report)
    yield "<h2>Shares then and now</h2>\n<p>Blue is the baseline, orange what was captured;"
    yield "the number is the captured share.</p>"
    yield '<div class="side-by-side">'
    for one in report.quantities:
        yield f"<section>{svg(chart(one))}</section>"
    yield "</div>"
    yield from gallery(report)
    yield FOOT


def facts(report: Report) -> dict[str, str]:
    """What is to be known first."""
    first, last = report.between
    found = {
        "captured pictures": f"{report.pictures:,}",
        "pictures of the baseline": f"{report.usual.pictures:,}",
        "captured requests": f"{report.lines:,}",
    }
    if first:
        found |= {"from": first, "to": last}
    return found | {f"left out: {why}": f"{count:,}" for why, count in report.left_out.items()}


def table(report: Report) -> Iterator[str]:
    """The indices."""
    head = ("quantity", "pictures", "median then", "median now", "PSI", "by chance", "")
    yield '<div class="scroll"><table>\n<thead><tr>'
    yield "".join(f"<th>{each}</th>" for each in head) + "</tr></thead>\n<tbody>"
    for one in report.quantities:
        then, now = (f"{each:.3g}" for each in one.middle) if one.middle else ("", "")
        kind = "far" if one.moved.verdict.startswith("moved") else ""
        cells = (
            f"{one.pictures:,}",
            then,
            now,
            f"{one.moved.index:.3f}",
            f"{one.moved.chance:.3f}",
        )
        yield (
            f"<tr><th>{escaped(one.name.replace('_', ' '))}</th>"
            + "".join(f"<td>{each}</td>" for each in cells)
            + f'<td class="{kind}">{one.moved.verdict}</td></tr>'
        )
    yield "</tbody></table></div>"


def chart(one: Quantity) -> Drawing:
    """Two bars for each bin."""
    title = one.name.replace("_", " ")
    shapes: list[Shape] = [Text(0.0, 16.0, title, size=15.0, room=WIDTH)]
    full = max(*one.then, *one.now, 1e-9)
    room = WIDTH - NAMES - 60
    for number, (name, then, now) in enumerate(zip(one.names, one.then, one.now, strict=True)):
        top = 30 + ROW * number
        shapes.append(Text(NAMES - 8, top + 14, name, anchor="end", room=NAMES - 8))
        told = f"{name}: {then:.1%} then, {now:.1%} now"
        shapes.append(Box(NAMES, top, max(1.0, room * then / full), BAR, "right", told=told))
        shapes.append(Box(NAMES, top + BAR, max(1.0, room * now / full), BAR, "wrong", told=told))
        place = NAMES + room * max(then, now) / full + 6
        shapes.append(Text(place, top + 12, f"{now:.1%}", "quiet", 11.0))
    height = 30 + ROW * len(one.names)
    return Drawing.of(WIDTH, height, f"Shares of {title} in the baseline and now", shapes)


def gallery(report: Report) -> Iterator[str]:
    """The most unusual pictures."""
    yield "<h2>Most unusual pictures</h2>"
    if not report.unusual:
        yield "<p>There are none: all are as usual.</p>"
        return
    yield '<div class="gallery">'
    for each in report.unusual:
        yield figure(each)
    yield "</div>"


def figure(each: Unusual) -> str:
    """One picture, and in what it is unusual."""
    drawn = ""
    if each.picture is not None:
        tiny = ' class="tiny"' if max(each.picture.shape) <= TINY else ""
        drawn = f'<img{tiny} src="{data_uri(each.picture)}" alt="{escaped(each.what)}">'
    reasons = "<br>".join(isolated(reason) for reason in each.reasons[:5])
    about = " ".join(filter(None, (each.when, each.what)))
    caption = f"<figcaption>{reasons}<small>{isolated(about)}</small></figcaption>"
    return f"<figure>{drawn}{caption}</figure>"
