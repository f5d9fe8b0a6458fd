"""Loading, empty and failed: each panel by itself, and always with the next step."""

from pathlib import Path

from playwright.sync_api import expect
from tests.page import company
from tests.page.browser import DATA_PANELS, UNKNOWN, Visit
from tests.page.conftest import Visitor

PROBLEM = {"title": "The program failed", "status": 500, "detail": "disk full", "next_step": "free some space"}


def test_empty_range_shows_advice(visit: Visit) -> None:
    visit.open("?from=2001-01-01&to=2001-01-31")

    assert set(visit.states("empty")) >= set(DATA_PANELS)
    assert visit.text("#by-model .nothing").startswith("Nothing in this range; ")
    assert visit.text("#tile-merged .figure") == UNKNOWN
    assert visit.wrong == []


def test_invalid_date_shows_api_error(visit: Visit) -> None:
    visit.open("?from=yesterday")

    assert set(visit.states("error")) >= set(DATA_PANELS)
    problem = visit.real("/api/velocity?from=yesterday")
    assert problem["detail"] in visit.text("#cycle-time")
    assert problem["next_step"] in visit.text("#cycle-time")


def test_one_failure_leaves_the_other_panels_alone(visit: Visit) -> None:
    visit.instead("/api/review-costs", PROBLEM, status=500)

    visit.open()

    assert visit.states("error") == ["review-load"]
    assert visit.text("#review-load .problem").splitlines()[0] == "The program failed"
    assert "disk full" in visit.text("#review-load")
    assert "free some space" in visit.text("#review-load")


def test_a_failed_panel_can_be_tried_again(visit: Visit) -> None:
    visit.instead("/api/review-costs", PROBLEM, status=500)
    visit.open().page.unroute_all()

    visit.page.get_by_role("button", name="Try again").click()

    expect(visit.page.locator("#review-load")).to_have_attribute("data-state", "ready")


def test_unusable_answer_shows_failure_with_advice(visit: Visit) -> None:
    visit.page.route("**/api/ai-impact*", lambda route: route.abort())
    visit.page.route("**/api/velocity*", lambda route: route.fulfill(status=200, body="<html>a proxy's page</html>"))

    visit.open()

    assert "Check that it is running" in visit.text("#ai-impact")
    assert "not JSON" in visit.text("#cycle-time")


def test_waiting_panel_shows_loading(visit: Visit) -> None:
    visit.page.route("**/api/ai-impact*", lambda route: None)

    visit.page.goto(visit.url)

    expect(visit.page.locator("#by-model")).to_have_attribute("data-state", "ready")
    expect(visit.page.locator("#ai-impact .panel-body")).to_have_text("Loading …")
    expect(visit.page.locator("#ai-impact")).to_have_attribute("aria-busy", "true")


def test_every_panel_suggests_command_before_first_build(visitor: Visitor, tmp_path: Path) -> None:
    with company.serving(tmp_path) as url:
        visit = visitor(url).open()

        assert set(visit.states("error")) >= set(DATA_PANELS)
        assert visit.text("#badge") == "○ empty"
        assert f"type: millrace run --data-dir {tmp_path}" in visit.text("#reasons")
        assert "type: millrace run" in visit.text("#cycle-time")
        assert f"Type: millrace collect --data-dir {tmp_path}" in visit.text("#events")
        assert visit.text("#builds .nothing >> nth=0") == "No build yet."


def test_rows_are_read_to_the_last_page(visit: Visit) -> None:
    whole = visit.real("/api/velocity")
    pages = {str(n): whole | {"rows": whole["rows"][n // 100 :][:10], "has_more": n < 2000} for n in (0, 1000, 2000)}
    visit.page.route(
        "**/api/velocity*",
        lambda route: route.fulfill(json=pages[(route.request.url + "&offset=0").split("offset=")[1].split("&")[0]]),
    )

    visit.open().page.locator("#cycle-time summary").click()

    weeks = {row["week"] for row in whole["rows"]}
    assert visit.page.locator("#cycle-time tbody tr").count() == len(weeks)


def test_rows_of_two_builds_are_not_added_up(visit: Visit) -> None:
    whole = visit.real("/api/velocity")
    build = iter(range(100, 103))
    visit.page.route(
        "**/api/velocity*offset=1000", lambda route: route.fulfill(json=whole | {"built_through": 102, "rows": []})
    )
    visit.page.route(
        "**/api/velocity?limit=1000",
        lambda route: route.fulfill(json=whole | {"built_through": next(build), "has_more": True}),
    )

    visit.open()

    assert len(visit.queries("/api/velocity")) == 6
    assert visit.state("cycle-time") == "ready"
