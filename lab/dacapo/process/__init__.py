"""The process around a handler: source lines, randomness, listeners, memory, files, and threads."""
