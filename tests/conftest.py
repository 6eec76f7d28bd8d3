"""Shared by all tests: imports the lab before any client exists, and defines how deep they go."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

import dacapo  # noqa: F401 - installs itself before the patterns create their clients
from tests.depth import share


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough",
        action="store_true",
        help="run the tests marked `prove`, and those that go deeper: every seed, more crashes, "
        "every scenario in a fresh process",
    )
    parser.addoption(
        "--exhaustive",
        action="store_true",
        help="with --thorough: also run every parameter of which a share is enough for each change",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "prove: takes long; `make prove` runs it, `make test` not")
    config.addinivalue_line("markers", "exhaustive: `make prove ALL=yes` runs it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Split the tests: `make test` is short, `make prove` runs what is long or goes deeper."""
    share(items)
    is_thorough, is_exhaustive = config.getoption("--thorough"), config.getoption("--exhaustive")
    wanted: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        is_rest = item.get_closest_marker("exhaustive") is not None
        is_long = is_rest or item.get_closest_marker("prove") is not None
        goes_deeper = "thorough" in getattr(item, "fixturenames", ())
        belongs = is_long or goes_deeper if is_thorough else not is_long
        belongs = belongs and (is_exhaustive or not is_rest)
        (wanted if belongs else others).append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = wanted


@pytest.fixture(autouse=True)
def logging_stays_enabled() -> Iterator[None]:
    """Undo what a command that a test runs does to logging: other tests look at records."""
    before = logging.root.manager.disable
    yield
    logging.disable(before)


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Return whether to test in full, as `make prove` does; `make test` has to be short."""
    return bool(request.config.getoption("--thorough"))
