"""The comparison as one self-contained HTML file: the answer, then charts, each with its table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from compare import answer, cells, plot
from compare.everything import Limit, Series
from compare.outcome import Outcome
from dacapo.report.durations import spell_short

STYLE = Path(__file__).with_name("page.css")
LENGTH_TITLE = "What a longer migration costs, and where each wait ends"
FAULTS_TITLE = "What breaks"
FAULTS_HEAD = ("fault", "baseline", "durable function")
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>{headline}</h1>
<p>{lead}</p>
<h2 class="unseen">Each approach in short</h2>
<ul class="cards">
{cards}
</ul>
<h2>{first_title}: why pay more than the cheapest?</h2>
{legend}
<div class="beside">
{first_chart}
<div>
{why}
</div>
</div>
{first_table}
<p class="quiet">{legend_text}</p>
{lengths}
<h2>{length_title}</h2>
<div class="beside">
{length_chart}
<div>
{limits}
{points}
</div>
</div>
<h2>{faults_title}</h2>
{faults}
<p class="quiet">{formula}</p>
</main>
</body>
</html>
"""
_KINDS = {"Step Functions": "machine", "durable": "durable", "scheduled function": "function"}
_MARKERS = {
    "s": '<rect x="16" y="2" width="8" height="8"/>',
    "o": '<circle cx="20" cy="6" r="4.5"/>',
    "v": '<path d="M15 2h10l-5 9z"/>',
    "^": '<path d="M15 10h10l-5-9z"/>',
    "D": '<path d="M20 0l6 6l-6 6l-6-6z"/>',
}
_DASHES = {"-": "", "--": "6 3", ":": "2 3", "-.": "7 3 2 3"}
_CAPTION = (
    "✕: the wait ends before the migration does. Lines are the approaches that poll, from one "
    "minute to one hour between two polls."
)
_LENGTH_CAPTION = (
    "✕: the wait ends, however long the migration takes. The callback's line lies on the token's "
    "for the first eight hours: both cost the same."
)


def render(
    outcomes: Mapping[str, Sequence[Outcome]], limits: Sequence[Limit], series: Sequence[Series]
) -> str:
    """Return the page as HTML.

    Parameters:
        outcomes: by the name of the migration's length; the first is the one that is explained.
        limits: what ends each wait.
        series: the cost of each approach by the length of the migration.
    """
    (first, explained), *others = outcomes.items()
    return _PAGE.format(
        style=STYLE.read_text(),
        title="What waiting costs",
        headline=escape(answer.headline(explained, first)),
        lead=escape(answer.lead(explained, first)),
        cards="\n".join(map(_card, answer.cards(explained))),
        first_title=escape(cells.TITLE.format(first)),
        legend=_legend(),
        first_chart=_chart(first, explained),
        why="\n".join(f"<p>{escape(text)}</p>" for text in answer.why(explained)),
        first_table=_table(cells.TITLE.format(first), cells.HEAD, cells.rows(explained)),
        lengths="\n".join(_length(name, of_it) for name, of_it in others),
        length_title=LENGTH_TITLE,
        length_chart=_figure("Cost by length", plot.by_length(series), _LENGTH_CAPTION),
        limits=_table(cells.LIMIT_TITLE, cells.LIMIT_HEAD, map(cells.limit_row, limits)),
        points=_points(series),
        faults_title=FAULTS_TITLE,
        faults=_table(FAULTS_TITLE, FAULTS_HEAD, answer.faults(), "words"),
        legend_text=escape(cells.LEGEND),
        formula=escape(cells.FORMULA),
    )


def _kind(approach: str) -> str:
    return next(kind for start, kind in _KINDS.items() if approach.startswith(start))


def _card(card: answer.Card) -> str:
    terms = {
        "detects the end": card.delay,
        "to build and operate": card.facts.builds,
        "what breaks": card.facts.breaks,
    }
    described = "".join(f"<dt>{term}</dt><dd>{escape(text)}</dd>" for term, text in terms.items())
    return (
        f'<li class="{_kind(card.approach)}"><h3>{escape(card.approach)}</h3>'
        f"<strong>{card.dollars}</strong><dl>{described}</dl></li>"
    )


def _legend() -> str:
    """Return what each line and marker of the charts stands for."""
    entries = []
    for approach, style in plot.STYLES.items():
        drawn = (
            f'<svg viewBox="0 0 40 12" aria-hidden="true" fill="currentColor"><path d="M0 6h40" '
            f'stroke="currentColor" stroke-width="1.6" stroke-dasharray="{_DASHES[style.line]}"/>'
            f"{_MARKERS[style.marker]}</svg>"
        )
        entries.append(f'<li class="{_kind(approach)}">{drawn}{escape(approach)}</li>')
    return f'<ul class="legend">\n{"".join(entries)}\n</ul>'


def _length(name: str, outcomes: Sequence[Outcome]) -> str:
    title = cells.TITLE.format(name)
    table = _table(title, cells.HEAD, cells.rows(outcomes))
    chart = _chart(name, outcomes)
    return f'<h2>{escape(title)}</h2>\n<div class="beside">\n{chart}\n{table}\n</div>'


def _chart(name: str, outcomes: Sequence[Outcome]) -> str:
    return _figure(f"Cost and delay, {name}", plot.by_delay(outcomes, name), _CAPTION)


def _figure(title: str, drawing: str, explanation: str) -> str:
    quiet = f'<span class="quiet">{escape(explanation)}</span>'
    caption = f"<figcaption>{escape(title)}{quiet}</figcaption>"
    return f"<figure>\n{caption}\n{drawing}\n</figure>"


def _points(series: Sequence[Series]) -> str:
    """Return the figures of the chart by length, folded."""
    rows = [
        (one.approach, spell_short(length), cells.amount(dollars))
        for one in series
        for length, dollars in one.points
    ]
    table = _table("Cost by length", ("approach", "length", "$/1,000"), rows)
    return f"<details><summary>The figures of the chart</summary>\n{table}\n</details>"


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """Return a table that scrolls by itself where the page is narrow, also by keyboard."""
    lines, last = [], ""
    for first, *cells_ in rows:
        is_first, last = first != last, first
        name = f'<th scope="row">{escape(first) if is_first else _again(first)}</th>'
        text = "".join(f"<td>{escape(cell)}</td>" for cell in cells_)
        opening = '<tr class="first">' if is_first else "<tr>"
        lines.append(f"{opening}{name}{text}</tr>")
    heading = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "\n".join(lines)
    return (
        f'<div class="scroll" role="region" aria-label="{escape(title)}" tabindex="0">'
        f'<table class="{kind}">\n<thead><tr>{heading}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _again(name: str) -> str:
    """Return a name that is the one of the line above: read out, but not shown."""
    return f'<span class="unseen">{escape(name)}</span>'
