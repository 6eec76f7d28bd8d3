"""Processes forked for one work each: several at once, supervised, in the order of the works."""
