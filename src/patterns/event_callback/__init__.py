"""Wait for an event: a callback for a job that reports when it ends."""
