"""Answer at once, and keep the books afterwards: parallel, map, chained invoke."""
