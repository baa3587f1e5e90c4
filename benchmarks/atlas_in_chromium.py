"""What a reader waits for in Chromium, for atlas.py; each measurement opens its page in a context of its own."""

import contextlib
import functools
import http.server
import sys
import threading
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from browser import CHROMIUM, FLAGS, VIEWPORT

SCROLL_PX, WHEEL_PX, WHEEL_MS = 5000, 250, 50
SETTLE_MS = 500
MEGA = 1e6

# Long tasks and layout shifts from the first moment on; `shown` waits until pictures are decoded and painted.
OBSERVE = """
window.measured = { tasks: [], shift: 0 };
const observe = (type, note) => {
  new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true });
};
observe("longtask", (one) => measured.tasks.push(one.duration));
observe("layout-shift", (one) => { if (!one.hadRecentInput) measured.shift += one.value; });
window.frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
window.until = async (test) => { while (!test()) await new Promise((done) => setTimeout(done, 2)); };
window.seen = (one) => {
  const at = one.getBoundingClientRect();
  return at.bottom > 0 && at.top < innerHeight && at.width > 0;
};
window.shown = async (all) => {
  await Promise.all([...all].filter(seen).map((one) => one.decode().catch(() => {})));
  await frame();
};
window.timed = async (act, ...waits) => {
  const began = performance.now(), times = [];
  act();
  for (const wait of waits) { await wait(); times.push(performance.now() - began); }
  return times;
};
window.press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
window.fill = (id, value, type) => {
  const field = document.getElementById(id);
  field.focus();
  field.value = value;
  field.dispatchEvent(new Event(type));
};
window.picture = () => document.querySelector("#panel .first img");
"""


class Browser:
    """Chromium with a server beside it; a context manager."""

    def __init__(self, atlas: Path) -> None:
        self.atlas, self.file = atlas, atlas.as_uri()

    def __enter__(self) -> "Browser":
        self._stack = contextlib.ExitStack()
        handler = functools.partial(_Quiet, directory=str(self.atlas))
        server = self._stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._stack.callback(server.shutdown)
        self.http = f"http://127.0.0.1:{server.server_port}"
        session = self._stack.enter_context(sync_playwright())
        self._chromium = session.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        self._stack.callback(self._chromium.close)
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def page(self, url: str, until: str = "load", asked: list | None = None):
        """A page in a fresh context, with no cache of an earlier one; what it requests goes into `asked`."""
        context = self._chromium.new_context(viewport=VIEWPORT)
        context.add_init_script(OBSERVE)
        page = context.new_page()
        if asked is not None:
            page.on("request", lambda request: asked.append(request.url))
        page.goto(url, wait_until=until)
        yield page
        context.close()

    def first_paint(self, url: str) -> float:
        """Milliseconds to the first contentful paint."""
        with self.page(url) as page:
            paint = "performance.getEntriesByName('first-contentful-paint')"
            return page.evaluate(f"async () => {{ await until(() => {paint}.length); return {paint}[0].startTime; }}")

    def load(self, url: str) -> dict:
        """A layer's page until its first screen of tiles is there."""
        asked = []
        with self.page(url, "commit", asked) as page:
            ready = page.evaluate(
                "async () => { await until(() => document.querySelector('#grid img'));"
                " await until(() => document.readyState !== 'loading');"
                " await shown(document.querySelectorAll('#grid img')); return performance.now(); }"
            )
            page.wait_for_selector("#tools:not([hidden])")
            page.wait_for_timeout(SETTLE_MS)
            tasks, shift = page.evaluate("[measured.tasks, measured.shift]")
            outside = [url for url in asked if not url.startswith((self.file, self.http))]
        return {
            "first screen of tiles complete, ms": (1000, ready),
            "blocking time at load, ms": (50, sum(max(0, task - 50) for task in tasks)),
            "layout shift at load": (0.01, shift),
            "requests to elsewhere": (0, len(outside)),
        }

    def scroll(self, url: str) -> dict:
        """A layer's page scrolled by 5,000 px; then what it holds."""
        with self.page(url) as page:
            page.wait_for_selector("#tools:not([hidden])")
            page.wait_for_timeout(SETTLE_MS)
            before = page.evaluate("measured.tasks.length")
            page.mouse.move(300, 500)
            for _ in range(SCROLL_PX // WHEEL_PX):
                page.mouse.wheel(0, WHEEL_PX)
                page.wait_for_timeout(WHEEL_MS)
            page.wait_for_timeout(SETTLE_MS)
            tasks, shift = page.evaluate("[measured.tasks.length, measured.shift]")
            heap = page.evaluate("performance.memory.usedJSHeapSize") / MEGA
            memory = self._memory()
        return {
            "long tasks while scrolling 5,000 px": (3, tasks - before),
            "layout shift after scrolling": (0.01, shift),
            "JavaScript heap after scrolling, MB": (None, heap),
            "memory of Chromium after scrolling, MB": (None, memory),
        }

    def unit(self, url: str) -> dict:
        """A click on a tile, then `j`."""
        with self.page(url) as page:
            page.wait_for_selector("#tools:not([hidden])")
            page.wait_for_timeout(SETTLE_MS)
            first, everything = page.evaluate(
                """timed(() => document.getElementById("u9").click(),
                  async () => { await until(picture); await shown([picture()]); },
                  async () => { await until(() => document.querySelector("#panel .shots"));
                                await shown(document.querySelectorAll("#panel img")); })"""
            )
            page.wait_for_timeout(SETTLE_MS)
            (following,) = page.evaluate(
                """timed(() => press("j"), async () => {
                  await until(() => document.getElementById("panel").dataset.unit === "10");
                  await shown([picture()]); })"""
            )
        return {
            "click to the first picture, ms": (50, first),
            "click to all details, ms": (200, everything),
            "j to the next picture, ms": (50, following),
        }

    def deep_link(self, url: str) -> dict:
        """A unit opened by its address."""
        with self.page(f"{url}#u1500", "commit") as page:
            ready = page.evaluate(
                "async () => { await until(() => document.querySelector('#panel .shots'));"
                " await shown(document.querySelectorAll('#panel img')); return performance.now(); }"
            )
        return {"a unit by its address: all details, ms": (400, ready)}

    def order(self, url: str) -> dict:
        """Sort and filter of 2,048 units, until the next frame is painted."""
        with self.page(url) as page:
            page.wait_for_selector("#tools:not([hidden])")
            page.wait_for_timeout(SETTLE_MS)
            (sort,) = page.evaluate('timed(() => fill("sort", "max", "change"), frame)')
            page.wait_for_timeout(SETTLE_MS)
            (found,) = page.evaluate('timed(() => fill("filter", "co", "input"), frame)')
        return {"sort of 2,048 units, ms": (60, sort), "filter of 2,048 units, ms": (60, found)}

    def search(self, url: str) -> dict:
        """The search of the front page: its data come with the first focus."""
        with self.page(url) as page:
            if not page.query_selector("#search"):
                return {}
            page.wait_for_timeout(SETTLE_MS)
            (first,) = page.evaluate(
                """timed(() => fill("search", "conv3:17", "input"),
                  async () => { await until(() => document.querySelector("#found a")); await frame(); })"""
            )
            (following,) = page.evaluate('timed(() => fill("search", "coffee", "input"), frame)')
        return {"search: first hit, data included, ms": (None, first), "search: the next word, ms": (60, following)}

    def _memory(self) -> float:
        """Proportional memory in MB of Chromium's processes."""
        processes = psutil.Process().children(recursive=True)
        return sum(one.memory_full_info().pss for one in processes if "chrom" in one.name()) / MEGA


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        """Say nothing."""
