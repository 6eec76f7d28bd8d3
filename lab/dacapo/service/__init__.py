"""The simulated durable service: the SDK runs unchanged and talks to it, as it does to Lambda."""
