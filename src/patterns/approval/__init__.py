"""Wait for a person: accepted, rejected, or nobody answered."""
