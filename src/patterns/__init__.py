"""Durable functions that wait well: one folder per way of waiting, to be copied and kept."""
