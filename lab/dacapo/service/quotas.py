"""What the service allows: each limit with the place where AWS states it.

*Quotas* is the page "Lambda quotas" of the Lambda developer guide, *model* is botocore's model of
the Lambda API, *testing SDK* is aws-durable-execution-sdk-python-testing 1.4.0, which states the
limit where no page does.
"""

from __future__ import annotations

from datetime import timedelta

OPERATIONS = 3_000
"""Operations charged to one execution, retries and polls included (quotas)."""
BYTES_WRITTEN = 100 * 1024 * 1024
"""Bytes written by one execution (quotas)."""
PAYLOAD_BYTES = 256 * 1024
"""Bytes of one result that is checkpointed (quotas)."""
ERROR_BYTES = 32 * 1024
"""Bytes of one error that is checkpointed, as JSON (testing SDK)."""
INVOKE_BYTES = 1024 * 1024
"""Bytes of a chained invoke's input, and of what it returns (testing SDK)."""
CALLBACK_BYTES = 1024 * 1024
"""Bytes of an answer to a callback (model: BinaryOperationPayload)."""
RESPONSE_BYTES = 6 * 1024 * 1024
"""Bytes of the execution's own result (quotas)."""
LONGEST_WAIT = timedelta(seconds=31_622_400)
"""The longest wait, and the longest execution: 366 days (model: WaitSeconds, ExecutionTimeout)."""
LONGEST_CALLBACK = timedelta(seconds=99_999_999)
"""The longest callback or heartbeat timeout (model: CallbackOptions)."""
NAME_LENGTH = 256
"""Characters of an operation's name, printable ASCII (model: OperationName)."""
PAGE_ITEMS = 1_000
"""Operations on a page of the execution's state (model: ItemCount)."""
HISTORY_PAGE_ITEMS = 100
"""Events on a page of the history unless the caller asks for more (model)."""

SYNCHRONOUS_EXECUTION = timedelta(minutes=15)
"""The longest execution that was invoked synchronously (developer guide)."""
INVOCATION = timedelta(minutes=15)
"""The longest invocation (quotas)."""
INVOCATION_ATTEMPTS = 5
"""Invocations that may fail one after another before the execution does (testing SDK)."""
INVOCATION_BACKOFF = timedelta(seconds=5)
"""The time between two of them (testing SDK)."""
ASYNCHRONOUS_RETRIES = (timedelta(minutes=1), timedelta(minutes=2))
"""When a function that was invoked asynchronously and failed is tried again (developer guide:
asynchronous invocation)."""
