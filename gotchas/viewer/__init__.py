"""Shows a gotcha as a lesson: both handlers, and every invocation of each, line by line.

`lesson` runs the two scenarios of a gotcha and records which lines of its file each invocation
executes; `terminal` prints that. `python -m gotchas` and `python -m tools.gotchas`, which writes
docs/gotchas.md, both use them.
"""
