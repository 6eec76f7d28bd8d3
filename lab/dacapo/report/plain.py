"""Text that may hold anything, made safe to show: to a terminal, and to a reader."""

from __future__ import annotations

import re

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


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(_PICTURES + code) if code < _SPACE else f"‹U+{code:04X}›"
