"""The experiments: one way of disturbing a handler per module."""
