"""`make compare`: what each way of waiting for a migration costs and does."""
