"""How fast the lab is, against AWS's own local runner and against the bare SDK.

Never part of the tests: a machine that is busy makes no test fail.
"""
