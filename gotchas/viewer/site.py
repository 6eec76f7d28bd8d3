"""Lessons as pages: both handlers of a gotcha in the replay theatre, and an index to teach from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from types import ModuleType

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from dacapo.report.page.build import execution_of, page_from
from dacapo.report.page.html import NO_LINKS, html_of, stylesheet
from dacapo.report.page.model import Execution, Page, Remark
from dacapo.report.page.passes import watch
from gotchas import GOTCHAS, GROUPS
from gotchas.viewer.lesson import heading, module_of

INDEX = "index.html"


def page(name: str, links: Mapping[str, str] = NO_LINKS) -> str:
    """Run both handlers of a gotcha, and return its page: one HTML file.

    Parameters:
        name: one of `GOTCHAS`.
        links: pages that belong to it; see `html_of`.
    """
    return html_of(model(name), intro=_plain(heading(name)[1]), links=links)


def model(name: str) -> Page:
    """Run both handlers of a gotcha, and return the model of its page."""
    module = module_of(name)
    sides = {"broken": module.breaks, "fixed": module.holds}
    broken, fixed = (execution_of(watch(one), label=side) for side, one in sides.items())
    harmed = replace(broken, findings=[_harm(broken, module)])
    return page_from([harmed, fixed], _plain(heading(name)[0]))


def _harm(execution: Execution, module: ModuleType) -> Remark:
    """Return what goes wrong in a run of the broken handler, where it shows."""
    blocks = execution.source.blocks if execution.source else ()
    numbered = (one for block in blocks for one in enumerate(block.lines, block.first))
    line = next(number for number, text in numbered if module.SHOWS_AT in text)
    runs = [one.number for one in execution.passes if line in dict(one.lines or ())]
    shows = f"{module.SHOWS[0].upper()}{module.SHOWS[1:]}."
    return Remark("", "", shows, "", line, run=max(runs, default=len(execution.passes)))


def write(folder: Path) -> None:
    """Write the page of every gotcha, and the index of them, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in GOTCHAS:
        (folder / f"{name}.html").write_text(page(name, _links(name)), encoding="utf-8")
    (folder / INDEX).write_text(index(), encoding="utf-8")


def index() -> str:
    """Return the index: every gotcha in teaching order, by what they have in common."""
    firsts = accumulate((len(names) for names in GROUPS.values()), initial=1)
    groups = [
        {"title": _plain(title), "first": first, "lessons": list(map(_row, names))}
        for first, (title, names) in zip(firsts, GROUPS.items(), strict=False)
    ]
    template = files("gotchas.viewer").joinpath("index.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    css = Markup(stylesheet())  # noqa: S704 - our own
    return environment.from_string(template).render(css=css, lessons=GOTCHAS, groups=groups)


def _row(name: str) -> dict[str, str]:
    return {"name": name, "title": _plain(heading(name)[0]), "shows": module_of(name).SHOWS}


def _plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())


def _links(name: str) -> dict[str, str]:
    at = GOTCHAS.index(name)
    links = {"All gotchas": INDEX}
    if at > 0:
        links["Previous"] = f"{GOTCHAS[at - 1]}.html"
    if at + 1 < len(GOTCHAS):
        links["Next"] = f"{GOTCHAS[at + 1]}.html"
    return links
