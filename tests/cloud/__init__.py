"""The scenarios on a deployed stack, in real time."""
