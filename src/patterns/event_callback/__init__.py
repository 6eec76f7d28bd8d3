"""Wait for an event: `wait_for_callback` on a job that reports when it ends."""
