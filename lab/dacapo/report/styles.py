"""Colors for terminals that can be read on a light and on a dark background.

A terminal's theme decides about its first 16 colors, and some are unreadable on white or on black:
yellow, cyan, and what is *dim*. These are of the fixed 256. Each has a contrast of at least 3.6
with white and with black; a test computes it.
"""

from __future__ import annotations

GOOD = "color(28)"
BAD = "color(160)"
NOTICE = "color(130)"
"""What needs attention, and is not an error."""
HINT = "color(30)"
"""What is worth a look, and less than a notice."""
QUIET = "color(243)"
"""What explains the rest: legends, headings of columns, small print."""
