"""`make compare`: the cost and delay of each approach to waiting for a migration."""
