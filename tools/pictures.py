"""Make the pictures of the documentation from real runs: `python -m tools.pictures`.

It needs Playwright and Chromium (`make browser`), and says so if they are missing.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

import dacapo
from dacapo.history import reading
from dacapo.history.events import to_json
from dacapo.report.page.build import execution_of, page_from
from dacapo.report.page.html import html_of
from dacapo.report.page.model import Page
from dacapo.report.page.passes import replayed
from gotchas.viewer import site
from scenarios.webhook_callback import answered_soon

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
SCHEMES = ("light", "dark")
DIGEST = "model"
"""Key of the text in a picture that says what it shows."""
_WIDTH = 1060
_COLORS = 256


@dataclass(frozen=True)
class Picture:
    """A picture of a part of a page.

    Parameters:
        name: of its files, one for each of `SCHEMES`.
        page: runs something, and returns the model of its page.
        first, last: the elements that it reaches from and to, as CSS selectors.
    """

    name: str
    page: Callable[[], Page]
    first: str
    last: str

    def file(self, scheme: str) -> Path:
        """Return its file for a color scheme."""
        return FOLDER / f"{self.name}-{scheme}.png"


def _stuck() -> Page:
    """Return the page of a history that ends while the vendor has not answered."""
    recording = dacapo.run(answered_soon)
    events = recording.events[: recording.invocations[0].events_after]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "history.json"
        file.write_text(json.dumps({"Events": to_json(events)}), encoding="utf-8")
        read = reading.read(file)
    return page_from([execution_of(replayed(read.recording, answered_soon), read.origin)])


PICTURES = (
    Picture("theatre", lambda: site.model("effect_before_a_result"), "#theatre", "#theatre"),
    Picture("stuck", _stuck, "header", "#theatre"),
)


def digest_of(page: Page) -> str:
    """Return a digest of what a page shows of its executions.

    The lines that ran are left out: versions of Python differ in which they report.
    """
    executions = page.to_json()["executions"]
    for execution in executions:
        for each in execution["passes"]:
            del each["lines"]
    text = json.dumps(executions, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def main() -> None:
    """Make all pictures."""
    logging.disable(logging.CRITICAL)
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not everybody has it
    except ImportError:
        sys.exit("no pictures: Playwright is not installed (make browser)")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("no pictures: there is no Chromium (make browser)")
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for picture in PICTURES:
            page = picture.page()
            for scheme in SCHEMES:
                with _opened(browser, html_of(page), scheme) as opened:
                    _save(_taken(opened, picture), digest_of(page), picture.file(scheme))
        browser.close()


@contextmanager
def _opened(browser: Any, page: str, scheme: str) -> Iterator[Any]:
    context = browser.new_context(
        viewport={"width": _WIDTH, "height": 800},
        color_scheme=scheme,
        reduced_motion="reduce",
        device_scale_factor=2,
    )
    opened = context.new_page()
    opened.set_content(page)
    opened.wait_for_selector("html[data-ready]")
    yield opened
    context.close()


def _taken(opened: Any, picture: Picture) -> bytes:
    top = opened.locator(picture.first).first.bounding_box()
    last = opened.locator(picture.last).first.bounding_box()
    bottom = last["y"] + last["height"] + 12
    top = max(0, top["y"] - 12)
    clip = {"x": 0, "y": top, "width": _WIDTH, "height": bottom - top}
    taken: bytes = opened.screenshot(full_page=True, clip=clip)
    return taken


def _save(taken: bytes, digest: str, file: Path) -> None:
    info = PngInfo()
    info.add_text(DIGEST, digest)
    image = Image.open(io.BytesIO(taken)).convert("RGB")
    # The most frequent colors as they are: any other palette tints the background.
    counted: list[Any] = image.getcolors(image.width * image.height) or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, color in sorted(counted)[-_COLORS:] for part in color])
    few = image.quantize(palette=palette, dither=Image.Dither.NONE)
    few.save(file, optimize=True, pnginfo=info)


if __name__ == "__main__":
    main()
