"""Virtual time, the tasks that run in it one at a time, and the waits that move it."""
