"""The Lambda API in front of the simulated service: Invoke, and every durable operation."""
