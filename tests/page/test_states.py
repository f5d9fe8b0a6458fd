"""Loading, empty and failed: each panel by itself, and always with the next step."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.page import company
from tests.page.browser import DATA_PANELS, TILES, UNKNOWN, Visit
from tests.page.conftest import Visitor

PROBLEM = {"title": "The program failed", "status": 500, "detail": "disk full", "next_step": "free some space"}
OF_PULL_REQUESTS = ("ai-impact", "agent-prs", "cycle-time", "reverts", "review-load", "cost-per-pr")


def test_empty_range_shows_advice(visit: Visit) -> None:
    visit.open("?from=2001-01-01&to=2001-01-31")

    assert set(visit.states("empty")) >= set(DATA_PANELS)
    assert visit.text("#where .nothing").startswith("Nothing in this range. ")
    assert visit.text("#tile-median .figure") == UNKNOWN
    assert visit.wrong == []


def test_a_range_without_a_monday_says_so(visit: Visit) -> None:
    visit.open("?from=2026-11-03&to=2026-11-08")

    assert visit.text("#review-load .nothing").startswith(
        "No week begins on Nov 3 \u2013 8. Weeks count by their Monday"
    )
    assert visit.state("cost-by-day") == "ready"


def test_what_was_never_connected_names_the_command(visit: Visit) -> None:
    visit.instead("/api/etl/status", company.never_read(visit.real("/api/etl/status"), but="usage_events"))
    for route in ("ai-impact", "agent-pull-requests", "velocity", "quality", "review-costs", "ai-spend"):
        visit.instead(f"/api/{route}", visit.real(f"/api/{route}?from=2001-01-01&to=2001-01-31"))

    visit.open().unfolded()

    assert "No pull requests yet. Connect a source:" in visit.text("#went-into")
    command = r"millrace run --data-dir \S+ --source github --account ACCOUNT"
    for place in ("#went-into", "#verdict"):
        assert re.fullmatch(command, visit.text(f"{place} code >> nth=0"))
    for panel in OF_PULL_REQUESTS:  # said once, and not by each panel
        expect(visit.page.locator(f"#{panel}")).to_be_hidden()
    assert visit.text("#coverage").startswith("◐ cost known ")
    assert "matched" not in visit.text("#coverage")
    assert "no pull requests yet" in visit.text("#tile-merged")
    assert visit.state("tile-spent") == "ready"
    states = dict(row.split("\t")[:2] for row in visit.page.locator("#sources tbody tr").all_inner_texts())
    assert {states["pull_requests"], states["github_pull_requests"]} == {"not connected"}
    assert states["usage_events"] == "✓ received"


@pytest.mark.parametrize("query", ["?from=yesterday", "?repo=nope"])
def test_a_filter_that_the_api_refuses_is_one_message(visit: Visit, query: str) -> None:
    problem = PROBLEM | {"status": 422, "detail": "no repository 'nope'; did you mean acme-corp/service-01?"}
    visit.page.route("**/api/*?*", lambda route: route.fulfill(status=422, json=problem))

    visit.open(query)

    expect(visit.page.get_by_role("alert")).to_have_text(
        "No repository 'nope'; did you mean acme-corp/service-01? Remove that filter, or choose another."
    )
    assert visit.page.get_by_text("did you mean").count() == 1
    assert set(visit.states("refused")) == {*TILES, *DATA_PANELS}


def test_a_failure_of_the_summary_is_one_message(visit: Visit) -> None:
    visit.instead("/api/summary", PROBLEM, status=500)

    visit.open()

    assert visit.page.get_by_text("disk full").count() == 1
    assert visit.states("error") == list(TILES)
    visit.page.unroute_all()
    visit.page.get_by_role("button", name="Try again").click()
    expect(visit.page.locator("#tile-spent")).to_have_attribute("data-state", "ready")


def test_one_failure_leaves_the_other_panels_alone_and_can_be_tried_again(visit: Visit) -> None:
    visit.instead("/api/review-costs", PROBLEM, status=500)

    visit.open()

    assert visit.states("error") == ["review-load"]
    assert visit.text("#review-load .problem").splitlines()[0] == "The program failed"
    assert "disk full" in visit.text("#review-load")
    assert "free some space" in visit.text("#review-load")
    visit.page.unroute_all()
    visit.page.get_by_role("button", name="Try again").click()
    expect(visit.page.locator("#review-load")).to_have_attribute("data-state", "ready")


def test_unusable_answer_shows_failure_with_advice(panels: Visit) -> None:
    panels.page.route("**/api/ai-impact*", lambda route: route.abort())
    panels.page.route("**/api/velocity*", lambda route: route.fulfill(status=200, body="<html>a proxy's page</html>"))

    assert "Check that it is running" in panels.redraw("ai-impact").inner_text()
    assert "not JSON" in panels.redraw("cycle-time").inner_text()


def test_waiting_panel_shows_loading(visit: Visit) -> None:
    visit.page.route("**/api/ai-impact*", lambda route: None)

    visit.page.goto(visit.url)

    expect(visit.page.locator("#where")).to_have_attribute("data-state", "ready")
    expect(visit.page.locator("#ai-impact .panel-body")).to_have_text("Loading …")
    expect(visit.page.locator("#ai-impact")).to_have_attribute("aria-busy", "true")


def test_every_panel_suggests_command_before_first_build(visitor: Visitor, tmp_path: Path) -> None:
    with company.serving(tmp_path) as url:
        visit = visitor(url).open().unfolded()

        assert set(visit.states("error")) >= set(DATA_PANELS)
        assert visit.text("#badge") == "○ empty"
        assert f"type: millrace demo --data-dir {tmp_path}" in visit.text("#reasons")
        assert "type: millrace demo" in visit.text("#cycle-time")
        assert f"Type: millrace collect --data-dir {tmp_path}" in visit.text("#events")
        assert visit.text("#builds .nothing >> nth=0") == "No build yet."


def test_rows_are_read_to_the_last_page(panels: Visit) -> None:
    whole = panels.real("/api/dashboard-data?from=2026-11-01&to=2026-11-24")
    days = [row["day"] for row in whole["rows"]]
    halves = {
        offset: whole
        | {
            "rows": [row for row in whole["rows"] if row["day"] in part],
            "model_days": [row for row in whole["model_days"] if row["day"] in part],
            "has_more": offset == 0,
        }
        for offset, part in ((0, days[:5]), (1000, days[5:]))
    }
    panels.page.route(
        "**/api/dashboard-data*", lambda route: route.fulfill(json=halves[1000 * ("offset=1000" in route.request.url)])
    )

    panel = panels.redraw("cost-by-day")
    panel.locator("summary").click()

    rows = [row.split("\t") for row in panel.locator("tbody tr").all_inner_texts()]
    assert len(rows) == len(days)
    for row in rows:  # the models of every page are in the sum of their day
        parts = [float(text.removeprefix("$").removeprefix("< $")) for text in row[3:] if text != UNKNOWN]
        known = float(row[1].removeprefix("≥\u00a0").removeprefix("$")) if "$" in row[1] else 0
        assert sum(parts) == pytest.approx(known, abs=0.06)


def test_rows_of_two_builds_are_not_added_up(panels: Visit) -> None:
    whole = panels.real("/api/review-costs")
    build = iter(range(100, 103))
    panels.asked.clear()
    panels.page.route(
        "**/api/review-costs*offset=1000", lambda route: route.fulfill(json=whole | {"built_through": 102, "rows": []})
    )
    panels.page.route(
        "**/api/review-costs?period=this_month&limit=1000",
        lambda route: route.fulfill(json=whole | {"built_through": next(build), "has_more": True}),
    )

    panels.redraw("review-load")

    assert len(panels.queries("/api/review-costs")) == 6
    assert panels.state("review-load") == "ready"
