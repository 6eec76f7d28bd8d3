"""The simulated durable execution service: a pure core that Lambda's API and the SDK call.

The SDK runs unchanged and checkpoints here, as it does to Lambda. Nothing in this package patches
the process; `simulation` wires it to boto3, the clock and the SDK.
"""
