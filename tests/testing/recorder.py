"""A pytest plugin that writes what each test's executions came to: `-p tests.testing.recorder`.

It follows the runner of the official package's name, so it works with either one. The environment
variable RESULTS has the path of the file to write.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from aws_durable_execution_sdk_python_testing import runner as official

_RESULTS: dict[str, list[Any]] = defaultdict(list)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note the result of each execution for which a test waits."""
    kind = official.DurableFunctionTestRunner
    wait_for_result = kind.wait_for_result

    def noting(self: Any, execution_arn: str, *arguments: Any, **named: Any) -> Any:
        result = wait_for_result(self, execution_arn, *arguments, **named)
        history = self.get_execution_history(execution_arn, True)
        _RESULTS[item.nodeid].append(
            {"result": _result(result), "history": _relative(history.to_dict()["Events"])}
        )
        return result

    with patch.object(kind, "wait_for_result", noting):
        return (yield)


def pytest_sessionfinish() -> None:
    """Write everything."""
    Path(os.environ["RESULTS"]).write_text(json.dumps(_RESULTS, indent=1, default=str))


def _result(result: Any) -> Any:
    error = result.error
    return {
        "status": str(result.status),
        "execution status": str(result.execution_status),
        "result": result.result,
        "error": error and [error.type, error.message],
        "operations": [_operation(operation) for operation in result.operations],
    }


def _operation(operation: Any) -> Any:
    children = [_operation(child) for child in getattr(operation, "child_operations", [])]
    return [operation.name, str(operation.operation_type), str(operation.status), children]


def _relative(events: list[Any]) -> Any:
    """Return a history in which times count from its beginning."""
    began = events[0]["EventTimestamp"]

    def relative(value: Any) -> Any:
        match value:
            case datetime():
                return (value - began).total_seconds()
            case dict():
                return {key: relative(one) for key, one in value.items()}
            case list():
                return [relative(one) for one in value]
        return value

    return relative(events)
