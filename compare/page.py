"""The comparison as one self-contained HTML file, with plots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from compare import cells, plot
from compare.everything import Limit
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
<title>Waiting for a migration: cost and delay</title>
<style>{style}</style>
<h1>Waiting for a migration: the cost and delay of each approach</h1>
<p>Three ways to wait for one database migration: a state machine, a durable function, and a
scheduled function. Some poll at an interval; others wait for an event.</p>
<div class="scroll">{plot}</div>
<p class="small">✕: the wait hits a limit before the migration ends. Dashed line: waits for an
event instead of polling; drawn at the lower edge if there is no delay. Approaches that poll at the
same interval have the same delay, so their lines overlap.</p>
{tables}
<p class="small">{legend}</p>
<p class="small">{formula}</p>
</html>
"""


def render(outcomes: Mapping[str, Sequence[Outcome]], limits: Sequence[Limit]) -> str:
    """Return the page as HTML.

    Parameters:
        outcomes: by the name of the migration's length.
        limits: lines of the last table.
    """
    tables = [
        _table(cells.TITLE.format(name), cells.HEAD, cells.rows(of_this_length))
        for name, of_this_length in outcomes.items()
    ]
    tables.append(_table(cells.LIMIT_TITLE, cells.LIMIT_HEAD, map(cells.limit_row, limits)))
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
