"""Reads what is in a page that was written: its elements, and its model."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

_MODEL = re.compile(r'<script type="application/json" id="model">(.*?)</script>', re.DOTALL)


class Tags(HTMLParser):
    """Collects the elements of a page, and the addresses in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def model_in(page: str) -> dict[str, Any]:
    """Return the model that a page holds."""
    match = _MODEL.search(page)
    assert match is not None
    model: dict[str, Any] = json.loads(match[1])
    return model
