"""Chromium for tests of pages: one place for its flags, and `visit`, which fails a test whose page complains."""

import re
import shutil
from pathlib import Path

import pytest

from synthetic_results import small_atlas

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 10_000  # a hundred times what a page needs on a quiet machine
VIEWPORT = {"width": 1240, "height": 860}


@pytest.fixture(scope="module")
def atlas(tmp_path_factory) -> Path:
    """The synthetic atlas, made once for a session."""
    return small_atlas(tmp_path_factory.getbasetemp())[1]


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium; a test that wants it is skipped where it or Playwright is not installed."""
    if not CHROMIUM:
        pytest.skip("chromium is not installed: no page was opened")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no page was opened")
    with playwright.sync_playwright() as session:
        browser = session.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def missing(request) -> bool:
    """Whether a request failed for want of its file; a page that is left or closed aborts what it still waited for."""
    return request.failure != "net::ERR_ABORTED"


@pytest.fixture
def visit(request, chromium):
    """Open a page of the atlas; the test fails if it left an error in the console or a file missing."""
    opened, complaints = [], []

    def open_page(path: str, base: str | None = None, **options):
        context = chromium.new_context(**({"viewport": VIEWPORT} | options))
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(request.url) if missing(request) else None)
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.goto(f"{base or request.getfixturevalue('atlas').as_uri()}/{path}")
        if re.search(r"#u\d", path):
            page.wait_for_selector("#panel textarea")  # with all details
            page.wait_for_load_state("networkidle")
        return page

    yield open_page
    for context in opened:
        context.close()
    assert complaints == []


def shift(page) -> float:
    """How far what had been painted has moved since the page was opened, as Chromium's layout shift says."""
    return page.evaluate(
        """() => new Promise((done) => { let sum = 0;
          new PerformanceObserver((list) => { for (const one of list.getEntries()) sum += one.value; })
            .observe({ type: "layout-shift", buffered: true });
          setTimeout(() => done(sum), 300); })"""
    )


def state(page) -> str:
    return page.evaluate("location.hash")


def tiles(page) -> list[str]:
    return page.eval_on_selector_all("#grid a", "all => all.map(one => one.id)")


def missing_pictures(page) -> list[str]:
    """Pictures that a reader would not see after scrolling through the page."""
    return page.evaluate(
        """async () => {
          const images = [...document.images].filter((one) => one.getAttribute("src"));
          for (const one of images) { one.loading = "eager"; one.decoding = "sync"; }
          await Promise.allSettled(images.map((one) => one.decode()));
          return images.filter((one) => !one.naturalWidth).map((one) => one.src);
        }"""
    )
