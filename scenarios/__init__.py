"""Scenarios of every pattern: one file per pattern, each with the world that its handler runs in.

This is the only place that knows both the patterns and the lab.
"""
