"""Human in the loop: an order is accepted, rejected, or left unanswered."""
