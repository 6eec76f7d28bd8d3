"""Run AWS Lambda durable functions in virtual time, and prove that they survive replay.

Importing this package takes the process offline: it replaces AWS credentials and region by dummies,
and lets the boto3 clients that are made from now on talk to a run. So import it before the modules
that make clients. Everything that a user needs is exported here; the rest is private.
"""

from dacapo.process import exits
from dacapo.scheduling import waits
from dacapo.simulation import boto, network_guard

network_guard.take_offline()
waits.install()
exits.install()
boto.install()

# ruff: noqa: E402 - what follows makes clients
from dacapo.errors import (
    ConfigurationError,
    DacapoError,
    HandlerStuck,
    HistoryError,
    NetworkRefused,
    OperationNotFound,
    ScenarioError,
    SdkChangedError,
    TargetError,
    UnsupportedByEngine,
)
from dacapo.history.operations import RecordedOperation
from dacapo.history.recording import Recording
from dacapo.process.effect_listeners import effect
from dacapo.report.durations import spell
from dacapo.report.terminal import show
from dacapo.scenario import START, Scenario
from dacapo.scenario.answers import Answer, Answers, fail, heartbeats, never, succeed
from dacapo.scenario.external_events import ExternalEvent, OutageKind, outage, pause, resume
from dacapo.service import quotas
from dacapo.service.functions import Handler, LambdaContext
from dacapo.simulation.runner import run
from dacapo.simulation.simulation import Simulation, fail_next_calls
from dacapo.testing.fixture import Durable
from dacapo.verify.deploy_check.checker import check
from dacapo.verify.findings import (
    Certainty,
    Code,
    ExperimentName,
    Finding,
    OutageOutcome,
    OutageResult,
    Report,
    Verdict,
)
from dacapo.verify.verifier import verify

__all__ = [
    "START",
    "Answer",
    "Answers",
    "Certainty",
    "Code",
    "ConfigurationError",
    "DacapoError",
    "Durable",
    "ExperimentName",
    "ExternalEvent",
    "Finding",
    "Handler",
    "HandlerStuck",
    "HistoryError",
    "LambdaContext",
    "NetworkRefused",
    "OperationNotFound",
    "OutageKind",
    "OutageOutcome",
    "OutageResult",
    "RecordedOperation",
    "Recording",
    "Report",
    "Scenario",
    "ScenarioError",
    "SdkChangedError",
    "Simulation",
    "TargetError",
    "UnsupportedByEngine",
    "Verdict",
    "check",
    "effect",
    "fail",
    "fail_next_calls",
    "heartbeats",
    "never",
    "outage",
    "pause",
    "quotas",
    "resume",
    "run",
    "show",
    "spell",
    "succeed",
    "verify",
]
