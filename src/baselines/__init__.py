"""The ways in which these jobs were done before durable functions, to compare with."""
