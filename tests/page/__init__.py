"""Tests of the page that shows an execution: its model, its text, and the page in a browser."""
