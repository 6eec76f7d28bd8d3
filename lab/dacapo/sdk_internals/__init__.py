"""The only package that touches private names of the SDK: each with its reason.

The SDK runs unchanged in a run but for three things, all of them about *when* it does something,
none about what:

- It ends an invocation by letting a background thread notice, up to 100 ms later, and waits 1 ms
  for more work at each synchronous checkpoint. Virtual time makes both of them the whole cost of
  a run, so the thread is woken instead.
- What is still queued when an invocation ends is sent or not sent as threads have it. Here it is
  always sent.
- Branches of `map` and `parallel` run in threads. Here they run one at a time, in an order that
  the run's seed chooses; with threads, the same handler gives another history in every run.

`installed.check` turns a change of these names in the SDK into a plain error;
tests/lab/test_sdk_internals.py says of each when it can go.
"""
