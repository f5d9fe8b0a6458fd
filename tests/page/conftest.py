"""The page in a real browser over the real API. Without a browser these tests are skipped; in CI they fail."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Page
from tests.page import browser, company
from tests.page.browser import Visit


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = browser.executable()
    if path is None:
        why = f"none of {', '.join(browser.NAMES)} is on PATH; type: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    with browser.launched(path) as launched:
        yield launched


@pytest.fixture(scope="session")
def built(chromium: Browser, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The built data of a small company; the processes of one test run share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "page-company"
    with FileLock(f"{folder}.lock"):
        if not (folder / "built").exists():
            (company.build(folder) / "built").touch()
    return folder


@pytest.fixture(scope="session")
def served(built: Path) -> Iterator[str]:
    with company.serving(built) as url:
        yield url


Visitor = Callable[..., Visit]


@pytest.fixture
def visitor(chromium: Browser, served: str) -> Iterator[Visitor]:
    """Opens pages, each in a browser profile of its own, with the options of a browser context."""
    contexts = []

    def visit(url: str = served, width: int = 1280, **options: Any) -> Visit:
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        return Visit(context.new_page(), url)

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def opened(chromium: Browser, served: str) -> Iterator[Visit]:
    """The page as it is without a filter, opened once. No test changes it."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    yield Visit(context.new_page(), served).open()
    context.close()


@pytest.fixture(scope="session")
def tab(chromium: Browser, served: str) -> Iterator[Page]:
    """A page that the visits share, one after the other: another one costs twice as much as what it shows.

    It is closed before the server, which waits for its connections.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def visit(tab: Page, served: str) -> Iterator[Visit]:
    """The shared page. A test that changes more than its document, routes and mouse takes one of `visitor`."""
    visit = Visit(tab, served)
    yield visit
    visit.leave()


@pytest.fixture(scope="session")
def board(chromium: Browser, served: str) -> Iterator[Visit]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield Visit(context.new_page(), served).open()
    context.close()


@pytest.fixture
def panels(board: Visit) -> Iterator[Visit]:
    """An open page; a test draws its panels again from answers of its own, in a tenth of the time of another page."""
    yield board
    board.page.unroute_all(behavior="ignoreErrors")


@pytest.fixture(scope="module")
def used(chromium: Browser, served: str) -> Iterator[Visit]:
    """A page that the tests of a module use one after the other. Each sets the switches that it needs."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield Visit(context.new_page(), served).open()
    context.close()
