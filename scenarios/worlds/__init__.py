"""The worlds of the scenarios: AWS around a handler, made afresh for every run."""
