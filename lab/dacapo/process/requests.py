"""What an AWS request does when it is sent a second time: nothing, the same again, or more.

A request is *conditional* if AWS itself makes sure that it takes effect once, an *increment* if it
adds to what is there, and a *send* if each of them reaches somebody. Everything else writes the
same content under the same key, which a repetition does not change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from dacapo.process.effect_listeners import TOKENS

_QUERIES = ("Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet", "Select", "TransactGet")
"""Prefixes of AWS operations that only read."""
_STATEMENTS = ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction")
_SENDS = {
    "sqs": ("SendMessage", "SendMessageBatch"),
    "sns": ("Publish", "PublishBatch"),
    "ses": ("SendEmail", "SendRawEmail", "SendTemplatedEmail", "SendBulkTemplatedEmail"),
    "sesv2": ("SendEmail", "SendBulkEmail"),
    "events": ("PutEvents",),
    "kinesis": ("PutRecord", "PutRecords"),
    "firehose": ("PutRecord", "PutRecordBatch"),
    "lambda": ("Invoke", "InvokeAsync"),
    "stepfunctions": ("StartExecution", "StartSyncExecution"),
    "iot-data": ("Publish",),
    "apigatewaymanagementapi": ("PostToConnection",),
    "pinpoint": ("SendMessages", "SendUsersMessages"),
    "pinpoint-sms-voice-v2": ("SendTextMessage", "SendVoiceMessage", "SendMediaMessage"),
    "connect": ("StartOutboundVoiceContact", "SendChatIntegrationEvent"),
    "ecs": ("RunTask",),
    "batch": ("SubmitJob",),
    "glue": ("StartJobRun",),
    "codebuild": ("StartBuild",),
}
"""Operations that reach somebody each time that they are called."""
_KEYS = {
    ("stepfunctions", "StartExecution"): "name",
    ("lambda", "Invoke"): "X-Amz-Durable-Execution-Name",
    ("sqs", "SendMessage"): "MessageDeduplicationId",
    ("sns", "Publish"): "MessageDeduplicationId",
}
"""What makes such an operation idempotent: a member of its body, or a header."""
_FIFO = re.compile(r"\.fifo\b")
"""The service drops what it has received: by an ID, or by the content."""
TELEMETRY = frozenset({2000, 4317, 4318, 8125})
"""Ports on this machine that only collect: X-Ray's daemon, OpenTelemetry, and StatsD."""
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_KEY_HEADER = re.compile(r"[\w-]*(idempot|dedup|client-token)[\w-]*:", re.IGNORECASE)
_DRY_RUN = "DryRun"
_CLAUSE = re.compile(r"\b(SET|REMOVE|ADD|DELETE)\b", re.IGNORECASE)
_UPDATE = re.compile(
    r"^\s*UPDATE\b.*?\bSET\b(?P<set>.*?)(\bWHERE\b(?P<where>.*))?$", re.IGNORECASE | re.DOTALL
)
_REMOVES = re.compile(r"\b(REMOVE|RETURNING)\b.*", re.IGNORECASE | re.DOTALL)


def only_queries(operation: str, request: Mapping[str, Any] | None = None) -> bool:
    """Return whether a call of AWS changes nothing.

    Parameters:
        operation: its name.
        request: what is about to be sent; it decides where the operation takes a statement.
    """
    if operation in _STATEMENTS and request is not None:
        texts = list(_statements(body_of(request)))
        return bool(texts) and all(only_reads(text) for text in texts)
    return operation.startswith(_QUERIES)


class HttpRequest(NamedTuple):
    """The beginning of a request that an HTTP client sends.

    Parameters:
        target: host, port and path.
        keys: headers by which its receiver recognizes that it is the same.
    """

    method: str
    target: str
    keys: tuple[str, ...]

    @property
    def is_query(self) -> bool:
        """True if it only reads."""
        return self.method in ("GET", "HEAD", "OPTIONS")

    @property
    def is_send(self) -> bool:
        """True if each one has a further effect, with nothing by which to tell them apart."""
        return self.method in ("POST", "PATCH") and not self.keys


def http_request(connection: Any, data: Any) -> HttpRequest | None:
    """Return the request that begins with what a connection sends; None if none begins."""
    if not isinstance(data, bytes | bytearray):
        return None
    line, *headers = bytes(data).partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, _, rest = line.partition(" ")
    path, _, version = rest.rpartition(" ")
    if method not in _METHODS or not version.startswith("HTTP/"):
        return None
    keys = tuple(header for header in headers if _KEY_HEADER.match(header))
    return HttpRequest(method, f"{connection.host}:{connection.port}{path}", keys)


