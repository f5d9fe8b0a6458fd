"""A real browser, and a page in it that records its errors and its requests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Playwright,
    Request,
    Route,
    sync_playwright,
)

Scheme = Literal["light", "dark"]
NAMES = ("chromium", "chromium-browser", "google-chrome")
TILES = ("tile-spent", "tile-per-pr", "tile-merged", "tile-median", "tile-reverted")
DATA_PANELS = (
    "cost-by-day",
    "where",
    "went-into",
    "ai-impact",
    "agent-prs",
    "cycle-time",
    "reverts",
    "review-load",
    "cost-per-pr",
    "rows",
)
UNKNOWN = "\u2013"
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
REDRAW = (Path(__file__).parent / "scripts" / "redraw.js").read_text().partition("\n")[2]


def executable() -> str | None:
    """Return the path of this machine's browser; None if there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """Start the browser, headless."""
    play: Playwright
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@dataclass
class Visit:
    """One page, opened at `url`. `asked` are requests to the API, `wrong` are the lines of the browser's console."""

    page: Page
    url: str
    asked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._note_request)
        self.page.on("console", self._note_line)
        self.page.on("pageerror", self._note_error)
        self.page.on("requestfailed", self._note_failure)

    def leave(self) -> None:
        """Leave the page without document, routes and listeners, for another visit."""
        self.page.unroute_all(behavior="ignoreErrors")
        self.page.mouse.move(0, 0)
        self.page.goto("about:blank")
        self.page.remove_listener("request", self._note_request)
        self.page.remove_listener("console", self._note_line)
        self.page.remove_listener("pageerror", self._note_error)
        self.page.remove_listener("requestfailed", self._note_failure)

    def _note_request(self, request: Request) -> None:
        if "/api/" in request.url:
            self.asked.append(request.url)

    def _note_line(self, line: ConsoleMessage) -> None:
        if line.type in ("error", "warning"):
            self.wrong.append(line.text)

    def _note_error(self, error: Error) -> None:
        self.wrong.append(str(error))

    def _note_failure(self, request: Request) -> None:
        self.wrong.append(f"{request.url} {request.failure}")

    def open(self, query: str = "") -> "Visit":
        """Go to the page, and wait until no panel is loading."""
        self.page.goto(f"{self.url}/{query}")
        return self.settled()

    def settled(self) -> "Visit":
        """Wait until no panel is loading any more, and the charts are drawn."""
        self.page.locator("[data-state=loading]").first.wait_for(state="detached", timeout=300_000)
        self.page.locator("#badge:not([data-health=unasked])").wait_for()
        return self.drawn()

    def drawn(self) -> "Visit":
        """Wait until the charts are drawn in their width, which is in the frame after a change."""
        self.page.evaluate(FRAMES)
        return self

    def redraw(self, panel: str) -> Locator:
        """Draw a panel of spend or delivery again, alone, from what its routes answer now; return it."""
        self.page.evaluate(REDRAW, panel)
        self.drawn()
        return self.page.locator(f"#{panel}")

    def state(self, panel: str) -> str:
        """Return the state of a panel: loading, ready, empty or error."""
        return self.page.locator(f"#{panel}").get_attribute("data-state") or ""

    def unfolded(self) -> "Visit":
        """Open the data health, which is folded."""
        if not self.page.locator("#health").evaluate("(one) => one.open"):
            self.page.locator("#health > summary").click()
        return self

    def states(self, state: str) -> list[str]:
        """Return the names of the tiles and panels in a state."""
        return [one.get_attribute("id") or "" for one in self.page.locator(f"[data-state={state}]").all()]

    def queries(self, route: str) -> list[list[tuple[str, str]]]:
        """Return the query of each request to a route."""
        parts = [urlsplit(url) for url in self.asked]
        return [parse_qsl(part.query) for part in parts if part.path == route]

    def text(self, selector: str) -> str:
        """Return the visible text of an element."""
        return self.page.locator(selector).inner_text()

    def instead(self, route: str, answer: dict[str, Any], status: int = 200) -> None:
        """Replace the response of a route with one that the real API cannot be made to return."""
        kind = "application/json" if status == 200 else "application/problem+json"
        self.page.route(f"**{route}?*", lambda asked: _answer(asked, answer, status, kind))
        self.page.route(f"**{route}", lambda asked: _answer(asked, answer, status, kind))

    def real(self, path: str) -> dict[str, Any]:
        """Return the API's own response."""
        answer: dict[str, Any] = self.page.request.get(f"{self.url}{path}").json()
        return answer


def _answer(asked: Route, answer: dict[str, Any], status: int, kind: str) -> None:
    asked.fulfill(status=status, json=answer, headers={"Content-Type": kind})
