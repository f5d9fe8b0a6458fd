"""The table below the cost per merged pull request: how much cost found its repository and its person, and why not."""

from typing import Any

import pytest
from playwright.sync_api import expect
from tests.page.browser import UNKNOWN, Visit
from tests.page.test_access import WIDTHS, overflow_px, violations

ROUTE = "/api/ai-spend"


def match(
    matched_by: str | None, repository_gap: str | None, developer_gap: str | None, cost: str | None, known: int = 2
) -> dict[str, Any]:
    how = {"matched_by": matched_by, "repository_gap": repository_gap, "developer_gap": developer_gap}
    return how | {"assistant_message_count": 2, "n_cost": known, "cost_usd": cost}


MATCHES = [
    match("remote", None, None, "50.00"),
    match("remote", None, "no_developer", "10.00"),
    match("file", None, None, "20.00", known=1),
    match("remote", "not_a_known_repository", None, "15.00"),
    match(None, "no_folder", "no_user", "5.00"),
    match(None, "a_new_reason", "no_user", None, known=0),
]


@pytest.fixture(scope="module")
def matched(chromium: Any, served: str) -> Any:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    visit = Visit(context.new_page(), served)
    visit.instead(ROUTE, visit.real(f"{ROUTE}?period=this_month") | {"matches": MATCHES})
    yield visit.open()
    context.close()


def test_each_way_and_each_reason_has_its_cost_and_share(matched: Visit) -> None:
    rows = matched.page.locator("#cost-per-pr .matches tbody tr").all_inner_texts()

    assert [tuple(row.replace("\u00a0", " ").split("\t")) for row in rows] == [
        ("a repository", "by the git remote of the folder", "$60.00", "60%", "4"),
        ("a repository", "by the map of projects", "≥ $20.00", "20%", "2"),
        ("no repository", "no connected source has its repository", "$15.00", "15%", "2"),
        ("no repository", "the agent logs no folder", "$5.00", "5%", "2"),
        ("no repository", "not known why", "unknown", UNKNOWN, "2"),
        ("a person", "its user is a developer", "≥ $85.00", "85%", "6"),
        ("no person", "its user is no developer of a source", "$10.00", "10%", "2"),
        ("no person", "the machine names no user", "≥ $5.00", "5%", "4"),
    ]


def test_table_is_reached_and_scrolled_by_keyboard(matched: Visit) -> None:
    region = matched.page.locator("#cost-per-pr .matches [role=region]")
    region.focus()

    expect(region).to_be_focused()
    assert (region.get_attribute("aria-label") or "").startswith("How much of the cost found")


def test_table_is_accessible_at_every_width(matched: Visit) -> None:
    pytest.importorskip("axe_playwright_python")

    assert {width: overflow_px(matched.page, width) for width in WIDTHS} == dict.fromkeys(WIDTHS, 0)
    assert violations(matched, "#cost-per-pr") == []


def test_real_matches_add_up_to_the_usage_of_these_weeks(opened: Visit) -> None:
    answer = opened.real(f"{ROUTE}?period=this_month")
    with_repository = sum(row["cost_usd"] or 0 for row in answer["matches"] if row["repository_gap"] is None)
    whole = sum(row["cost_usd"] or 0 for row in answer["matches"])

    assert with_repository / whole == pytest.approx(answer["totals"]["cost_attributed_share"])
