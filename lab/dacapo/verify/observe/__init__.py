"""Observers of a run: effects, misplaced operations, inputs, results, reads outside steps."""
