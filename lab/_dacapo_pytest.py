"""The pytest plugin: the `durable` fixture, and nothing until something asks for it.

pytest loads this module in every test run of an environment in which dacapo is installed, also in
runs that have nothing to do with durable functions. So loading it imports nothing of dacapo, and
replaces nothing: `import dacapo` is the act that takes the process offline. The plugin performs it
before a test module that asks for the fixture is imported (its clients are then made offline, and
can reach a run), when a `--dacapo-…` option is given, and at the latest when the fixture is used.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dacapo import Durable

ENGINES = ("sim", "sdk")
_TESTING_SDK = "aws_durable_execution_sdk_python_testing"
_ASKS = re.compile(r"\bdef\s+\w+\s*\([^)]*\bdurable\b" + r"|usefixtures\([^)]*[\"']durable[\"']")
"""A function that takes the fixture, or a marker that names it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--dacapo-engine` and `--dacapo-html`."""
    group = parser.getgroup("dacapo")
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


def pytest_configure(config: pytest.Config) -> None:
    """Import dacapo if an option asks for it, and refuse an engine that is not installed."""
    engine = config.getoption("--dacapo-engine")
    if engine is None:
        return
    if engine == "sdk" and find_spec(_TESTING_SDK) is None:
        package = _TESTING_SDK.replace("_", "-")
        raise pytest.UsageError(f"--dacapo-engine sdk is AWS's own runner: pip install {package}")
    import_module("dacapo")


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
