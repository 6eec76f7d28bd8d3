"""Suppressions: findings that the user accepts, in a comment at their line or in pyproject.toml.

`# dacapo: ignore[CODE] REASON` stands at the end of the line that the finding names, or on lines of
its own directly above. A suppression takes away what it names, and nothing that follows from it.

Only what concerns the handler is reported as unused: comments inside its source, and entries of
pyproject.toml whose path is that of its file. Others may serve another handler.
"""

from __future__ import annotations

import inspect
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from dacapo.process.source_lines import Place, of_function
from dacapo.service.functions import Handler
from dacapo.verify.configuration import Configuration, Ignore
from dacapo.verify.findings import Code, Finding, Suppressed

_COMMENT = re.compile(r"#\s*dacapo:\s*ignore\b(?:\[(?P<codes>[^\]]*)\])?(?P<reason>[^#]*)")
_CODES = frozenset(code.value for code in Code)


@dataclass(frozen=True)
class _Suppression:
    """One suppression, wherever it is written.

    Parameters:
        where: where it is written.
        codes: the codes of what it suppresses.
        reason: the user's; "" if there is none.
    """

    where: str
    codes: tuple[str, ...]
    reason: str

    @property
    def mistake(self) -> str:
        """The mistake in it; "" if there is none."""
        if not self.codes:
            return f"the suppression at {self.where} names no finding: write ignore[CODE] REASON"
        unknown = [code for code in self.codes if code not in _CODES]
        if unknown:
            return f"the suppression at {self.where} names {unknown[0]!r}, which is not a finding"
        if not self.reason:
            return f"the suppression at {self.where} has no reason, so it suppresses nothing"
        return ""


@dataclass(frozen=True)
class _Comment(_Suppression):
    """A suppression in the code.

    Parameters:
        line: the line that it stands at.
        target: the line that it is about.
    """

    line: int = 0
    target: int = 0


@dataclass
class Sorted:
    """Findings, apart from those that are suppressed; see `Report`."""

    left: list[Finding] = field(default_factory=list)
    suppressed: list[Suppressed] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)


def apart(findings: Sequence[Finding], handler: Handler, configuration: Configuration) -> Sorted:
    """Take the findings apart that are suppressed.

    Parameters:
        findings: all of them, none inside another one.
        handler: the handler that they are about.
    """
    settings = _Settings(configuration, _file_of(handler))
    own = [*_comments_inside(handler), *settings.of_handler()]
    result, used, seen = Sorted(), set[tuple[_Suppression, str]](), dict.fromkeys(own)
    for finding in findings:
        near = [*_comments_at(finding.place), *settings.about(finding)]
        seen.update(dict.fromkeys(near))
        by = next((one for one in near if finding.code in one.codes and not one.mistake), None)
        if by is None:
            result.left.append(finding)
        else:
            used.add((by, finding.code))
            result.suppressed.append(Suppressed(finding, by.reason))
    result.mistakes = [one.mistake for one in seen if one.mistake]
    result.unused = [
        f"{code} at {one.where}"
        for one in own
        for code in one.codes
        if not one.mistake and (one, code) not in used
    ]
    return result


class _Settings:
    """The suppressions in pyproject.toml.

    Parameters:
        file: the handler's, which a finding without a line is in.
    """

    def __init__(self, configuration: Configuration, file: str) -> None:
        self.configuration = configuration
        self.file = file

    def of_handler(self) -> list[_Suppression]:
        """Return those that name the handler's file."""
        ignores = self.configuration.ignores
        return [_entry(one) for one in ignores if one.path and self._is_of(one, self.file)]

    def about(self, finding: Finding) -> list[_Suppression]:
        """Return those that may suppress a finding."""
        file = finding.place.file if finding.place else self.file
        ignores = self.configuration.ignores
        return [_entry(one) for one in ignores if not one.path or self._is_of(one, file)]

    def _is_of(self, one: Ignore, file: str) -> bool:
        path, folder = Path(file).resolve(), self.configuration.folder.resolve()
        relative = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else ""
        return bool(relative) and fnmatch(relative, one.path)


def _entry(one: Ignore) -> _Suppression:
    of = f" of {one.path}" if one.path else ""
    return _Suppression(f"[[tool.dacapo.ignore]]{of}", (one.code,), one.reason)


def _comments_at(place: Place | None) -> list[_Comment]:
    return [one for one in _comments(place.file) if one.target == place.line] if place else []


def _comments_inside(handler: Handler) -> Iterator[_Comment]:
    function = inspect.unwrap(getattr(handler, "func", handler))
    try:
        lines, first = inspect.getsourcelines(function)
        file = inspect.getsourcefile(function) or ""
    except (OSError, TypeError):
        return
    for comment in _comments(file):
        if first <= comment.line < first + len(lines):
            yield comment


def _file_of(handler: Handler) -> str:
    place = of_function(handler)
    return place.file if place else ""


def _comments(file: str) -> tuple[_Comment, ...]:
    try:
        changed = Path(file).stat().st_mtime_ns
    except OSError:
        return ()
    return _comments_of(file, changed)


@cache
def _comments_of(file: str, _changed: int) -> tuple[_Comment, ...]:
    try:
        with tokenize.open(file) as source:
            tokens = list(tokenize.generate_tokens(source.readline))
    except (OSError, SyntaxError, tokenize.TokenError):
        return ()
    return tuple(_parsed(file, tokens))


def _parsed(file: str, tokens: Sequence[tokenize.TokenInfo]) -> Iterator[_Comment]:
    alone = {
        token.start[0]
        for token in tokens
        if token.type == tokenize.COMMENT and not token.line[: token.start[1]].strip()
    }
    for token in tokens:
        match = _COMMENT.match(token.string) if token.type == tokenize.COMMENT else None
        if match is None:
            continue
        line = target = token.start[0]
        while target in alone:
            target += 1
        codes = tuple(code.strip() for code in (match["codes"] or "").split(",") if code.strip())
        yield _Comment(str(Place(file, line)), codes, match["reason"].strip(), line, target)