def only_reads(statement: str) -> bool:
    """Return whether a statement of SQL or PartiQL changes nothing."""
    words = statement.split(None, 1)
    return bool(words) and words[0].upper() in ("SELECT", "WITH", "PRAGMA", "EXPLAIN", "VALUES")


def body_of(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters in the body of a request; {} if it is not made of parameters."""
    body = request.get("body")
    if isinstance(body, Mapping):
        return body
    if isinstance(body, bytes | str):
        try:
            parsed = json.loads(body)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}
    return {}


def is_conditional(request: Mapping[str, Any], text: str) -> bool:
    """Return whether AWS makes sure that a request takes effect once.

    Parameters:
        text: the content of the request.
    """
    headers = {str(name).lower() for name in request.get("headers") or ()}
    has_token = bool((request.get("context") or {}).get(TOKENS))
    return (
        has_token or "ConditionExpression" in text or bool(headers & {"if-match", "if-none-match"})
    )


def may_repeat(service: str, operation: str, request: Mapping[str, Any]) -> bool:
    """Return whether each request of this kind reaches somebody, with nothing that tells them."""
    if operation not in _SENDS.get(service, ()):
        return False
    body, headers = body_of(request), dict(request.get("headers") or {})
    if headers.get("X-Amz-Invocation-Type") == _DRY_RUN:
        return False
    key = _KEYS.get((service, operation))
    if key is not None and (key in body or key in headers):
        return False
    return not any(_FIFO.search(str(body.get(name, ""))) for name in ("QueueUrl", "TopicArn"))


def is_increment(service: str, operation: str, request: Mapping[str, Any]) -> bool:
    """Return whether a request adds to what is there: sent twice, it adds twice."""
    body = body_of(request)
    if operation in _STATEMENTS:
        return any(increments(text) for text in _statements(body))
    if service != "dynamodb":
        return False
    if operation == "UpdateItem":
        return _increments_item(body)
    if operation == "TransactWriteItems":
        parts = (part.get("Update") for part in body.get("TransactItems", ()))
        return any(_increments_item(part) for part in parts if part)
    return False


def increments(statement: str) -> bool:
    """Return whether an UPDATE of SQL or PartiQL adds to what is there, and under no condition.

    A WHERE that names what is changed is a condition: a second one finds another value.
    """
    match = _UPDATE.match(statement)
    if match is None:
        return False
    changes = _REMOVES.sub("", match["set"]).replace("SET", ",")
    changed = [name for name, value in _assignments(changes) if _adds_to(name, value)]
    return bool(changed) and not any(_mentions(match["where"] or "", name) for name in changed)


def _statements(body: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(body[name]) for name in ("Statement", "sql", "Sql") if name in body)
    for part in (*body.get("Statements", ()), *body.get("TransactStatements", ())):
        yield str(part.get("Statement", ""))


def _increments_item(update: Mapping[str, Any]) -> bool:
    legacy = update.get("AttributeUpdates") or {}
    if any(change.get("Action") == "ADD" for change in legacy.values()):
        return True
    _, *clauses = _CLAUSE.split(update.get("UpdateExpression") or "")
    values = update.get("ExpressionAttributeValues") or {}
    for word, content in zip(clauses[::2], clauses[1::2], strict=True):
        if word.upper() == "ADD" and _adds_number(content, values):
            return True
        if word.upper() == "SET" and any(_adds_to(*one) for one in _assignments(content)):
            return True
    return False


def _adds_number(clause: str, values: Mapping[str, Any]) -> bool:
    # Adding to a set what it has already changes nothing.
    names = (part.split()[-1] for part in clause.split(",") if part.split())
    return any("N" in values.get(name, {"N": ""}) for name in names)


def _assignments(clause: str) -> Iterator[tuple[str, str]]:
    for part in _split(clause):
        name, equals, value = part.partition("=")
        if equals:
            yield name.strip(), value


def _split(clause: str) -> Iterator[str]:
    """Yield the parts between commas that are in no parentheses."""
    depth, part = 0, ""
    for letter in clause:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            yield part
            part = ""
        else:
            part += letter
    yield part


def _adds_to(name: str, value: str) -> bool:
    adds = "list_append" in value.lower() or "||" in value or bool(re.search(r"[+\-*]", value))
    return adds and _mentions(value, name)


def _mentions(text: str, name: str) -> bool:
    return bool(name) and bool(re.search(rf"(?<![\w#:.]){re.escape(name)}(?![\w])", text))
