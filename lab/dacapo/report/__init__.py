"""Recordings and findings, printed for people: timeline, chart, bill and findings."""
