"""A repository whose pull requests are not all here is marked in each list, and named beside what it is part of."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from tests.page.browser import Visit
from tests.page.test_access import OPEN_ALL, WIDTHS, overflow_px, violations
from tests.page.test_hostile import EVIL

SOURCES = "/api/sources"
FIRST, SECOND = "acme-corp/service-01", "acme-corp/service-02"
MISSING = "Pull requests can be missing."
PULL_REQUEST_TILES = ("per-pr", "merged", "median", "reverted")
PANELS = ("went-into", "ai-impact", "agent-prs", "cycle-time", "reverts", "review-load", "cost-per-pr")


def part(name: str | None, state: str, reason: str | None = None, what: str = "pull_requests") -> dict[str, Any]:
    none = dict.fromkeys(("row_count", "source_total", "missing", "settled_at", "read_at"))
    return {"source": "github", "account": "acme", "object": what, "window_id": "1", "name": name} | {
        "state": state,
        "reason": reason,
        **none,
    }


def incomplete(visit: Visit, *parts: dict[str, Any]) -> Visit:
    rows = {"rows": list(parts), "total_count": len(parts), "has_more": False}
    visit.instead(SOURCES, visit.real(SOURCES) | rows)
    return visit


@pytest.fixture(scope="module")
def marked(chromium: Browser, served: str) -> Iterator[Visit]:
    """A page of which one repository is provisional, and another, that has no row, was refused."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    visit = incomplete(
        Visit(context.new_page(), served),
        part(FIRST.upper(), "provisional", f"the rest is read next; {EVIL}"),
        part(SECOND, "unknown", "commits are missing", what="commits"),
        part("acme-corp/gone", "refused", "no right"),
    )
    yield visit.open()
    context.close()


def rows_of(visit: Visit, panel: str, name: str) -> str:
    return visit.page.locator(f"#{panel} table >> nth=0").locator("tr", has_text=name).first.inner_text()


def test_only_that_repository_has_the_mark_in_lists(marked: Visit) -> None:
    assert "◐\u00a0provisional" in rows_of(marked, "went-into", FIRST)
    assert "◐" not in rows_of(marked, "went-into", SECOND)

    marked.page.get_by_role("radio", name="repository", exact=True).check()
    expect(marked.page.locator("#where thead th").first).to_have_text("Repository")
    expect(marked.page.locator("#where")).to_have_attribute("data-state", "ready")
    marked.page.get_by_role("radio", name="Pull requests").check()
    expect(marked.page.locator("#rows thead th").nth(2)).to_have_text("PR")

    for panel in ("where", "rows"):
        assert "◐\u00a0provisional" in rows_of(marked, panel, FIRST)
        assert "◐" not in rows_of(marked, panel, SECOND)


def test_reason_is_a_tooltip_and_shown_on_focus_as_text(marked: Visit) -> None:
    mark = marked.page.locator("#went-into table >> nth=0").locator("a.mark").first
    reason = mark.locator("xpath=following-sibling::*[1]")
    assert mark.get_attribute("title") == f"the rest is read next; {EVIL}"
    expect(reason).to_be_hidden()

    mark.focus()

    expect(reason).to_be_visible()
    expect(reason).to_have_text(f"the rest is read next; {EVIL}")
    assert marked.page.locator("main img").count() == 0
    assert marked.page.title() == "Millrace"


def test_panels_and_tiles_say_how_many_and_which(marked: Visit) -> None:
    said = f"◐\u00a0Not complete: acme-corp/gone (refused), {FIRST.upper()} (provisional). {MISSING}"

    assert {panel: marked.text(f"#{panel} .incomplete") for panel in PANELS} == dict.fromkeys(PANELS, said)
    for tile in PULL_REQUEST_TILES:
        assert "◐\u00a02 repositories not complete" in marked.text(f"#tile-{tile} .tile-note")
    assert "◐" not in marked.text("#tile-spent")


def test_list_to_pick_from_has_the_state(marked: Visit) -> None:
    marked.page.locator("#pickers button.pick", has_text="Repository").click()
    names = marked.page.locator(".picker:popover-open li")

    expect(names.filter(has_text=FIRST)).to_contain_text("◐\u00a0provisional")
    assert "◐" not in names.filter(has_text=SECOND).inner_text()
    marked.page.keyboard.press("Escape")


def test_a_mark_leads_to_the_data_health(marked: Visit) -> None:
    marked.page.locator("#went-into .incomplete a").press("Enter")

    expect(marked.page.locator("#health")).to_have_attribute("open", "")
    expect(marked.page.locator("#sources")).to_be_in_viewport()


def test_marked_page_is_accessible_at_every_width(marked: Visit) -> None:
    pytest.importorskip("axe_playwright_python")
    marked.page.evaluate(OPEN_ALL)

    assert {width: overflow_px(marked.page, width) for width in WIDTHS} == dict.fromkeys(WIDTHS, 0)
    assert violations(marked, ".incomplete", ".mark", ".tile-note") == []


def test_only_chosen_repositories_count(visit: Visit) -> None:
    incomplete(visit, part("acme-corp/gone", "refused", "no right")).open(f"?repo={FIRST}")

    assert visit.page.locator(".incomplete").count() == 0
    assert "not complete" not in visit.text("#tiles")


def test_one_request_is_made_and_nothing_is_said_where_all_is_complete(opened: Visit) -> None:
    asked = sorted({value for query in opened.queries(SOURCES) for key, value in query if key == "state"})

    assert asked == ["provisional", "refused", "unknown"]
    assert len(opened.queries(SOURCES)) == 1
    assert opened.page.locator(".mark").count() == 0


def test_unknown_completeness_is_not_taken_for_complete(visit: Visit) -> None:
    visit.instead(SOURCES, {"title": "No", "detail": "no", "next_step": "no", "status": 503}, status=503)

    visit.open()

    assert visit.text("#cycle-time .incomplete").startswith("Not known whether all pull requests are here")
    assert "not known if complete" in visit.text("#tile-merged")
    assert visit.state("cycle-time") == "ready"
