"""Charged operations follow the official table, row by row, and the bill follows the prices."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from dacapo import Recording, Scenario, metering, run, succeed
from tests.lab import handlers


def record(handler: Any, event: Any = None, **scenario: Any) -> Recording:
    return run(Scenario(handler=handler, event=event, **scenario))


@pytest.mark.parametrize(
    ("handler", "event", "operations"),
    [
        (handlers.steps, 0, 0),
        (handlers.steps, 3, 3),  # a step is 1
        (handlers.retried_step, None, 1 + 2),  # and each of its retries 1 more
        (handlers.waits, 3, 3),  # a wait is 1
        (handlers.polled, 3, 1 + 3),  # a poll is 1, and each attempt 1 more
        (handlers.polled, 9, 1 + 5),  # even if it runs out of attempts
        (handlers.child_contexts, None, 4),  # a child context is 1, a virtual one is free
        (handlers.mapped, 5, 1 + 5 + 5),  # a map is 1, and each branch 1
        (handlers.mapped_flat, 5, 1 + 5),
        (handlers.in_parallel, None, 1 + 2 + 2),
    ],
)
def test_operations_are_charged_according_to_the_table(
    handler: Any, event: Any, operations: int
) -> None:
    assert record(handler, event).charged_operations == 1 + operations


def test_a_callback_is_one_operation_and_a_wait_for_a_callback_three() -> None:
    called_back = record(handlers.called_back, answers={"callback": succeed(1)})
    assert called_back.charged_operations == 1 + 1 + 1
    waited = record(handlers.waited_for_callback, answers={"approval": succeed(1)})
    assert waited.charged_operations == 1 + 3


def test_an_invoke_is_one_operation_and_the_invoked_execution_is_billed_separately() -> None:
    recording = record(handlers.invoking, "steps:live", functions={"steps": handlers.failed_step})
    assert recording.charged_operations == 1 + 1
    assert recording.others[0].charged_operations == 1 + 1


def test_payloads_of_input_steps_polls_and_result_count_as_data_written() -> None:
    assert record(handlers.steps, 3).bytes_written == len("3") + len("012") + len("[0, 1, 2]")
    assert record(handlers.polled, 3).bytes_written == len("3") + len("123") + len("3")
    assert record(handlers.waits, 3).bytes_written == len("3") + len("3")


def test_the_payload_of_a_wait_for_a_callback_counts_twice() -> None:
    recording = record(handlers.waited_for_callback, answers={"approval": succeed("yes")})
    callback, context, result = '"yes"', json.dumps('"yes"'), json.dumps('"yes"')
    submitter = "null"
    expected = sum(map(len, ("null", callback, submitter, context, result)))
    assert recording.bytes_written == expected


def test_errors_count_as_json() -> None:
    error = {"ErrorMessage": "the handler fails", "ErrorType": "RuntimeError"}
    expected = len("null") + len("null") + len(json.dumps(error))
    assert record(handlers.failing).bytes_written == expected


def test_data_written_counts_bytes_not_characters() -> None:
    assert metering.bytes_of("é", None) == 2


def test_a_bill_adds_up_line_by_line() -> None:
    bill = metering.bill(operations=34, bytes_written=1024**3, invocations=30)
    dollars = {line.item: line.dollars for line in bill.lines}
    assert dollars["durable operations"] == pytest.approx(34 * 8 / 1e6)
    assert dollars["data written"] == pytest.approx(0.25)
    assert dollars["data retained"] == pytest.approx(0.15 * 14 / 30)
    assert dollars["invocations"] == pytest.approx(30 * 0.20 / 1e6)
    assert dollars["compute (assumed)"] == pytest.approx(30 * 0.1 * 128 / 1024 * 0.0000133334)
    assert bill.dollars == pytest.approx(sum(dollars.values()))
    assert bill.dollars_per_million == pytest.approx(bill.dollars * 1e6)


def test_the_price_list_states_its_source_and_date() -> None:
    prices = metering.price_list()
    assert prices["source"].startswith("AWS Lambda pricing")
    assert set(prices) >= {"region", "currency", "date", "source", "assumptions"}


def test_the_bill_of_a_recording_follows_from_its_counts() -> None:
    recording = record(
        handlers.called_back, answers={"callback": succeed(1, after=timedelta(1) / 2)}
    )
    assert recording.bill == metering.bill(
        operations=recording.charged_operations,
        bytes_written=recording.bytes_written,
        invocations=2,
    )
