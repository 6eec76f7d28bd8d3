"""The process around a handler: source lines, randomness, and listeners to its side effects."""
