"""Wait for an event: `wait_for_callback` on a job that says when it has ended."""
