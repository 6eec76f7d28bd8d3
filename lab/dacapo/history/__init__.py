"""The history of an execution in every form: events, operation states, recordings, saved files.

What a run leaves behind, how it is saved and loaded, and how it is prepared for replay.
"""
