"""Handlers in the style of production code: bad ones, corrected ones, and ones that prove nothing.

Each is written without regard to how the verifier works. `registry.CASES` lists all of them.
"""
