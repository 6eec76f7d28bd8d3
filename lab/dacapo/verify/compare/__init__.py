"""Comparisons: runs with their baseline, replays with histories, and what causes a difference."""
