"""The page over a cursor-sim, which has no accounts and no commits of GitHub; tests/page has the demo."""

import pytest
from tests.page import browser
from tests.page.browser import DATA_PANELS, TILES, Visit
from tests.page.company import serving

from millrace.laptop.data_dir import DataDir


def test_page_is_filled_and_names_no_account(built: DataDir) -> None:
    path = browser.executable()
    if path is None:
        pytest.skip("no browser is on PATH")
    with serving(built.root) as url, browser.launched(path) as chromium:
        visit = Visit(chromium.new_page(), url).open("?from=2026-10-01&to=2026-10-19")

        assert set(visit.states("ready")) >= {*TILES, *DATA_PANELS}
        assert visit.wrong == []
        assert visit.page.locator(".account").count() == 0
        assert "complete" not in visit.text("#health-line")
        assert "GitHub" not in visit.text("main")
        assert "AI wrote" in visit.text(".sums")
