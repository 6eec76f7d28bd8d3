"""Test support: the `Durable` class behind pytest's `durable` fixture."""
