"""Comparisons: runs with runs, replays with histories, operation by operation."""
