"""Every scenario of every pattern, by name."""

from __future__ import annotations

from importlib import import_module

from dacapo import Scenario

PATTERNS = (
    "approval",
    "batch_import",
    "event_callback",
    "fan_out",
    "polling",
    "schedule",
    "versioned",
    "webhook_callback",
    "workflow",
)
SCENARIOS = {
    f"{pattern} {name}": scenario
    for pattern in PATTERNS
    for name, scenario in vars(import_module(f"scenarios.{pattern}")).items()
    if isinstance(scenario, Scenario)
}
