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
SENT_ERROR_BYTES = 1024 * 1024
"""Bytes of all members of an error that fails a callback or stops an execution (model)."""
RESPONSE_BYTES = 6 * 1024 * 1024
"""Bytes of a synchronous invoke's payload, and of its result (quotas)."""
ASYNCHRONOUS_BYTES = 1024 * 1024
"""Bytes of an asynchronous invoke's payload, and of the result of its execution (model: Invoke,
GetDurableExecution)."""
LONGEST_WAIT = timedelta(seconds=31_622_400)
"""Longest wait and longest execution: 366 days (model: WaitSeconds, ExecutionTimeout)."""
LONGEST_CALLBACK = timedelta(seconds=99_999_999)
"""Longest callback timeout and heartbeat timeout (model: CallbackOptions)."""
NAME_LENGTH = 256
"""Characters of an operation's name, printable ASCII (model: OperationName)."""
ID_LENGTH = 64
"""Characters of an operation's ID (model: OperationId)."""
EXECUTION_NAME_LENGTH = 64
"""Characters of an execution's name (model: DurableExecutionName)."""
FUNCTION_NAME_LENGTH = 256
"""Characters of a function's name or ARN (model: NamespacedFunctionName)."""
QUALIFIER_LENGTH = 128
"""Characters of a version or an alias (model: NumericLatestPublishedOrAliasQualifier)."""
TENANT_ID_LENGTH = 256
"""Characters of a tenant's ID (model: TenantId)."""
CLIENT_TOKEN_LENGTH = 64
"""Characters of a client token (model: ClientToken)."""
REASON_LENGTH = 1024
"""Characters of the reason for a pause or a resume (model: PauseReason, ResumeReason)."""
CALLBACK_ID_LENGTH = 1024
"""Characters of a callback's ID (model: CallbackId)."""
STATUSES = 10
"""Statuses by which a list of executions can be filtered (model: ExecutionStatusList)."""
PAGE_ITEMS = 1_000
"""Operations, events or executions on a page (model: ItemCount)."""
DEFAULT_PAGE_ITEMS = 100
"""The same, unless the caller requests another number (model)."""
RETENTION_DAYS = 14
"""Days for which an ended execution is kept unless its function sets another number
(CloudFormation: DurableConfig)."""
CLIENT_TOKEN_WINDOW = timedelta(minutes=15)
"""For how long a repeated client token makes a request have no further effect (model)."""

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
