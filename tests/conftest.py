"""What every test needs: the lab first, so that clients can reach a run; and how deep to look."""

from __future__ import annotations

import pytest

import dacapo  # noqa: F401 - installs itself before the patterns make their clients


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough",
        action="store_true",
        help="verify with every seed, more crashes, and each story in another process",
    )


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether `make prove` asks; `make test` has to be short."""
    return bool(request.config.getoption("--thorough"))
