"""The pytest plugin: a `durable` fixture that runs scenarios, on the engine that is chosen."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

import dacapo
from dacapo.recording import Recording
from dacapo.runner import DEFAULT_SEED
from dacapo.scenario import Scenario

if TYPE_CHECKING:
    from dacapo.verify.report import Report

ENGINES = ("sim", "sdk")
_TESTING_SDK = "aws_durable_execution_sdk_python_testing"


class Durable:
    """Runs scenarios in a test.

    Parameters:
        engine: `sim`, the simulated service in virtual time, or `sdk`, AWS's own local runner.
    """

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def run(self, scenario: Scenario, *, seed: int = DEFAULT_SEED) -> Recording:
        """Run a scenario; the test is skipped if the engine can't do what it needs.

        Parameters:
            seed: on `sim`, one seed gives one history; `sdk` has no seed.
        """
        if self.engine == "sim":
            return dacapo.run(scenario, seed=seed)
        from dacapo import official, official_api  # noqa: PLC0415 - the testing SDK is needed for this only

        try:
            return official.run(scenario)
        except official_api.CannotRun as error:
            pytest.skip(f"the official runner can't run this scenario: {error}")

    def verify(self, scenario: Scenario, *, seed: int = DEFAULT_SEED, **options: Any) -> Report:
        """See whether a scenario's handler survives replay; the test fails if it does not.

        It is always the simulated service that is used: no other can interrupt at will.

        Parameters:
            options: further ones of `dacapo.verify.verifier.verify`.
        """
        from dacapo.verify.verifier import verify  # noqa: PLC0415 - not every test needs it

        report = verify(scenario, seed=seed, **options)
        if report.proved:
            pytest.fail(
                "\n".join(f"{f.code} at {f.place}: {f.message}" for f in report.proved),
                pytrace=False,
            )
        return report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--engine`."""
    parser.getgroup("dacapo").addoption(
        "--engine",
        choices=ENGINES,
        default="sim",
        help="what runs the scenarios: the simulated service (sim) or AWS's local runner (sdk)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse an engine that is not installed before any test runs."""
    if config.getoption("--engine") == "sdk" and find_spec(_TESTING_SDK) is None:
        package = _TESTING_SDK.replace("_", "-")
        raise pytest.UsageError(f"--engine sdk is AWS's own runner: pip install {package}")


@pytest.fixture
def durable(request: pytest.FixtureRequest) -> Durable:
    """Runs scenarios: `durable.run(scenario)` gives a `Recording`."""
    return Durable(request.config.getoption("--engine"))
