"""The built site in a real browser: every page renders, from here alone; knobs turn without a kernel; search finds."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser import chromium

SECONDS = 30  # for any one thing, on a busy machine
NARROW = {"width": 390, "height": 844}
LAPTOP = {"width": 1280, "height": 800}
SHOW_ALL = """Promise.allSettled([...document.images].map(image => {
  image.loading = "eager";  // also those far down
  return image.decode();
}))"""


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def names(site: Path) -> list[str]:
    return [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]


class Watch:
    """What goes wrong on a page, and which answers it still waits for."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.faults: list[str] = []
        self.pending: set[Request] = set()
        page.on("console", lambda m: self.faults.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", self._asked)
        page.on("requestfinished", lambda request: self.pending.discard(request))
        page.on("requestfailed", self._failed)
        page.on("response", lambda r: self.faults.append(f"{r.status}: {r.url}") if r.status >= 400 else None)

    def _asked(self, request: Request) -> None:
        self.pending.add(request)
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"elsewhere: {request.url}")

    def _failed(self, request: Request) -> None:
        self.pending.discard(request)
        self.faults.append(f"failed: {request.url}: {request.failure}")

    def settled(self) -> list[str]:
        """The faults once every answer is there; to leave earlier would make a failure of what is on its way."""
        end = time.monotonic() + SECONDS
        while self.pending and time.monotonic() < end:
            self.page.wait_for_timeout(5)
        return [*self.faults, *(f"no answer: {request.url}" for request in self.pending)]


@pytest.mark.parametrize("inner", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["pages", "inner modules"])
def test_every_page_renders_from_here_alone(inner: bool, browser: Browser, site: Path, address: str):
    page = browser.new_page(viewport=NARROW)  # where things would be too wide
    watch = Watch(page, address)
    found = [name for name in names(site) if name.startswith("reference/inner/") == inner]
    assert len(found) > 20
    for name in found:
        page.goto(f"{address}/{name}")
        page.evaluate(SHOW_ALL)
        unseen = page.evaluate("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)")
        unmade = page.evaluate("document.body.innerText.match(/\\\\\\(|\\\\\\[|\\$\\$/)")
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        seen = {"faults": watch.settled(), "pictures": unseen, "formulas": unmade, "too wide": wide}
        assert not any(seen.values()), (name, seen)
    page.close()


def test_no_formula_is_cut_beside_its_code(browser: Browser, address: str):
    page = browser.new_page(viewport=LAPTOP)
    page.goto(f"{address}/equations.html")
    formulas = page.locator("article .formula")
    assert formulas.count() == page.locator("article math").count() > 40
    cut = "all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent)"
    assert formulas.evaluate_all(cut) == []
    page.close()


def knobs_page(site: Path) -> str:
    """The first page that has knobs."""
    return next(name for name in names(site) if 'figure class="picture knobs"' in (site / name).read_text("utf-8"))


def test_a_knob_changes_the_picture_without_a_kernel(browser: Browser, site: Path, address: str):
    page = browser.new_page()
    watch = Watch(page, address)
    page.goto(f"{address}/{knobs_page(site)}")
    figure = page.locator("figure.knobs").first
    picture, knob = figure.locator("img"), figure.locator("input").first
    other, shown = figure.locator("input").nth(1), figure.locator("output")
    before, value = picture.get_attribute("src"), shown.first.inner_text()

    knob.focus()
    knob.press("ArrowRight")
    after = picture.get_attribute("src")
    assert before != after
    assert (site / str(before)).read_bytes() != (site / str(after)).read_bytes()
    assert shown.first.inner_text() != value
    assert knob.get_attribute("aria-valuetext") == shown.first.inner_text()
    assert figure.get_by_label(figure.locator("label").first.inner_text(), exact=True).count() == 1

    other.focus()
    other.press("ArrowRight")
    expect(shown.first).to_have_text(value)  # the pictures show one knob moved
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert not watch.settled()
    page.close()


def test_the_first_picture_shows_without_a_script(browser: Browser, site: Path, address: str):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{knobs_page(site)}")
    figure = page.locator("figure.knobs").first
    expect(figure.locator("img")).to_be_visible()
    expect(figure.locator("input").first).to_be_hidden()  # it would do nothing
    expect(figure).to_contain_text("one knob moves at a time")
    context.close()


def test_search_finds_a_name(browser: Browser, address: str):
    page = browser.new_page()
    watch = Watch(page, address)
    page.goto(f"{address}/index.html")
    page.locator("input[name=query]").click()
    page.keyboard.type("SoftValueIteration")
    result = page.locator(".md-search-result__link[href$='#ppl_control.SoftValueIteration']")
    expect(result).to_contain_text("SoftValueIteration", timeout=SECONDS * 1000)
    result.click()
    expect(page.locator("[id='ppl_control.SoftValueIteration']")).to_be_in_viewport()
    assert not watch.settled()
    page.close()
