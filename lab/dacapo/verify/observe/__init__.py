"""Observers of a run: effects, misplaced operations, results, reads outside steps."""
