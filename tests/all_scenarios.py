"""Every scenario of every pattern, by name, and the main one of each."""

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
    "webhook_callback",
    "workflow",
)
SCENARIOS = {
    f"{pattern} {name}": scenario
    for pattern in PATTERNS
    for name, scenario in vars(import_module(f"scenarios.{pattern}")).items()
    if isinstance(scenario, Scenario)
}
MAIN = {
    "approval": "in_production",
    "batch_import": "finishes",
    "event_callback": "in_production",
    "fan_out": "all_are_notified",
    "polling": "finishes",
    "schedule": "hands_over",
    "webhook_callback": "in_production",
    "workflow": "shipped",
}
"""The scenario of each pattern in which it does what it is for."""
