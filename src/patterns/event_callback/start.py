"""Start a migration that waits for its event, once per task and run."""

from patterns.migration.start import FUNCTION_VARIABLE, handler

__all__ = ["FUNCTION_VARIABLE", "handler"]
