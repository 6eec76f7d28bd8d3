"""Processes that do the work: supervised ones, and a fresh one."""
