"""The experiments: each plans runs of a handler, and judges what their outcomes show."""
