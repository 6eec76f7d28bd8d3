"""Write AGENTS.md, the rules for coding assistants: `python -m tools.agents`.

The rules are those of `dacapo explain`. So a rule is written once, in
`lab/dacapo/verify/rules.toml`, where its examples are as well.
"""

from __future__ import annotations

from pathlib import Path

from dacapo.verify.rules import rules

PAGE = Path(__file__).parents[1] / "AGENTS.md"
_INTRODUCTION = """\
# Durable functions: rules for coding assistants

You write, change, or review an AWS Lambda durable function in Python. It is replayed: after each
wait, the handler runs again from the top. Completed operations return their recorded results, and
their bodies don't run. So the handler's body must do the same on every replay, and everything else
belongs in a step:

```python
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig

TWO_DAYS = WaitForCallbackConfig(timeout=Duration.from_days(2))


@durable_execution
def handler(event, context):
    context.wait_for_callback(lambda callback_id, _: None, name="approval", config=TWO_DAYS)
    parcel = context.step(lambda _: f"parcel of order {event['order']}", name="ship")
    context.wait(Duration.from_days(30), name="let it arrive")
    return context.step(lambda _: f"how was the {parcel}?", name="ask for a review")
```

## Three commands

They need no AWS account, and time is virtual. If this is `orders.py`:

```sh
dacapo run orders.py:handler --event '{"order": 17}' --answer 'approval="yes"@1d' --save 17.json
dacapo verify orders.py:handler --event '{"order": 17}' --answer 'approval="yes"@1d'
dacapo check 17.json orders.py:handler
```

1. **Run** it once, and look at the timeline: are the operations, their order, and the ending what
   you want?
2. **Verify** it after each change. This suspends, crashes, and replays the handler everywhere, and
   compares. You are done at exit status 0. 1: something is proved. 2: the call is wrong. 3: the
   handler could not be verified.
3. **Check** it before you deploy: do executions in flight, recorded in such files, survive the new
   code? Don't rename, reorder, insert, or remove operations that they have recorded.

Each finding names a line and a code. `dacapo explain CODE` shows a broken and a fixed example, and
`dacapo explain --all` all of them. Correct the handler: don't suppress the finding, and don't catch
the error. In tests, the pytest fixture `durable` does the same: `durable.run(scenario)` and
`durable.verify(scenario)`.

To begin, copy one of [the patterns](src/patterns) rather than write from scratch. To change a
handler while executions are in flight, do as [versioned](src/patterns/versioned) does.

## Rules

| finding | rule | what to do |
| --- | --- | --- |
"""


def page() -> str:
    """Return the page: how to work, and a line for each rule."""
    lines = (f"| {code} | {rule.rule} | {rule.fix} |\n" for code, rule in rules().items())
    return _INTRODUCTION + "".join(lines)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
