"""Every story of every pattern, by its name."""

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
STORIES = {
    f"{pattern} {name}": story
    for pattern in PATTERNS
    for name, story in vars(import_module(f"scenarios.{pattern}")).items()
    if isinstance(story, Scenario)
}
