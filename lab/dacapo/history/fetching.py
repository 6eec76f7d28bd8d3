"""Reads histories from AWS with stock boto3: lists executions, and fetches those that are missing.

Every attempt of a call counts against the quota of reads, so the pace is kept where botocore sends.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
)

from dacapo.errors import HistoryError
from dacapo.history.exports import Data, Folder, Identity

READS_PER_SECOND = 15
"""Quota of reads of durable executions in a region (Lambda quotas); it is shared with everybody."""
ATTEMPTS = 10
"""Attempts of one call, in boto3's standard mode: others use the quota, too."""
PAGE_ITEMS = 1000
"""Items of a page: the most that the API gives (model: ItemCount)."""
CALLS = (
    "ListDurableExecutionsByFunction",
    "GetDurableExecution",
    "GetDurableExecutionHistory",
)
"""Every operation that this module calls."""
_NOT_ALLOWED = ("AccessDeniedException", "AccessDenied")
_NOT_ACCEPTED = (
    *("ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException"),
    *("InvalidSignatureException", "InvalidClientTokenId", "MissingAuthenticationTokenException"),
)
_NOT_FOUND = "ResourceNotFoundException"
_THROTTLED = "TooManyRequestsException"


@dataclass(frozen=True)
class Selection:
    """The executions that are asked for.

    Parameters:
        function: name or ARN of the function, without a version or alias.
        qualifier: a version or an alias; None for every version.
        statuses: the statuses that they may have.
        since: when they started at the earliest; None for any time.
        sample: how many of each version; None for all.
    """

    function: str
    qualifier: str | None = None
    statuses: Sequence[str] = ("RUNNING",)
    since: datetime | None = None
    sample: int | None = None


@dataclass
class Fetched:
    """The result of fetching.

    Parameters:
        listed: how many executions there are, by version.
        chosen: how many of them were asked for.
        saved: how many were written now.
        present: how many were there already.
        gone: how many were deleted before they were read.
    """

    listed: Counter[str] = field(default_factory=Counter)
    chosen: int = 0
    saved: int = 0
    present: int = 0
    gone: int = 0


class Pace:
    """Spaces calls evenly; a handler of botocore's `before-send`.

    Parameters:
        per_second: how many calls there are in any second, at most.
    """

    def __init__(self, per_second: int = READS_PER_SECOND) -> None:
        self._gap = 1 / per_second
        self._next = float("-inf")

    def __call__(self, **_: Any) -> None:
        """Wait until the next call may be sent."""
        now = time.monotonic()
        if self._next > now:
            time.sleep(self._next - now)  # real time: AWS counts the calls of a second
        self._next = max(now, self._next) + self._gap


def connect(region: str | None = None) -> Any:
    """Return a client for the Lambda API with the credentials of the environment.

    Parameters:
        region: the region; None for that of the environment or profile.

    Raises:
        HistoryError: no region is set, or the profile is wrong.
    """
    retries: Any = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    try:
        session = boto3.Session(region_name=region)
        client = session.client("lambda", config=Config(retries=retries))
    except NoRegionError as error:
        raise HistoryError("no AWS region: set AWS_DEFAULT_REGION or AWS_PROFILE") from error
    except BotoCoreError as error:
        raise HistoryError(f"no connection to AWS: {_line(error)}") from error
    client.meta.events.register("before-send.lambda", Pace())
    return client


def fetch(
    client: Any,
    selection: Selection,
    folder: Folder,
    on_chosen: Callable[[int], None] = lambda _: None,
    on_done: Callable[[str], None] = lambda _: None,
    page_items: int = PAGE_ITEMS,
) -> Fetched:
    """Fetch the histories that a folder lacks.

    Parameters:
        client: as `connect` returns it.
        folder: where to; what it holds is not fetched again.
        on_chosen: receives how many executions are asked for.
        on_done: receives the name of each, when it is there.
        page_items: how many items a page has, at most 1,000.

    Raises:
        HistoryError: AWS refuses a call, or a file can't be written. What was saved before stays.
    """
    fetched, reader = Fetched(), _Reader(client, page_items)
    try:
        listed = reader.listed(selection)
        present = {one for one in listed if folder.holds(one)}
        chosen = choose(listed, present, selection.sample)
        fetched.listed, fetched.chosen = Counter(one.version for one in listed), len(chosen)
        on_chosen(len(chosen))
        for one in chosen:
            _fetch_one(reader, one, folder, fetched, is_present=one in present)
            on_done(one.name)
    except (BotoCoreError, ClientError) as error:
        raise HistoryError(_explain(error, client, selection) + _rest(fetched)) from error
    return fetched


