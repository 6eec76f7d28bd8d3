"""Quotas of the service: each limit with the place where AWS documents it.

*Quotas* is the page "Lambda quotas" of the Lambda developer guide, *model* is botocore's model of
the Lambda API, *testing SDK* is aws-durable-execution-sdk-python-testing 1.4.0, the source where no
page documents the limit.
"""

from __future__ import annotations

from datetime import timedelta

OPERATIONS = 3_000
"""Operations charged to one execution, including retries and polls (quotas)."""
BYTES_WRITTEN = 100 * 1024 * 1024
"""Bytes written by one execution (quotas)."""
PAYLOAD_BYTES = 256 * 1024
"""Bytes of one checkpointed result (quotas)."""
ERROR_BYTES = 32 * 1024
"""Bytes of one checkpointed error, as JSON (testing SDK)."""
INVOKE_BYTES = 1024 * 1024
"""Bytes of a chained invoke's input, and of its result (testing SDK)."""
CALLBACK_BYTES = 1024 * 1024
"""Bytes of a callback result (model: BinaryOperationPayload)."""
RESPONSE_BYTES = 6 * 1024 * 1024
"""Bytes of the execution's own result (quotas)."""
LONGEST_WAIT = timedelta(seconds=31_622_400)
"""Longest wait and longest execution: 366 days (model: WaitSeconds, ExecutionTimeout)."""
LONGEST_CALLBACK = timedelta(seconds=99_999_999)
"""Longest callback timeout and heartbeat timeout (model: CallbackOptions)."""
NAME_LENGTH = 256
"""Characters of an operation's name, printable ASCII (model: OperationName)."""
PAGE_ITEMS = 1_000
"""Operations on a page of the execution's state (model: ItemCount)."""
HISTORY_PAGE_ITEMS = 100
"""Events on a page of the history unless the caller requests more (model)."""

SYNCHRONOUS_EXECUTION = timedelta(minutes=15)
"""Longest execution that was invoked synchronously (developer guide)."""
INVOCATION = timedelta(minutes=15)
"""Longest invocation (quotas)."""
INVOCATION_ATTEMPTS = 5
"""Invocations that may fail in a row before the execution fails (testing SDK)."""
INVOCATION_BACKOFF = timedelta(seconds=5)
"""Delay between two of them (testing SDK)."""
ASYNCHRONOUS_RETRIES = (timedelta(minutes=1), timedelta(minutes=2))
"""Delays before Lambda retries a failed asynchronous invocation (developer guide: asynchronous
invocation)."""
