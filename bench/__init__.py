"""Benchmarks of the lab against AWS's own local runner and the bare SDK.

Never part of the tests, so that a busy machine cannot make a test fail.
"""
