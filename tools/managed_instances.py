"""The figures of docs/managed-instances.md, made from the price file.

`python -m tools.managed_instances` writes them anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dacapo import metering

PAGE = Path(__file__).parents[1] / "docs" / "managed-instances.md"
TABLE = re.compile(
    r"(<!-- made by tools/managed_instances.py -->\n)(.*?)(<!-- end -->\n)", re.DOTALL
)
MEMORIES_MB = (128, 256, 512, 1024, 2048)
MB_PER_VCPU = 1769
"""Memory at which Lambda gives a function one vCPU (AWS Lambda developer guide)."""
SECONDS_PER_INVOCATION = 0.1

_MB_PER_GB = 1024
_SECONDS_PER_HOUR = 3600
_MILLION = 1_000_000


@dataclass(frozen=True)
class Fleet:
    """The instances that are always on, at the least.

    Parameters:
        dollars_per_month: what they cost, with the management fee and without any discount.
        vcpus: what they have for functions, all together.
        processes: how many invocations they can take at a time.
        seconds_per_month: of each of them.
    """

    dollars_per_month: float
    vcpus: int
    processes: int
    seconds_per_month: float


def fleet(prices: dict[str, Any]) -> Fleet:
    """The least fleet, at the prices of a price file."""
    given = prices["managed_instances"]
    hourly = given["dollars_per_hour"] * (1 + given["management_fee"])
    vcpus = given["least_instances"] * (given["vcpus"] - given["vcpus_kept_by_the_system"])
    return Fleet(
        dollars_per_month=given["least_instances"] * hourly * given["hours_per_month"],
        vcpus=vcpus,
        processes=vcpus * given["processes_per_vcpu"],
        seconds_per_month=given["hours_per_month"] * _SECONDS_PER_HOUR,
    )


@dataclass(frozen=True)
class BreakEven:
    """From where on the fleet costs less than Lambda's default, for functions of some memory.

    Requests cost the same on both sides, and so do durable operations.

    Parameters:
        at_a_time: invocations that are under way, on average, day and night.
        vcpus: what Lambda gives to so many, all together.
        invocations: in a month, if each takes a tenth of a second.
    """

    at_a_time: float
    vcpus: float
    invocations: float


def break_even(prices: dict[str, Any], memory_mb: int) -> BreakEven:
    """Where the bills are equal, for functions that have this much memory on Lambda's default."""
    entry = prices["prices"]["gb_second_arm64"]
    least = fleet(prices)
    gb_seconds = least.dollars_per_month / (entry["dollars"] / entry["per"])
    busy_seconds = gb_seconds * _MB_PER_GB / memory_mb
    at_a_time = busy_seconds / least.seconds_per_month
    return BreakEven(
        at_a_time=at_a_time,
        vcpus=at_a_time * memory_mb / MB_PER_VCPU,
        invocations=busy_seconds / SECONDS_PER_INVOCATION,
    )


def table(prices: dict[str, Any]) -> str:
    """The part of the page that is made."""
    least, given = fleet(prices), prices["managed_instances"]
    head = (
        "memory on Lambda's default",
        "at break-even, invocations at a time",
        "vCPUs that Lambda gives them",
        "invocations a month, of 100 ms",
    )
    lines = [head, ("---",) * len(head), *(_line(prices, memory) for memory in MEMORIES_MB)]
    return (
        f"Three `{given['instance']}` cost ${least.dollars_per_month:,.0f} a month, whatever they "
        f"do. They have {least.vcpus} vCPUs for functions\n"
        f"and take {least.processes} invocations at a time.\n\n"
        + "".join(f"| {' | '.join(line)} |\n" for line in lines)
    )


def _line(prices: dict[str, Any], memory_mb: int) -> tuple[str, ...]:
    even = break_even(prices, memory_mb)
    return (
        f"{memory_mb:,} MB",
        f"{even.at_a_time:.1f}",
        f"{even.vcpus:.1f}",
        f"{even.invocations / _MILLION:,.0f} million",
    )


def written() -> str:
    """The part of the page that is made, as it stands there."""
    match = TABLE.search(PAGE.read_text())
    return match[2] if match else ""


def main() -> None:
    """Write it into the page."""
    made = table(metering.price_list())
    PAGE.write_text(TABLE.sub(lambda m: m[1] + made + m[3], PAGE.read_text()))


if __name__ == "__main__":
    main()
