"""Runs of scenarios in virtual time: clock, service, seeds, boto3 and network guard, assembled."""
