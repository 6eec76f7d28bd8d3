"""The comparison as one HTML file, with its plots; it loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from compare import cells, plot
from compare.everything import Wall
from compare.outcome import Outcome

_STYLE = """\
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1e293b; max-width: 70rem; margin: 2rem auto;
  padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2.5rem }
.scroll { overflow-x: auto } svg { width: 100%; height: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: .25rem .9rem .25rem 0; text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
tr.first td { border-top: 1px solid #e2e8f0 }
th { border-bottom: 2px solid #94a3b8 }
p.small { color: #475569; font-size: .875rem; max-width: 60rem }"""
_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Waiting for a migration: what it costs</title>
<style>{style}</style>
<h1>Waiting for a migration: what each way costs and does</h1>
<p>One migration of a database, waited for by a state machine, by a durable function and by a
function on a schedule: by asking at intervals, or by being told.</p>
<div class="scroll">{plot}</div>
<p class="small">✕: the wait ends at a wall before the migration does. A dashed line: told by an
event, no looks at intervals; drawn at the lower edge if it is noticed at once. Who looks equally
often notices equally late: there, one line lies over the others.</p>
{tables}
<p class="small">{legend}</p>
<p class="small">{formula}</p>
</html>
"""


def render(outcomes: Mapping[str, Sequence[Outcome]], walls: Sequence[Wall]) -> str:
    """The page.

    Parameters:
        outcomes: by the name of the migration's length.
    """
    tables = [
        _table(f"A migration of {name}", cells.HEAD, cells.rows(some))
        for name, some in outcomes.items()
    ]
    tables.append(_table("Where a wait ends", cells.WALL_HEAD, map(cells.wall_row, walls)))
    return _PAGE.format(
        style=_STYLE,
        plot=plot.svg(outcomes),
        tables="\n".join(tables),
        legend=escape(cells.LEGEND),
        formula=escape(cells.FORMULA),
    )


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines, last = [], ""
    for row in rows:
        is_first, last = row[0] != last, row[0]
        shown = row if is_first else ("", *row[1:])
        text = "".join(f"<td>{escape(cell)}</td>" for cell in shown)
        opening = '<tr class="first">' if is_first else "<tr>"
        lines.append(f"{opening}{text}</tr>")
    heading = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "\n".join(lines)
    return (
        f'<h2>{escape(title)}</h2>\n<div class="scroll"><table>\n<tr>{heading}</tr>\n'
        f"{body}\n</table></div>"
    )
