"""Source code in a terminal: in colors for light and dark, with its indentation at every width."""

from __future__ import annotations

from collections.abc import Iterator

from rich.style import Style
from rich.syntax import ANSISyntaxTheme, Syntax
from rich.text import Text

from dacapo.report.text import GOOD, HINT, NOTICE, QUIET

CONTINUATION = 4
"""Columns by which what does not fit into a line stands to the right of its beginning."""
_LEAST_COLUMNS = 16
_BREAKS = (", ", "(", " ")
"""After which a line is broken, the best first."""
_EARLIEST = 0.35
"""Share of a line that comes before a break at least."""
_STYLES = {
    ("Comment",): QUIET,
    ("Keyword",): f"bold {HINT}",
    ("Operator", "Word"): f"bold {HINT}",
    ("Name", "Decorator"): NOTICE,
    ("Name", "Function"): "bold",
    ("Literal", "Number"): NOTICE,
    ("Literal", "String"): GOOD,
}
"""Style of a token and of those below it, as Pygments names them."""
_THEME = ANSISyntaxTheme({token: Style.parse(style) for token, style in _STYLES.items()})
_HIGHLIGHTER = Syntax("", "python", theme=_THEME, background_color="default")


def lines_of(code: str) -> list[Text]:
    """Return the lines of Python code, highlighted."""
    return list(_HIGHLIGHTER.highlight(code.rstrip("\n")).split("\n"))[: len(code.splitlines())]


def wrapped(line: Text, width: int) -> Iterator[Text]:
    """Yield a line in parts that fit; all but the first are indented more than the line.

    Parameters:
        line: a line of code, or of a trace.
        width: columns; if the indentation leaves too few of them, the parts are wider.
    """
    text = line.plain
    indentation = len(text) - len(text.lstrip())
    breaks = list(_breaks(text, indentation, width))
    for number, part in enumerate(line.divide(breaks)):
        part.rstrip()
        yield part if number == 0 else Text(" " * (indentation + CONTINUATION)).append(part)


def _breaks(text: str, indentation: int, width: int) -> Iterator[int]:
    start, room = 0, max(width, indentation + _LEAST_COLUMNS)
    rest = max(width - indentation - CONTINUATION, _LEAST_COLUMNS)
    while len(text.rstrip()) - start > room:
        # A break in the indentation would be none.
        start += _length(text[start : start + room + 1], room, 0 if start else indentation)
        yield start
        room = rest


def _length(text: str, room: int, indentation: int) -> int:
    """Return the length of the part that comes before a break.

    Parameters:
        text: a column more than fits, because a space at its end need not fit.
        room: columns.
        indentation: columns at the beginning that hold nothing.
    """
    for mark in _BREAKS:
        end = text.rfind(mark) + len(mark)
        fits = len(text[:end].rstrip()) <= room
        if fits and end - indentation > _EARLIEST * (room - indentation):
            return end
    return room
