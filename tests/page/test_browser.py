"""The page in a real browser: controls by keyboard, no violation of axe-core, 3,000 operations.

They need Playwright, a Chromium on the path (`apt-get install chromium`) and, for the accessibility
check, axe-core in `build/`; `make browser` fetches what it can of that.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dacapo import run
from dacapo.report.page.build import execution_of, page_from
from dacapo.report.page.html import html_of
from dacapo.report.page.lines import LineTracer, Traced, code_of
from dacapo.report.page.passes import Watched, source_of, watch
from tests.depth import every
from tests.page import handlers
from tests.page.handlers import HOSTILE, line_of

playwright = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed: make browser"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = Path(__file__).parents[2] / "build/axe-core/axe.min.js"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: make browser")
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 400, "height": 800}
MANY = 1_499
SMOOTH_MS, QUICK_MS = 500, 6_000
"""Bounds that a busy machine with two cores keeps; docs/show.md has measured figures."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages by the names of their scenarios; `pair` has two beside each other."""
    folder = tmp_path_factory.mktemp("pages")
    of = {
        name: execution_of(watch(getattr(handlers, name)), label=name)
        for name in ("asked", "looped", "fanned", "hostile", "beaten")
    }
    for name, execution in of.items():
        (folder / f"{name}.html").write_text(html_of(page_from([execution])), "utf-8")
    without: Any = run(handlers.looped)
    without.events.clear()
    (folder / "eventless.html").write_text(
        html_of(page_from([execution_of(Watched(without))])), "utf-8"
    )
    pair = html_of(page_from([of["beaten"], of["asked"]]))
    (folder / "pair.html").write_text(pair, "utf-8")
    return folder


