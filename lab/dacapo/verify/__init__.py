"""The experiments that show whether a handler survives being replayed."""
