"""Write what every scenario of a checkout does, under two seeds: run inside that checkout.

It uses nothing but names that both checkouts have, so the same file runs in the older one.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any

import dacapo
from dacapo import Scenario

verify: Any = import_module("dacapo.verify.verifier").verify
SEEDS = (0, 7)
PATTERNS = (
    *("approval", "batch_import", "event_callback", "fan_out"),
    *("polling", "schedule", "webhook_callback", "workflow"),
)
TESTS = (
    *("tests.lab.test_determinism", "tests.lab.test_differential", "tests.lab.test_recording"),
    *("tests.verify.suspicious", "tests.verify.suspicious_contexts"),
    "tests.verify.suspicious_effects",
)


def scenarios_in(module: Any) -> Iterator[Scenario]:
    """Yield the scenarios of a module, in the order in which they are written."""
    for value in list(vars(module).values()):
        if isinstance(value, Scenario):
            yield value
        elif isinstance(value, Mapping | tuple | list):
            items = value.values() if isinstance(value, Mapping) else value
            yield from (item for item in items if isinstance(item, Scenario))


def recorded(scenario: Scenario, seed: int) -> Any:
    """Run a scenario; a run that cannot end is known by the class of its error."""
    try:
        with redirect_stdout(sys.stderr):
            return dacapo.run(scenario, seed=seed).to_json()
    except Exception as error:  # noqa: BLE001 - any end is a result
        return {"raised": type(error).__name__}


def verdict(scenario: Scenario) -> list[list[str]]:
    """Verify a scenario: code and certainty of each finding, and of what it explains."""
    with redirect_stdout(sys.stderr):
        findings = verify(scenario, processes=2).findings
    return [[f.code, f.certainty, *sorted(str(also.code) for also in f.also)] for f in findings]


def main() -> None:
    """Print one JSON line for each scenario and seed."""
    logging.disable(logging.CRITICAL)
    gotchas = tuple(f"gotchas.{name}" for name in import_module("gotchas").GOTCHAS)
    modules = (*(f"scenarios.{name}" for name in PATTERNS), *gotchas, *TESTS)
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    for name in (name for name in modules if name.startswith(only)):
        for number, scenario in enumerate(scenarios_in(import_module(name))):
            where = {"module": name, "number": number}
            for seed in SEEDS:
                line = where | {"seed": seed, "recording": recorded(scenario, seed)}
                print(json.dumps(line), flush=True)
            if name in gotchas:
                print(json.dumps(where | {"findings": verdict(scenario)}), flush=True)


if __name__ == "__main__":
    main()
