"""The only package that touches private names of the SDK, each for a reason given here.

In a run the SDK is unmodified but for three things, all of them about *when* it acts, none about
what it does:

- It ends an invocation by letting a background thread notice, up to 100 ms later, and waits 1 ms
  for more work at each synchronous checkpoint. In virtual time these two would be almost the whole
  cost of a run, so the thread is woken instead.
- Whether it sends what is still queued when an invocation ends depends on threads. Here it always
  does.
- It runs a handler, its checkpoints and the branches of `map` and `parallel` in thread pools. Here
  they are tasks of the run's scheduler, in an order that the seed determines; with free threads,
  the same handler would write another history in every run.

If the SDK changes one of these names, `installed.check` raises a plain error;
tests/lab/test_sdk.py states for each when it can go.
"""
