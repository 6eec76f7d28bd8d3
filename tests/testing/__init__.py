"""The official runner's interface in virtual time, and what pytest's options make of it."""
