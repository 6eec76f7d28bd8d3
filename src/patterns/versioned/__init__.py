"""Change a handler while executions are in flight: each ends by the path that it began."""
