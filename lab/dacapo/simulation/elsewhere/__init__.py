"""Invocations in processes of their own: the service and the world stay where they are."""
