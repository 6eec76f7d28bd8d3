"""Run an order as a saga: reserve, pay, and ship, or compensate everything if that fails."""
