"""Compare what every scenario does in two checkouts, after mapping renamed words."""
