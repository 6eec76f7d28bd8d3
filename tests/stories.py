"""Every story of every pattern, by its name."""

from __future__ import annotations

from dacapo import Scenario
from scenarios import approval, event_callback, polling, webhook_callback

STORIES = {
    f"{module.__name__.rpartition('.')[2]} {name}": story
    for module in (approval, event_callback, polling, webhook_callback)
    for name, story in vars(module).items()
    if isinstance(story, Scenario)
}