class Opened:
    """A page in the browser, and what went wrong in it."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.context = browser.new_context(
            **{"viewport": WIDE, "reduced_motion": "reduce"} | options
        )
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._said)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]")

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).first.inner_text())

    def close(self) -> None:
        assert self.problems == []
        self.context.close()


@pytest.fixture
def open_page(browser: Any, folder: Path) -> Iterator[Any]:
    opened: list[Opened] = []

    def open_one(name: str, **options: Any) -> Opened:
        opened.append(Opened(browser, folder / f"{name}.html", **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def marked(opened: Opened, state: str) -> list[int]:
    lines = opened.page.locator(f".line.ran.{state}").all()
    return [int(line.get_attribute("data-line") or 0) for line in lines]


def test_a_page_opens_from_disk_and_asks_for_nothing_else(open_page: Any) -> None:
    opened = open_page("asked")
    assert len(opened.requests) == 1
    assert "asks" in opened.text("h1")


def test_an_invocation_lights_up_what_it_read_back_did_and_waits_at(open_page: Any) -> None:
    opened = open_page("looped")
    step, wait = line_of("total += context.step"), line_of('name=f"wait {number}"') - 2
    opened.page.get_by_role("button", name="First invocation").press("Enter")
    assert marked(opened, "now") == [step]
    assert marked(opened, "held") == [wait, wait + 1, wait + 2, wait + 3]
    opened.page.get_by_role("button", name="Last invocation").press("Enter")
    assert "invocation 4 of 4 at 3 h" in opened.text(".caption")
    assert set(marked(opened, "read")) == {step, wait, wait + 1, wait + 2, wait + 3}
    assert marked(opened, "held") == []


def test_the_history_shows_no_result_before_it_is_there(open_page: Any) -> None:
    opened = open_page("asked")
    opened.page.locator("#first").press("Enter")
    assert opened.page.locator(".past .state").all_inner_texts() == ["suspended here"]
    assert opened.page.locator(".past .value").count() == 0
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.locator(".past .value").count() == 2


@pytest.mark.prove
def test_lines_light_up_one_after_the_other_unless_motion_is_unwelcome(open_page: Any) -> None:
    def lit_at_once(opened: Opened) -> tuple[int, int]:
        opened.page.locator("#last").press("Enter")
        ran = opened.page.locator(".line.ran")
        first = opened.page.evaluate(
            "(() => { showPass(1); return document.querySelectorAll('.line.ran').length; })()"
        )
        opened.page.wait_for_timeout(2_000)
        return int(first), int(ran.count())

    first, last = lit_at_once(open_page("looped", reduced_motion="no-preference"))
    assert (first, last > 3) == (0, True)
    assert lit_at_once(open_page("looped")) == (last, last)


def test_arrow_keys_step_from_invocation_to_invocation(open_page: Any) -> None:
    opened = open_page("looped")
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"):
        opened.page.keyboard.press(key)
        seen.append(opened.text(".caption b"))
    assert seen == [f"looped: invocation {n} of 4" for n in (3, 4, 4, 3)]
    assert opened.text("#announcement").startswith("looped: invocation 3 of 4 at 2 h")


@pytest.mark.prove
def test_the_history_grows_from_invocation_to_invocation(open_page: Any) -> None:
    opened = open_page("looped")
    counts = []
    for number in (1, 2, 3, 4):
        opened.page.locator("#pass").fill(str(number))
        counts.append(opened.page.locator(".past li").count())
    assert counts == [2, 4, 6, 6]


@pytest.mark.prove
def test_every_control_is_reached_and_used_by_keyboard(open_page: Any) -> None:
    opened = open_page("fanned")
    page, reached = opened.page, []
    for _ in range(80):
        page.keyboard.press("Tab")
        here = page.evaluate(
            "(() => { const e = document.activeElement;"
            " return e.id || e.className.split(' ')[0] || e.tagName; })()"
        )
        if here == "BODY":
            break
        reached.append(here)
    wanted = {"skip", "folded", "true-time", "zoom-out", "zoom-fit", "zoom-in", "scroller"}
    wanted |= {"twisty", "pick", "previous", "first", "play", "mark", "SUMMARY"}
    assert wanted <= set(reached), wanted - set(reached)


@pytest.mark.prove
def test_a_batch_above_a_dozen_is_collapsed_and_opens(open_page: Any) -> None:
    opened = open_page("fanned")
    rows = opened.page.locator(".rows .row")
    assert rows.count() == 2 + 2, "axis, invocations, the batch, and the wait"
    twisty = opened.page.get_by_role("button", name="20 operations inside all")
    assert twisty.get_attribute("aria-expanded") == "false"
    twisty.press("Enter")
    assert rows.count() == 2 + 2 + 40
    assert twisty.get_attribute("aria-expanded") == "true"


@pytest.mark.prove
def test_zoom_and_true_time_change_the_axis(open_page: Any) -> None:
    opened = open_page("looped")
    page = opened.page
    assert page.locator(".fold").count() == 3, "three waits are folded"
    page.locator("#true-time").press("Enter")
    assert page.locator(".fold").count() == 0
    assert [tick.inner_text() for tick in page.locator(".tick").all()][:2] == ["0 s", "30 min"]
    few, width = page.locator(".tick").count(), page.locator(".rows").bounding_box()["width"]
    page.locator("#zoom-in").press("Enter")
    assert page.locator(".rows").bounding_box()["width"] > width * 1.5
    page.locator("#zoom-fit").press("Enter")
    assert page.locator(".tick").count() == few


@pytest.mark.prove
@pytest.mark.parametrize("length", ["0.004", "0.9", "75", "20000", "500000", "31536000"])
def test_ticks_name_times_of_any_length(length: str, open_page: Any) -> None:
    opened = open_page("looped")
    texts = opened.page.evaluate(
        "(seconds) => { const scale = new TrueScale(); scale.seconds = seconds;"
        " return scale.labels(900).map((label) => label.text); }",
        float(length),
    )
    assert 2 < len(texts) <= 10
    assert texts[0] == "0 s"
    assert len(set(texts)) == len(texts), "no two are the same"


@pytest.mark.prove
def test_a_line_and_its_operation_are_joined_on_focus(open_page: Any) -> None:
    opened = open_page("asked")
    opened.page.locator(".past li button").first.focus()
    joined = opened.page.locator(".line.joined")
    assert int(joined.get_attribute("data-line")) == line_of('create_callback(name="decision"')
    opened.page.locator(f'.line[data-line="{line_of("lambda _: [event, answer]")}"] .mark').focus()
    assert opened.text(".past li.joined .label") == "record"


@pytest.mark.prove
def test_an_operation_shows_what_is_known_of_it(open_page: Any) -> None:
    opened = open_page("beaten")
    opened.page.get_by_role("button", name="decision").first.press("Enter")
    details = opened.text("#details")
    for part in ("TIMED_OUT", "heartbeat", "4 h by the scenario", "Heartbeat timeout", "3 h"):
        assert part in details


def test_an_effect_that_the_world_saw_again_stands_out(open_page: Any) -> None:
    opened = open_page("asked")
    assert "2 of 2" in opened.text(".caption"), "the page opens where something goes wrong"
    assert marked(opened, "harm") == [line_of('dacapo.effect("mail:Send"')]
    assert "1 of them again" in opened.text(".world .totals")


def test_hostile_text_stays_text(open_page: Any) -> None:
    opened = open_page("hostile")
    opened.page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    opened.page.get_by_role("button", name="Last invocation").press("Enter")
    opened.page.get_by_role("button", name="raw", exact=True).first.press("Enter")
    shown = opened.page.locator("#details pre").inner_text()
    assert shown.startswith("</script><script>alert(1)</script>␛[31mred")
    body = opened.page.locator("body").inner_text()
    assert not set("\x1b\u202e\u2066") & set(body)
    assert HOSTILE not in body


@pytest.mark.prove
def test_a_recording_without_events_is_drawn(open_page: Any) -> None:
    opened = open_page("eventless")
    assert opened.page.locator(".rows .row").count() == 2 + 6
    opened.page.locator("#true-time").press("Enter")
    assert opened.page.locator(".rows .row").count() == 2 + 6


@pytest.mark.prove
def test_two_executions_step_together(open_page: Any) -> None:
    opened = open_page("pair")
    captions = opened.page.locator(".caption b")
    opened.page.locator("#first").press("Enter")
    assert captions.all_inner_texts() == ["beaten: invocation 1 of 2", "asked: invocation 1 of 2"]
    opened.page.keyboard.press("ArrowRight")
    assert captions.all_inner_texts() == ["beaten: invocation 2 of 2", "asked: invocation 2 of 2"]
    assert opened.page.locator(".row.parts").count() == 1


@pytest.mark.prove
@pytest.mark.parametrize("name", ["looped", "pair", "fanned"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_nothing_is_wider_than_the_screen(
    name: str, viewport: dict[str, int], open_page: Any
) -> None:
    opened = open_page(name, viewport=viewport)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_heads_of_the_timeline_are_not_cut(viewport: dict[str, int], open_page: Any) -> None:
    heads = open_page("pair", viewport=viewport).page.locator(".row.axis > *, .row.bands > *")
    assert heads.count() > 1
    sizes = heads.evaluate_all("all => all.map((one) => [one.scrollHeight, one.clientHeight])")
    assert [needed for needed, there in sizes if needed > there] == []


@pytest.mark.skipif(not AXE.exists(), reason="there is no axe-core: make browser")
@pytest.mark.parametrize(
    "shown", every(3, ["pair dark", "pair light", "asked light", "fanned dark"])
)
def test_axe_finds_no_violation(shown: str, open_page: Any) -> None:
    name, scheme = shown.split()
    opened = open_page(name, color_scheme=scheme)
    opened.page.locator(".pick").first.press("Enter")
    opened.page.evaluate(AXE.read_text())
    violations = opened.page.evaluate("axe.run().then((result) => result.violations)")
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in violations] == []
    passed = opened.page.evaluate("axe.run().then((result) => result.passes.length)")
    assert passed > 15, "it looked"


def long_page() -> str:
    """Return the page of 1,500 invocations with 2,998 operations.

    The handler runs once, without replay, and its lines are counted instead of traced, which would
    take minutes.
    """
    from dacapo import Scenario  # noqa: PLC0415

    recording = run(Scenario(handler=handlers.waits_in_a_loop, event=MANY), replay=False)
    step, wait = line_of("total += context.step"), line_of('name=f"wait {number}"') - 2
    ran = [
        Traced(one.started, Counter({step: n + 1, wait: n + 1}), {wait: None}, None)
        for n, one in enumerate(recording.invocations)
    ]
    body = code_of(handlers.waits_in_a_loop)
    assert body is not None
    places = {o.id: step if o.kind == "Step" else wait for o in recording.operations}
    watched = Watched(recording, ran, places, [], source_of(LineTracer(body), ran, "run"))
    return html_of(page_from([execution_of(watched)]))


@pytest.mark.prove
def test_three_thousand_operations_are_fluent(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "long.html"
    path.write_text(long_page(), "utf-8")
    assert path.stat().st_size < 3_000_000
    opened = Opened(browser, path)
    page = opened.page
    paint = page.evaluate(
        "async () => { let seen = [];"
        " while (!seen.length) { await new Promise((done) => requestAnimationFrame(done));"
        " seen = performance.getEntriesByName('first-contentful-paint'); }"
        " return seen[0].startTime; }"
    )
    ready = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert 0 < paint < QUICK_MS
    assert 0 < ready < QUICK_MS
    assert page.locator(".rows .row").count() < 100, "only what can be seen is drawn"
    assert page.locator(".rows").get_attribute("aria-rowcount") == str(2 * MANY + 2)
    frames = page.evaluate(
        "async () => { const s = document.querySelector('.scroller'), t = [];"
        " let last = performance.now();"
        " for (let n = 0; n < 60; n++) { s.scrollTop += 40;"
        " await new Promise((done) => requestAnimationFrame(done));"
        " t.push(performance.now() - last); last = performance.now(); }"
        " return t.sort((a, b) => a - b); }"
    )
    assert frames[30] < SMOOTH_MS
    page.locator("#last").press("Enter")
    assert "invocation 1500 of 1500" in opened.text(".caption")
    assert page.locator(".past li").count() < 20, "what is read back is folded"
    opened.close()
