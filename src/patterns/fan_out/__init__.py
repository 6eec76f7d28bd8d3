"""Respond at once and finish the work in the background: parallel, map, and chained invoke."""
