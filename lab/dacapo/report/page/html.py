"""The page as HTML: one file that needs nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from dacapo.report.page.model import LEAVES, Bill, Execution, Operation, Page, Remark
from dacapo.report.text import visible

_STYLES = ("page.css", "timeline.css", "theatre.css")
_SCRIPTS = ("base.js", "scale.js", "timeline.js", "theatre.js")
_TEMPLATE = "page.html.j2"
_ENDS = re.compile("[<>&\u2028\u2029]")
"""Signs with which a text could end the element that it is in."""
_OPEN = ("RUNNING", "PAUSED", "PAUSING")
_KB_PER_GB = 1024**2
_SMALL_GB = 0.001
NO_LINKS: Mapping[str, str] = {}
_VIRTUAL = "Times are virtual: those of the execution, not of the test that ran it. "


def html_of(page: Page, *, intro: str = "", links: Mapping[str, str] = NO_LINKS) -> str:
    """Return a page as HTML text.

    Parameters:
        page: the model.
        intro: a sentence below the title; "" for none.
        links: pages that belong to it: the address of each, by what it is called.
    """
    # Only a page needs it, and every command would pay for its import.
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(_asset(_TEMPLATE))
    return template.render(
        title=visible(page.title),
        intro=visible(intro),
        links=links,
        findings=[
            _finding(remark) for one in page.executions for remark in one.findings if remark.code
        ],
        cards=[_card(one) for one in page.executions],
        parting=_parting(page),
        parts=page.parting is not None,
        bills=[_bill(one) for one in page.executions],
        assumed=page.executions[0].bill.assumed,
        footer=_footer(page),
        # They are ours, and hold no payload; the model is escaped for where it stands.
        css=Markup("".join(map(_asset, _STYLES))),  # noqa: S704
        script=Markup("".join(map(_asset, _SCRIPTS))),  # noqa: S704
        model=Markup(embedded(page.to_json())),  # noqa: S704
    )


def stylesheet() -> str:
    """Return the colors and the type of the pages, for other pages beside them."""
    return _asset(_STYLES[0])


def _footer(page: Page) -> str:
    is_virtual = page.executions[0].origin != "export"
    removed = "" if page.has_payloads else " Payloads were removed."
    virtual = _VIRTUAL if is_virtual else ""
    return f"Made by dacapo. {virtual}This file loads nothing, and sends nothing.{removed}"


def embedded(value: Any) -> str:
    """Return JSON that can stand in a `<script>` element, without spaces."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate is in no encoding.
    text = text.encode("utf-8", "backslashreplace").decode()
    return _ENDS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _asset(name: str) -> str:
    return files("dacapo.report.page").joinpath("assets", name).read_text(encoding="utf-8")


def _card(execution: Execution) -> dict[str, Any]:
    count = len(execution.passes)
    facts = [
        f"after {_length(execution.seconds)}"
        if execution.has_ended or execution.never_resumed
        else f"{_length(execution.seconds)} so far",
        f"{count:,} invocation{'s' if count != 1 else ''}",
        f"{len(execution.operations):,} operation{'s' if len(execution.operations) != 1 else ''}",
        f"${execution.bill.dollars_per_million:,.2f} a million",
    ]
    if execution.seed is not None and execution.origin == "run":
        facts.append(f"seed {execution.seed}")
    error = execution.error
    return {
        "label": visible(execution.label),
        "status": execution.status,
        "tone": _tone(execution),
        "facts": facts,
        "error": error and visible(": ".join(filter(None, (error.type, error.message)))),
        "remark": _remark(execution),
        "input": _shown(execution.input),
        "result": _shown(execution.result),
    }


