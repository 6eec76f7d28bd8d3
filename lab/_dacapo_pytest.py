"""The pytest plugin: the `durable` fixture, the runner in virtual time, and nothing unasked for.

pytest loads this module in every test run of an environment in which dacapo is installed, also in
runs that have nothing to do with durable functions. So loading it imports nothing of dacapo, and
replaces nothing: `import dacapo` is the act that takes the process offline. The plugin performs it
before a test module that asks for the fixture is imported (its clients are then made offline, and
can reach a run), when a `--dacapo-…` option is given, and at the latest when the fixture is used.

`--dacapo-runner` replaces the classes of the official testing package before a conftest imports
them, so that a suite runs in virtual time without a change to its files.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dacapo import Durable

ENGINES = ("sim", "sdk")
FINDINGS = ("fail", "report")
_TEST = pytest.StashKey[Any]()
_PROPERTY = "dacapo"
_TESTING_SDK = "aws_durable_execution_sdk_python_testing"
_ASKS = re.compile(r"\bdef\s+\w+\s*\([^)]*\bdurable\b" + r"|usefixtures\([^)]*[\"']durable[\"']")
"""A function that takes the fixture, or a marker that names it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("dacapo")
    group.addoption(
        "--dacapo-runner",
        action="store_true",
        help="run tests for DurableFunctionTestRunner, of AWS's testing package, in virtual time",
    )
    group.addoption(
        "--dacapo-verify",
        action="store_true",
        help="as --dacapo-runner, and verify that the handler of each test survives replay",
    )
    group.addoption(
        "--dacapo-start",
        type=_time,
        metavar="TIME",
        help="with --dacapo-runner: begin each test at this time, in ISO 8601, and seed what it "
        "draws, so that its histories are the same each time",
    )
    group.addoption(
        "--dacapo-findings",
        choices=FINDINGS,
        default=FINDINGS[0],
        help="what a finding of --dacapo-verify does: fail its test (the default), or only report",
    )
    group.addoption(
        "--dacapo-html",
        type=Path,
        metavar="DIR",
        default=None,
        help="write a page of each execution that a failed test ran into this directory",
    )
    group.addoption(
        "--dacapo-engine",
        choices=ENGINES,
        default=None,
        help="what runs the scenarios: the simulated service (sim, the default) or AWS's local "
        "runner (sdk)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Replace the official runner before the first conftest imports it."""
    options = early_config.known_args_namespace
    if not (options.dacapo_runner or options.dacapo_verify):
        return
    _check_testing_sdk("--dacapo-runner")
    if options.dacapo_engine == "sdk":
        raise pytest.UsageError(
            "--dacapo-engine sdk needs the runner that --dacapo-runner replaces"
        )
    ours, official = import_module("dacapo.testing"), import_module(_TESTING_SDK)
    for module in (official, import_module(f"{_TESTING_SDK}.runner")):
        for name in ours.RUNNERS:
            setattr(module, name, getattr(ours, name))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Begin a test at a time of its own, and follow what it does, if that is asked for."""
    start = item.config.getoption("--dacapo-start")
    with ExitStack() as stack:
        if start is not None:
            session = import_module("dacapo.testing.session")
            stack.enter_context(session.repeatable(item.nodeid, start))
        if item.config.getoption("--dacapo-verify"):
            proofs = import_module("dacapo.testing.proofs")
            item.stash[_TEST] = stack.enter_context(proofs.following(str(item.path)))
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Verify the handlers of a test that has passed, while its fixtures are still there."""
    yield
    test = item.stash.get(_TEST, None)
    outcomes = test.proofs() if test is not None else []
    for proof in outcomes:
        item.user_properties.append((_PROPERTY, proof.verdict))
        item.add_report_section("call", "dacapo", str(proof))
    findings = dict.fromkeys(finding for proof in outcomes for finding in proof.findings)
    if findings and item.config.getoption("--dacapo-findings") == "fail":
        pytest.fail("\n".join(findings), pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many executions survive, and for each other one why it does not."""
    reports = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
    ]
    lines = [
        f"{report.nodeid}: {text}"
        for report in reports
        for title, text in report.sections
        if title == "Captured dacapo call" and not text.startswith("survives")
    ]
    verdicts = [v for report in reports for key, v in report.user_properties if key == _PROPERTY]
    if not verdicts:
        return
    terminalreporter.section("dacapo verify")
    for line in lines:
        terminalreporter.line(line)
    counts = (f"{count} {verdict}" for verdict, count in sorted(Counter(verdicts).items()))
    terminalreporter.line(f"executions: {', '.join(counts)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Give the process back its own clock, if a test left an execution running."""
    yield
    session = sys.modules.get("dacapo.testing.session")
    if session is not None:
        session.leave_current()


def pytest_configure(config: pytest.Config) -> None:
    """Import dacapo if an option asks for it, and refuse an engine that is not installed."""
    engine = config.getoption("--dacapo-engine")
    if engine is None:
        return
    if engine == "sdk":
        _check_testing_sdk("--dacapo-engine sdk")
    import_module("dacapo")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r} is not a time in ISO 8601, as in 2026-01-31 or 2026-01-31T08:00:00Z"
        raise argparse.ArgumentTypeError(message) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _check_testing_sdk(option: str) -> None:
    if find_spec(_TESTING_SDK) is None:
        package = _TESTING_SDK.replace("_", "-")
        raise pytest.UsageError(f"{option} needs AWS's testing package: pip install {package}")


def pytest_pycollect_makemodule(module_path: Path) -> None:
    """Import dacapo before a test module that asks for the fixture makes its clients."""
    if _ASKS.search(module_path.read_text(encoding="utf-8", errors="replace")):
        import_module("dacapo")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the timelines of what a failed test ran to its report, and write their pages."""
    report = yield
    durable = getattr(item, "funcargs", {}).get("durable")
    if report.when == "call" and report.failed and getattr(durable, "ran", None):
        from dacapo.report.page import failed  # noqa: PLC0415 - as for the fixture

        if shown := failed.timelines(durable.ran):
            report.sections.append(("dacapo: what ran", shown))
        folder = item.config.getoption("--dacapo-html")
        if folder is not None:
            pages = failed.write_pages(folder, item.nodeid, durable.ran)
            report.sections.append(("dacapo: pages", "\n".join(map(str, pages))))
    return report


@pytest.fixture
def durable(request: pytest.FixtureRequest) -> Durable:
    """Run scenarios: `durable.run(scenario)` returns a `Recording`."""
    from dacapo import Durable  # noqa: PLC0415 - importing it takes the process offline

    return Durable(request.config.getoption("--dacapo-engine") or "sim")
