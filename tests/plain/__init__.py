"""The patterns, tested with nothing but AWS's own runner: to copy, one file at a time."""
