"""Two plots: the cost of a thousand migrations, and the delay until their end is detected."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compare import cells, durable
from compare.outcome import Outcome

_COLORS = {
    "Step Functions": "#c2410c",
    "durable": "#0f766e",
    "scheduled function": "#64748b",
}
_MINUTE = 60
_LEAST_MINUTES = 0.1
Value = Callable[[Outcome], float | None]


def svg(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """Return the plots as an SVG drawing, with a column for each length of migration."""
    # Keep text as text, and the same drawing for the same figures.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "compare", "font.size": 9}):
        figure = Figure(figsize=(11, 6.2), layout="constrained")
        grid = figure.subplots(2, len(outcomes), sharex=True, sharey="row")
        for column, (name, of_this_length) in enumerate(outcomes.items()):
            _draw(grid[0][column], of_this_length, lambda outcome: outcome.dollars_per_thousand)
            _draw(grid[1][column], of_this_length, _minutes_of_delay)
            grid[0][column].set_title(cells.TITLE.format(name))
            grid[1][column].set_xlabel("minutes between polls")
        grid[0][0].set_ylabel("dollars per thousand migrations")
        grid[1][0].set_ylabel("minutes of delay")
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue().partition("<svg")[1] + text.getvalue().partition("<svg")[2]


def _draw(axes: Axes, outcomes: Sequence[Outcome], value: Value) -> None:
    for approach in dict.fromkeys(outcome.approach for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.approach == approach]
        color = next(c for start, c in _COLORS.items() if approach.startswith(start))
        if own[0].pause is None:
            _draw_level(axes, own[0], value, color)
        else:
            _draw_line(axes, own, value, color)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([1, 5, 15, 60], ["1", "5", "15", "60"])
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_line(axes: Axes, outcomes: Sequence[Outcome], value: Value, color: str) -> None:
    known = [(o, value(o)) for o in outcomes if o.pause and value(o) is not None]
    minutes = [o.pause.total_seconds() / _MINUTE for o, _ in known if o.pause]
    axes.plot(
        minutes,
        [v for _, v in known if v is not None],
        "o-",
        color=color,
        ms=4,
        label=outcomes[0].approach,
    )
    cut_off = [(m, v) for m, (o, v) in zip(minutes, known, strict=True) if o.delay is None]
    axes.plot([m for m, _ in cut_off], [v for _, v in cut_off if v], "x", color=color, ms=11, mew=2)


def _draw_level(axes: Axes, outcome: Outcome, value: Value, color: str) -> None:
    level = value(outcome)
    if level is not None:
        style = ":" if outcome.approach == durable.BACKOFF else "--"
        axes.axhline(level, ls=style, color=color, label=outcome.approach)


def _minutes_of_delay(outcome: Outcome) -> float | None:
    if outcome.delay is None:
        return None
    # A logarithmic axis has no zero: draw "no delay" at its lower end.
    return max(outcome.delay.total_seconds() / _MINUTE, _LEAST_MINUTES)