def choose(
    listed: Sequence[Identity], present: Set[Identity], sample: int | None
) -> list[Identity]:
    """Choose so many executions of each version, spread evenly from the newest to the oldest.

    Parameters:
        listed: all of them, newest first.
        present: those that are there: they are chosen first, so that a repeated sample is the same.
        sample: how many of each version; None for all.
    """
    if sample is None:
        return list(listed)
    chosen = set[str]()
    for version in dict.fromkeys(one.version for one in listed):
        of_version = [one for one in listed if one.version == version]
        there = [one.arn for one in of_version if one in present][:sample]
        missing = [one.arn for one in of_version if one not in present]
        chosen.update(there, _spread(missing, sample - len(there)))
    return [one for one in listed if one.arn in chosen]


def _spread(values: Sequence[str], most: int) -> Iterable[str]:
    if len(values) <= most:
        return values
    steps = max(1, most - 1)
    return [values[n * (len(values) - 1) // steps] for n in range(most)]


def _fetch_one(
    reader: _Reader, one: Identity, folder: Folder, fetched: Fetched, *, is_present: bool
) -> None:
    if is_present:
        fetched.present += 1
        return
    try:
        execution = reader.execution(one.arn)
        events = reader.events(one.arn, with_data=folder.data is not Data.NONE)
    except ClientError as error:
        if _code(error) != _NOT_FOUND:
            raise
        fetched.gone += 1
        return
    folder.save(one, execution, events)
    fetched.saved += 1


class _Reader:
    """Reads whole answers, page by page."""

    def __init__(self, client: Any, page_items: int) -> None:
        self._client = client
        self._page_items = page_items

    def listed(self, selection: Selection) -> list[Identity]:
        filters: dict[str, Any] = {"Statuses": list(selection.statuses)}
        if selection.qualifier is not None:
            filters["Qualifier"] = selection.qualifier
        if selection.since is not None:
            filters["StartedAfter"] = selection.since
        parameters = {"FunctionName": selection.function, **filters}
        pages = self._pages("list_durable_executions_by_function", parameters)
        arns = (one["DurableExecutionArn"] for page in pages for one in page["DurableExecutions"])
        # An execution that starts while the pages are read shifts the others to later pages.
        return [Identity.of(arn) for arn in dict.fromkeys(arns)]

    def execution(self, arn: str) -> Any:
        # Its data is in the history, too.
        return self._client.get_durable_execution(
            DurableExecutionArn=arn, IncludeExecutionData=False
        )

    def events(self, arn: str, *, with_data: bool) -> list[dict[str, Any]]:
        parameters = {"DurableExecutionArn": arn, "IncludeExecutionData": with_data}
        pages = self._pages("get_durable_execution_history", parameters)
        return [event for page in pages for event in page["Events"]]

    def _pages(self, operation: str, parameters: dict[str, Any]) -> Iterator[Any]:
        size = {"PageSize": self._page_items}
        yield from self._client.get_paginator(operation).paginate(
            PaginationConfig=size, **parameters
        )


def _rest(fetched: Fetched) -> str:
    there = fetched.saved + fetched.present
    return f"; {there} of {fetched.chosen} are saved, repeat the command to go on" if there else ""


def _explain(error: BotoCoreError | ClientError, client: Any, selection: Selection) -> str:
    """Return in one line what AWS, or boto3 in its place, refuses."""
    if isinstance(error, NoCredentialsError):
        return "no AWS credentials: set AWS_PROFILE, or sign in"
    if isinstance(error, ParamValidationError):
        return f"{selection.function!r} is not the name of a function"
    if not isinstance(error, ClientError):
        return f"AWS can't be read: {_line(error)}"
    operation, code = error.operation_name, _code(error)
    message = _line(_message(error))
    qualified = ":".join(part for part in (selection.function, selection.qualifier) if part)
    explanations = {
        **dict.fromkeys(_NOT_ALLOWED, f"the permission lambda:{operation} is missing: {message}"),
        **dict.fromkeys(_NOT_ACCEPTED, f"AWS does not accept the credentials, sign in: {code}"),
        _NOT_FOUND: f"there is no function {qualified} in {client.meta.region_name}",
        _THROTTLED: f"AWS throttles {operation}, also after {ATTEMPTS} attempts",
    }
    return explanations.get(code, f"{operation} fails: {code}: {message}")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


def _line(text: object) -> str:
    return " ".join(str(text).split())
