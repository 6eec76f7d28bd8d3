"""Two plots: what a thousand migrations cost, and how late their end is noticed."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compare import durable
from compare.outcome import Outcome

_COLOURS = {
    "Step Functions": "#c2410c",
    "durable": "#0f766e",
    "by hand": "#64748b",
}
_MINUTE = 60
_LEAST_MINUTES = 0.1
Value = Callable[[Outcome], float | None]


def svg(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """The plots as an SVG drawing: a column for each length of migration."""
    # Text stays text, and the same figures give the same drawing.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "compare", "font.size": 9}):
        figure = Figure(figsize=(11, 6.2), layout="constrained")
        grid = figure.subplots(2, len(outcomes), sharex=True, sharey="row")
        for column, (name, some) in enumerate(outcomes.items()):
            _draw(grid[0][column], some, lambda outcome: outcome.dollars_per_thousand)
            _draw(grid[1][column], some, _minutes_late)
            grid[0][column].set_title(f"a migration of {name}")
            grid[1][column].set_xlabel("minutes between two looks")
        grid[0][0].set_ylabel("dollars a thousand migrations")
        grid[1][0].set_ylabel("minutes until its end is noticed")
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue().partition("<svg")[1] + text.getvalue().partition("<svg")[2]


def _draw(axes: Axes, outcomes: Sequence[Outcome], value: Value) -> None:
    for way in dict.fromkeys(outcome.way for outcome in outcomes):
        mine = [outcome for outcome in outcomes if outcome.way == way]
        colour = next(c for start, c in _COLOURS.items() if way.startswith(start))
        if mine[0].pause is None:
            _draw_level(axes, mine[0], value, colour)
        else:
            _draw_line(axes, mine, value, colour)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([1, 5, 15, 60], ["1", "5", "15", "60"])
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_line(axes: Axes, outcomes: Sequence[Outcome], value: Value, colour: str) -> None:
    known = [(o, value(o)) for o in outcomes if o.pause and value(o) is not None]
    minutes = [o.pause.total_seconds() / _MINUTE for o, _ in known if o.pause]
    axes.plot(
        minutes,
        [v for _, v in known if v is not None],
        "o-",
        color=colour,
        ms=4,
        label=outcomes[0].way,
    )
    walled = [(m, v) for m, (o, v) in zip(minutes, known, strict=True) if o.delay is None]
    axes.plot([m for m, _ in walled], [v for _, v in walled if v], "x", color=colour, ms=11, mew=2)


def _draw_level(axes: Axes, outcome: Outcome, value: Value, colour: str) -> None:
    level = value(outcome)
    if level is not None:
        style = ":" if outcome.way == durable.GROWING else "--"
        axes.axhline(level, ls=style, color=colour, label=outcome.way)


def _minutes_late(outcome: Outcome) -> float | None:
    if outcome.delay is None:
        return None
    # A logarithmic axis has no zero: at once is drawn at its lower end.
    return max(outcome.delay.total_seconds() / _MINUTE, _LEAST_MINUTES)
