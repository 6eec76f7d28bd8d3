"""Production-ready durable functions: one folder per pattern, to copy and keep."""
