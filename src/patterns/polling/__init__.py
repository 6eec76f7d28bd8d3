"""Wait by asking: `wait_for_condition` on a job that reports its state but sends no event."""