def _finding(remark: Remark) -> dict[str, Any]:
    """Return a finding for the head of the page; one that is shown at its line, in short."""
    message = f": {remark.message}" if remark.message else ""
    lines = [remark.place]
    if remark.line is None:
        lines += [*_trace("recorded", remark.recorded), *_trace("replayed", remark.replayed)]
        lines += [f"Rule: {remark.rule}", *(f"Fix: {way}" for way in remark.fix)]
    title = f"{remark.certainty}: {remark.code}{message}"
    return {
        "title": visible(title),
        "lines": [visible(line) for line in lines if line],
        "tone": "" if remark.certainty == "proved" else "mild",
    }


def _trace(name: str, lines: Sequence[str]) -> list[str]:
    return [f"{name}: {'; '.join(lines)}"] if lines else []


def _tone(execution: Execution) -> str:
    if execution.never_resumed:
        return "bad"
    if execution.status in _OPEN:
        return "open"
    return "good" if execution.status == "SUCCEEDED" else "bad"


def _remark(execution: Execution) -> str:
    if execution.never_resumed:
        return visible(f"Nothing ever resumes it: it waits for {execution.never_resumed}.")
    remarks = []
    if execution.origin == "export":
        remarks.append(": ".join(filter(None, ("A history from AWS", execution.arn))))
    if not execution.has_ended:
        remarks += [_open(execution, one) for one in execution.operations if _is_open(one)]
    return visible(". ".join(remarks))


def _is_open(operation: Operation) -> bool:
    return operation.ended is None and operation.kind in LEAVES


def _open(execution: Execution, operation: Operation) -> str:
    """Say what an execution in flight waits for, and since when."""
    begun = execution.times[operation.begun] if execution.times else 0.0
    limit = ""
    if operation.timeout:
        ends = _moment(execution, begun + operation.timeout)
        limit = f", and times out on {ends}, {_length(operation.timeout)} later"
    return f"It has waited for {operation.path!r} since {_moment(execution, begun)}{limit}"


def _moment(execution: Execution, seconds: float) -> str:
    """Spell a moment of an execution, as the page does."""
    at = datetime.fromisoformat(execution.started) + timedelta(seconds=seconds)
    return at.strftime(f"%a, {at.day} %b %Y, %H:%M:%S {at.tzname()}")


def _shown(payload: str | None) -> str | None:
    return None if payload is None else visible(payload)


def _parting(page: Page) -> str:
    if len(page.executions) == 1:
        return ""
    if page.parting is None:
        return "They agree: the same operations, effects, and result."
    at = f" in invocation {page.parting.run}" if page.parting.run else ""
    return visible(f"They part{at}: {page.parting.sentence}.")


def _bill(execution: Execution) -> dict[str, Any]:
    bill = execution.bill
    return {
        "label": visible(execution.label),
        "lines": [
            {
                "item": line.item,
                "quantity": _quantity(line.quantity, line.unit),
                "one": f"${line.dollars:.8f}",
                "million": f"${line.dollars * 1_000_000:,.2f}",
                "share": _share(line.dollars, bill),
            }
            for line in bill.lines
        ],
        "one": f"${bill.dollars:.8f}",
        "million": f"${bill.dollars_per_million:,.2f}",
    }


def _share(dollars: float, bill: Bill) -> int:
    return round(100 * dollars / bill.dollars) if bill.dollars else 0


def _quantity(quantity: float, unit: str) -> str:
    if unit in ("GB", "GB-months") and quantity < _SMALL_GB:
        return f"{quantity * _KB_PER_GB:,.3g} {unit.replace('GB', 'KB')}"
    return f"{quantity:,.3g} {unit}"


_UNITS = (("y", 31_536_000), ("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def _length(seconds: float) -> str:
    """Spell a length of time in its two largest units, as the page does."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms" if seconds else "0 s"
    whole = round(seconds)
    for n, (unit, size) in enumerate(_UNITS):
        if whole >= size:
            rest = whole % size // _UNITS[n + 1][1] if n + 1 < len(_UNITS) else 0
            return f"{whole // size} {unit}" + (f" {rest} {_UNITS[n + 1][0]}" if rest else "")
    return "0 s"
