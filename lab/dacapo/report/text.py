"""Text for terminals: colors that can be read on any background, and characters made visible.

A terminal's theme decides about its first 16 colors, and some are unreadable on white or on black:
yellow, cyan, and what is *dim*. The colors here are of the fixed 256. Each has a contrast of at
least 3.6 with white and with black; a test computes it.
"""

from __future__ import annotations

import re

GOOD = "color(28)"
BAD = "color(160)"
NOTICE = "color(130)"
"""What needs attention, and is not an error."""
HINT = "color(30)"
"""What is worth a look, and less than a notice."""
QUIET = "color(243)"
"""What explains the rest: legends, headings of columns, small print."""
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters, which steer a terminal; marks that turn text around; half characters."""
_PICTURES = 0x2400
"""Where Unicode has pictures of control characters."""
_SPACE = 0x20


def visible(text: str) -> str:
    """Return a text in which what is invisible, or would turn or steer other text, can be seen.

    Parameters:
        text: any text; line breaks and tabs stay.
    """
    return _UNSEEN.sub(_picture, text)


def title_of(function: str, scenario: str) -> str:
    """Return what to call an execution; a history need not say whose it is."""
    return " · ".join(filter(None, (function, scenario))) or "An execution"


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(_PICTURES + code) if code < _SPACE else f"‹U+{code:04X}›"
