"""Open built pages in a browser without a network, and complain about whatever a reader would.

Run ``python docs/check_pages.py`` after the build of the documentation. It needs playwright, and Chromium: that of the
system or, after ``playwright install chromium``, playwright's own.
"""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import sys
import threading
from collections.abc import Sequence
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

BUILT = Path(__file__).parent / "_build"
WIDTHS = {1280: 900, 390: 844}  # a computer and a telephone
# All pages that people read, and one of the many that describe a class
PAGES = ("*.html", "guide/*.html", "auto_examples/*.html", "generated/sklearn_gass.AudioSeparator.html")
WITH_PLAYERS = {"index.html", "guide/getting_started.html"}  # and all examples
SILENT = {"auto_examples/plot_paper_figure.html"}  # but this one, which is of numbers

# Wider than their column, unless they or something around them scrolls
_TOO_WIDE = """() => {
  const scrolls = node => {
    for (; node && node !== document.body; node = node.parentElement)
      if (['auto', 'scroll'].includes(getComputedStyle(node).overflowX)) return true;
    return false;
  };
  const column = document.querySelector('[role=main]') ?? document.documentElement;
  const found = [], limit = column.getBoundingClientRect().right + 1;
  for (const node of document.querySelectorAll('pre, table, img, audio, mjx-container')) {
    const box = node.getBoundingClientRect();
    if (box.width && box.right > limit && !scrolls(node))
      found.push(node.tagName + ' ' + node.innerText?.slice(0, 40));
  }
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth + 1) found.push('the whole page');
  return found;
}"""
_SILENT = """async () => {
  const players = [...document.querySelectorAll('audio[src]')];
  const ready = player => new Promise(done => {
    if (player.duration > 0) return done(true);
    player.addEventListener('loadedmetadata', () => done(player.duration > 0));
    player.addEventListener('error', () => done(false));
    setTimeout(() => done(false), 10000);
  });
  const silent = [];
  for (const player of players) if (!await ready(player)) silent.push(player.getAttribute('aria-label'));
  return silent;
}"""
# Formulas that were not drawn, or have an error in them
_NOT_DRAWN = """() => [...document.querySelectorAll('.math')].filter(formula => {
  const drawn = formula.querySelector('mjx-container svg');
  return !drawn || drawn.getBoundingClientRect().width < 3 || formula.querySelector('[data-mml-node=merror]');
}).map(formula => formula.textContent.slice(0, 40))"""
# Names of classes in code style that lead to no page
_NOT_LINKED = """names => [...document.querySelectorAll('[role=main] code.literal')].filter(code =>
  names.includes(code.textContent.trim()) && !code.closest('a, h1, h2, h3')
).map(code => code.textContent)"""
# A player goes on; another one that is started then goes on where it was, and stops it
_PLAYS = """async () => {
  const [first, second] = document.querySelectorAll('audio[src]');
  const until = async test => { for (let k = 0; k < 100 && !test(); k++) await new Promise(r => setTimeout(r, 100)); };
  first.muted = second.muted = true;
  await first.play();
  await until(() => first.currentTime > 0.3);
  const position = first.currentTime;
  await second.play();
  await until(() => second.currentTime >= position);
  const switched = position > 0.3 && first.paused && second.currentTime >= position;
  second.pause();
  return switched;
}"""


@contextmanager
def chromium():
    """Yield a browser: the system's Chromium, or playwright's own."""
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        flags += ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        yield playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)


