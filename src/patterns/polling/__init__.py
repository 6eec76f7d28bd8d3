"""Wait by polling: `wait_for_condition` on a job that reports its status but sends no event."""
