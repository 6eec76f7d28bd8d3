"""Da capo: run Lambda durable functions locally, in virtual time, and see them replay.

Import it before the modules that make boto3 clients: importing it takes the process offline and
lets clients that are made afterwards talk to a run (see `dacapo.safety` and `dacapo.boto`).
"""

from dacapo import boto, safety

safety.take_offline()
boto.install()

from dacapo.answering import ScenarioError  # noqa: E402
from dacapo.answers import Answer, fail, heartbeats, never, succeed  # noqa: E402
from dacapo.observing import effect  # noqa: E402
from dacapo.recording import Recording  # noqa: E402
from dacapo.runner import run  # noqa: E402
from dacapo.safety import NetworkRefused  # noqa: E402
from dacapo.scenario import Happening, Scenario  # noqa: E402
from dacapo.simulation import fail_next_calls  # noqa: E402

__all__ = [
    "Answer",
    "Happening",
    "NetworkRefused",
    "Recording",
    "Scenario",
    "ScenarioError",
    "effect",
    "fail",
    "fail_next_calls",
    "heartbeats",
    "never",
    "run",
    "succeed",
]
