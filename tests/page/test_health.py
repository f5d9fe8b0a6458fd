"""The badge: the status and its reason, updated every 15 seconds while the page is visible."""

from typing import Any

from playwright.sync_api import expect
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


def test_badge_shows_health_and_built_through(opened: Visit) -> None:
    status = opened.real(STATUS)

    assert opened.text("#badge").split()[-1] == status["health"]
    assert f"built through load {status['built_through']}" in opened.text("#as-of")
    assert opened.text("#as-of").startswith("as of ")


def test_the_reasons_can_be_read(visit: Visit) -> None:
    visit.instead(STATUS, stale(visit))
    visit.open().page.get_by_text("2 more reasons").press("Enter")

    assert visit.text("#badge") == "▲ stale"
    assert visit.text("#reasons p") == "12 usage events wait; type: millrace collect"
    assert visit.page.locator("#reasons li").all_inner_texts() == [
        "commits is silent; type: millrace run",
        "a third reason",
    ]


def test_status_is_polled_every_15_seconds(visitor: Visitor) -> None:
    visit = visitor()
    visit.page.clock.install()
    visit.open().instead(STATUS, stale(visit))

    visit.page.clock.fast_forward(15_000)

    expect(visit.page.locator("#badge")).to_have_attribute("data-health", "stale")


def test_hidden_page_stops_polling_and_polls_when_shown(visitor: Visitor) -> None:
    visit = visitor()
    visit.page.clock.install()
    visit.open().page.evaluate(HIDE)
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
    status, velocity = visit.real(STATUS), visit.real("/api/velocity")
    velocity["totals"]["total_prs"] = 4321
    visit.instead(STATUS, status | {"built_through": status["built_through"] + 1})
    visit.instead("/api/velocity", velocity)
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


def test_focus_survives_redraw(visitor: Visitor) -> None:
    visit = visitor()
    visit.page.clock.install()
    visit.open().page.locator("#marts .scroll").focus()
    visit.instead(STATUS, visit.real(STATUS) | {"in_quarantine": 3})

    visit.page.clock.fast_forward(15_000)

    expect(visit.page.locator("#freshness")).to_contain_text("3 objects")
    expect(visit.page.locator("#marts .scroll")).to_be_focused()
