"""Start a migration that polls its task, once per task and run."""

from patterns.migration.start import FUNCTION_VARIABLE, handler

__all__ = ["FUNCTION_VARIABLE", "handler"]