@contextmanager
def served(folder: Path):
    """Yield the address of a folder on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


class Watched:
    """A page of which errors, failed requests and requests to other hosts are noted.

    Attributes
    ----------
    page : Page
        The page.
    problems : list of str
        What was noted.
    """

    def __init__(self, browser: Browser, width: int):
        self.page: Page = browser.new_page(viewport={"width": width, "height": WIDTHS[width]})
        self.problems: list[str] = []
        self.page.on("console", lambda said: said.type == "error" and self.note(f"console: {said.text}"))
        self.page.on("pageerror", lambda error: self.note(f"error: {error}"))
        self.page.on("response", lambda got: got.status >= 400 and self.note(f"{got.status}: {got.url}"))
        self.page.on("requestfailed", self._note_failure)
        self.page.route("**/*", self._stay_here)

    def note(self, problem: str) -> None:
        """Note a problem."""
        self.problems.append(problem)

    def _note_failure(self, request):
        if request.failure != "net::ERR_ABORTED":  # which the page itself has ended, by leaving or having enough
            self.note(f"failed: {request.url} ({request.failure})")

    def _stay_here(self, route):
        if urlsplit(route.request.url).hostname in {None, "127.0.0.1", "localhost"}:
            route.continue_()
        else:
            self.note(f"another host: {route.request.url}")
            route.abort()

    def look(self) -> None:
        """Note what is too wide, which players have no sound or do not play, and which formulas are raw."""
        for wide in self.page.evaluate(_TOO_WIDE):
            self.note(f"too wide: {wide}")
        for name in self.page.evaluate(_SILENT):
            self.note(f"no sound: {name}")
        for formula in self.page.evaluate(_NOT_DRAWN):
            self.note(f"not drawn: {formula}")
        if re.search(r"\\[(\[]", self.page.inner_text("body")):
            self.note("a raw formula")
        if self.page.query_selector("audio[src]") and not self.page.evaluate(_PLAYS):
            self.note("players do not play, or a second one does not go on where the first one was")


def check_page(browser: Browser, address: str, width: int, *, plays: bool, classes: Sequence[str]) -> list[str]:
    """Return what is wrong with one page at one width."""
    watched = Watched(browser, width)
    page = watched.page
    page.goto(address, wait_until="load")
    if page.query_selector(".math"):
        page.wait_for_selector("mjx-container", timeout=20_000)
    watched.look()
    if plays and not page.query_selector("audio[src]"):
        watched.note("there is no player")
    for name in page.evaluate(_NOT_LINKED, classes):
        watched.note(f"not a link: {name}")
    page.close()
    return watched.problems


def check_search(browser: Browser, address: str) -> list[str]:
    """Return what is wrong with the search, which must find how to keep a model."""
    watched = Watched(browser, 1280)
    watched.page.goto(f"{address}search.html?q=save+model")
    watched.page.wait_for_selector("#search-results li a", timeout=20_000)
    found = watched.page.inner_text("#search-results")
    if "Keeping and sharing models" not in found:
        watched.note(f"search finds no page on keeping models, but: {found[:200]}")
    return watched.problems


class _Links(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        self.targets += [values[key] for key in ("href", "src") if values.get(key)]


def check_links(folder: Path) -> list[str]:
    """Return links inside the documentation that lead nowhere."""
    pages = {path: _Links(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}
    broken = []
    for path, links in pages.items():
        for target in set(links.targets):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages[to].anchors if to in pages else None
            if not to.exists() or (parts.fragment and known is not None and unquote(parts.fragment) not in known):
                broken.append(f"{path.relative_to(folder)}: {target}")
    return broken


def main() -> None:
    """Check all pages, print what is wrong, and end with 1 if something is."""
    folder = BUILT.resolve()
    classes = [path.stem.rpartition(".")[2] for path in (folder / "generated").glob("*.html")]
    pages = sorted(path.relative_to(folder).as_posix() for pattern in PAGES for path in folder.glob(pattern))
    problems = [f"broken link: {link}" for link in check_links(folder)]
    with served(folder) as address, chromium() as browser:
        for name in pages:
            plays = name in WITH_PLAYERS or (name.startswith("auto_examples/plot_") and name not in SILENT)
            for width in WIDTHS:
                found = check_page(browser, address + name, width, plays=plays, classes=classes)
                problems += [f"{name} at {width} pixels: {problem}" for problem in found]
        problems += [f"search: {problem}" for problem in check_search(browser, address)]
    print(*problems, f"{len(problems)} problems on {len(pages)} pages.", sep="\n")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
