"""Annotations of GitHub Actions: workflow commands that show each cause at its line.

GitHub shows ten of each level for a step, so each cause is one annotation, the worst first.
"""

from __future__ import annotations

from collections.abc import Mapping

from dacapo.report.outcome import Cause, Level, Outcome, from_root

_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTICE: "notice"}
_IN_MESSAGE = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTY = {**_IN_MESSAGE, ":": "%3A", ",": "%2C"}


def dumps(outcome: Outcome) -> str:
    """Return an outcome as workflow commands, one line each; the last one is the summary."""
    lines = [_annotation(cause) for cause in outcome.causes]
    title = _escaped(f"dacapo {outcome.command}", _IN_PROPERTY)
    lines.append(f"::notice title={title}::{_escaped(outcome.summary, _IN_MESSAGE)}")
    return "".join(f"{line}\n" for line in lines)


def _annotation(cause: Cause) -> str:
    properties = {"title": cause.title}
    if cause.place is not None:
        file = from_root(cause.place.file)
        properties = {"file": file, "line": str(cause.place.line), **properties}
    listed = ",".join(
        f"{name}={_escaped(value, _IN_PROPERTY)}" for name, value in properties.items()
    )
    message = "\n".join([cause.message, *(f"fix: {fix}" for fix in cause.fixes)])
    return f"::{_COMMANDS[cause.level]} {listed}::{_escaped(message, _IN_MESSAGE)}"


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    # Anything else that ends a line would end the command, too.
    text = "\n".join(text.splitlines())
    return "".join(escapes.get(character, character) for character in text)
