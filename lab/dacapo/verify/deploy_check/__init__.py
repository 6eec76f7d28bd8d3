"""The deploy check: do executions in flight survive today's code?

`checker` replays many histories, a few at a time; `replaying` replays one; `results` holds what
that showed, for each execution and by cause; `advice` says what to do about it.
"""
