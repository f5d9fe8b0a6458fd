"""The badge: the status and its reason, updated every 15 seconds while the page is visible."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from tests.page.browser import Visit
from tests.page.conftest import Visitor

STATUS = "/api/etl/status"
HIDE = """() => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
SHOW = """() => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => false });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def stale(visit: Visit) -> dict[str, Any]:
    reasons = [
        "12 usage events wait; type: millrace collect",
        "commits is silent; type: millrace run",
        "a third reason",
    ]
    return visit.real(STATUS) | {"health": "stale", "reasons": reasons}


@pytest.fixture(scope="module")
def clocked_page(chromium: Browser, served: str) -> Iterator[Visit]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    visit = Visit(context.new_page(), served)
    visit.page.clock.install()
    yield visit.open()
    context.close()


@pytest.fixture
def clocked(clocked_page: Visit) -> Iterator[Visit]:
    """A page whose time a test moves; without the responses of the test before."""
    yield clocked_page
    clocked_page.page.unroute_all(behavior="ignoreErrors")
    clocked_page.page.evaluate(SHOW)
    expect(clocked_page.page.locator("#badge")).to_have_attribute("data-health", clocked_page.real(STATUS)["health"])


def test_badge_shows_health_and_how_old_the_numbers_are(opened: Visit) -> None:
    status = opened.real(STATUS)

    assert opened.page.locator("#badge").get_attribute("data-health") == status["health"]
    at = datetime.fromisoformat(status["as_of"]).astimezone(UTC)
    assert opened.text("#as-of") == f"as of {at:%b} {at.day}, {at:%H:%M} UTC"
    assert "load" not in opened.text("header")


def test_what_kind_of_data_this_is_and_how_much_is_covered_is_said(visit: Visit) -> None:
    summary = visit.real("/api/summary?period=this_month") | {"people": "pseudonyms"}
    summary["coverage"] |= {"cost_known_share": 0.998, "cost_with_repository_share": 0.93}
    visit.instead(STATUS, visit.real(STATUS) | {"is_simulated": True, "people": "pseudonyms"})
    visit.instead("/api/summary", summary)

    visit.open()

    assert visit.text("#simulated") == "SIMULATED DATA"
    assert visit.text("#people") == "names are pseudonyms"
    assert visit.text("#coverage") == "◐ cost known 99.8% · matched to a repository 93%"


def test_own_data_under_real_names_has_no_banner(clocked: Visit) -> None:
    visit = clocked
    expect(visit.page.locator("#simulated")).to_be_visible()
    visit.instead(STATUS, visit.real(STATUS) | {"is_simulated": False, "people": "names"})

    visit.page.clock.fast_forward(15_000)

    expect(visit.page.locator("#simulated")).to_be_hidden()
    expect(visit.page.locator("#people")).to_be_hidden()


def test_without_names_there_is_no_list_of_people(visit: Visit) -> None:
    visit.instead("/api/summary", visit.real("/api/summary?period=this_month") | {"people": "off"})
    visit.instead("/api/people", {"title": "No people", "status": 403, "detail": "off", "next_step": "-"}, status=403)

    visit.open().page.locator("#where[data-state=ready]").wait_for()

    assert visit.text("#people") == "names are off"
    assert visit.text("#where thead th >> nth=0") == "Repository"
    assert "Person" not in visit.text("#pickers")


def test_data_health_is_folded_and_has_one_line(visit: Visit) -> None:
    visit.open()

    expect(visit.page.locator("#marts")).to_be_hidden()
    assert "without a price (cost unknown for" in visit.text("#health-line")
    assert "last build good" in visit.text("#health-line")
    visit.page.locator("#health > summary").press("Enter")
    expect(visit.page.locator("#marts")).to_be_visible()


def test_the_reasons_can_be_read(clocked: Visit) -> None:
    visit = clocked
    visit.instead(STATUS, stale(visit))
    visit.page.clock.fast_forward(15_000)
    visit.page.get_by_text("2 more reasons").press("Enter")

    assert visit.text("#badge") == "▲ not up to date"
    assert visit.text("#reasons p") == "12 usage events wait; type: millrace collect"
    assert visit.page.locator("#reasons li").all_inner_texts() == [
        "commits is silent; type: millrace run",
        "a third reason",
    ]


def test_status_is_polled_every_15_seconds(clocked: Visit) -> None:
    visit = clocked
    visit.instead(STATUS, stale(visit))

    visit.page.clock.fast_forward(15_000)

    expect(visit.page.locator("#badge")).to_have_attribute("data-health", "stale")


def test_hidden_page_stops_polling_and_polls_when_shown(clocked: Visit) -> None:
    visit = clocked
    visit.page.evaluate(HIDE)
    before = len(visit.queries(STATUS))

    visit.page.clock.fast_forward(120_000)

    assert len(visit.queries(STATUS)) == before
    visit.instead(STATUS, stale(visit))
    visit.page.evaluate(SHOW)
    expect(visit.page.locator("#badge")).to_have_attribute("data-health", "stale")


def test_a_new_build_is_shown_without_a_reload_and_without_a_flicker(visitor: Visitor) -> None:
    visit = visitor()
    visit.page.clock.install()
    visit.open().asked.clear()
    status, summary = visit.real(STATUS), visit.real("/api/summary?period=this_month")
    next(row for row in summary["rows"] if row["measure"] == "merged_prs")["value"] = 4321
    visit.instead(STATUS, status | {"built_through": status["built_through"] + 1})
    visit.instead("/api/summary", summary)
    visit.page.route("**/api/ai-impact*", lambda route: None)

    visit.page.clock.fast_forward(15_000)

    expect(visit.page.locator("#tile-merged .figure")).to_have_text("4,321")
    assert visit.state("ai-impact") == "ready"


def test_no_answer_is_an_error_with_advice(visit: Visit) -> None:
    visit.page.route(f"**{STATUS}", lambda route: route.abort())

    visit.open()

    assert visit.text("#badge") == "✕ error"
    assert "Check that it is running" in visit.text("#reasons")
    assert visit.state("marts") == "error"


def test_a_silent_source_and_a_mart_behind_are_marked(clocked: Visit) -> None:
    visit, status = clocked.unfolded(), clocked.real(STATUS)
    source = next(source for source in status["sources"] if source["table"] == "github_pull_requests")
    source["is_silent"], status["marts"][0]["is_current"] = True, False
    visit.instead(STATUS, status)

    visit.page.clock.fast_forward(15_000)

    expect(visit.page.locator("#sources tr:has-text('github_pull_requests')")).to_contain_text("silent")
    expect(visit.page.locator("#marts tbody tr").first).to_contain_text("behind")


def test_focus_survives_redraw(clocked: Visit) -> None:
    visit = clocked
    visit.unfolded().page.locator("#marts .scroll").focus()
    visit.instead(STATUS, visit.real(STATUS) | {"in_quarantine": 3})

    visit.page.clock.fast_forward(15_000)

    expect(visit.page.locator("#freshness")).to_contain_text("3 objects")
    expect(visit.page.locator("#marts .scroll")).to_be_focused()
