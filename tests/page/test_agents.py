"""The panel of pull requests by who opened them: the accepted share first, and nothing of too few."""

from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from tests.page.browser import UNKNOWN, Visit
from tests.page.test_access import WIDTHS, overflow_px, violations
from tests.page.test_hostile import EVIL

ROUTE = "/api/agent-pull-requests"
QUERY = f"{ROUTE}?period=this_month"


def opened_by(kind: str, agent: str | None, merged: int, closed: int, **more: Any) -> dict[str, Any]:
    n = merged + closed
    share = {"accepted_share": merged / n if n else None, "n_accepted_known": n, "has_too_few": n < 20}
    interval = {"accepted_share_low": 0.5 if n else None, "accepted_share_high": 0.9 if n else None}
    counts = {"opened_prs": n + 4, "merged_prs": merged, "closed_without_merge_prs": closed, "still_open_prs": 4}
    times = {"avg_cycle_time_hours": 12.5, "n_cycle_time_hours": merged, "avg_human_review_rounds": 1.25}
    reverts = {"reverted_prs": 3, "n_revert_known": merged, "revert_rate": 3 / merged if merged else None}
    return {"opened_by": kind, "agent": agent} | share | interval | counts | times | reverts | more


AGENTS = [
    opened_by("agent", "codex", 20, 20),
    opened_by("agent", EVIL, 3, 1),
    opened_by("agent", "devin", 30, 10),
    opened_by("agent", "jules", 0, 0, avg_cycle_time_hours=None),
    opened_by("bot", None, 50, 0),
    opened_by("person", None, 90, 10),
]


def answered(visit: Visit, agents: list[dict[str, Any]]) -> Visit:
    visit.instead(ROUTE, visit.real(QUERY) | {"agents": agents})
    return visit


@pytest.fixture
def panel(panels: Visit) -> Locator:
    return answered(panels, AGENTS).redraw("agent-prs")


def cells(panel: Locator) -> list[list[str]]:
    rows = panel.locator("tbody tr").all_inner_texts()
    return [[" ".join(cell.split()) for cell in row.split("\t")] for row in rows]


def meet(one: list[float], other: list[float]) -> bool:
    left, right, top, bottom = one
    return left < other[1] and other[0] < right and top < other[3] and other[2] < bottom


def name_of(row: dict[str, Any]) -> str:
    return row["agent"] or {"bot": "other bots", "person": "people"}[row["opened_by"]]


def interval_of(row: dict[str, Any]) -> str:
    share, low, high = (f"{100 * row[f'accepted_share{end}']:.0f}%" for end in ("", "_low", "_high"))
    return f"{share} ({low} to {high})n {row['n_accepted_known']}"


def test_accepted_share_is_the_first_number_then_the_outcomes(panel: Locator) -> None:
    heads = panel.locator("thead th").all_inner_texts()
    assert heads[:2] == ["Opened by", "Accepted (95% interval)"]
    assert heads[2:] == [
        *("Merged", "Closed without a merge", "Still open", "Cycle time, mean"),
        *("Review rounds by people", "Reverted"),
    ]
    assert cells(panel)[0] == [
        "devin",
        "75% (50% to 90%)n 40",
        "30",
        "10",
        "4",
        "12.5 hn 30",
        "1.25n 44",
        "3 (10%)n 30",
    ]


def test_those_of_the_company_are_shown_with_their_numbers(opened: Visit) -> None:
    agents = opened.real(QUERY)["agents"]
    shown = {row[0]: row[1:] for row in cells(opened.page.locator("#agent-prs"))}

    assert {row["opened_by"] for row in agents} == {"agent", "bot", "person"}
    assert {name: row[1:4] for name, row in shown.items()} == {
        name_of(row): [str(row[f"{what}_prs"]) for what in ("merged", "closed_without_merge", "still_open")]
        for row in agents
    }
    assert {name: row[0] for name, row in shown.items()} == {
        name_of(row): f"too fewn {row['n_accepted_known']}" if row["has_too_few"] else interval_of(row)
        for row in agents
    }
    assert {row["has_too_few"] for row in agents} == {True, False}


def test_agents_are_before_bots_and_people_and_those_of_too_few_last(panel: Locator) -> None:
    assert [row[0] for row in cells(panel)] == ["devin", "codex", EVIL, "jules", "other bots", "people"]


def test_of_too_few_no_share_is_said(panel: Locator) -> None:
    hostile, jules = cells(panel)[2:4]
    assert hostile[1:5] == ["too fewn 4", "3", "1", "4"]
    assert jules[1] == "too fewn 0"
    assert jules[5].startswith(UNKNOWN)
    plot = panel.locator(".plot").first
    assert "75% of 40" in plot.inner_text()
    assert plot.inner_text().count("too few") == 2
    expect(panel.locator(".note").last).to_contain_text("Too few: under 20 that were merged or closed.")


def test_share_is_read_by_keyboard_with_its_interval(panel: Locator) -> None:
    plot = panel.locator(".plot").first
    plot.press("Home")

    expect(panel.locator(".tip")).to_contain_text("50% to 90%")


def test_names_of_agents_are_text(panel: Locator, panels: Visit) -> None:
    assert EVIL in panel.locator("table").inner_text()
    assert panels.page.locator("main img").count() == 0


def test_names_and_numbers_stay_whole_on_a_phone(panels: Visit) -> None:
    panels.page.set_viewport_size({"width": 390, "height": 900})
    panel = answered(panels, AGENTS).redraw("agent-prs")
    in_lines = panel.locator("td.number small").evaluate_all("(all) => all.map((one) => one.getClientRects().length)")
    lines, names = (
        panel.locator(selector).evaluate_all(
            "(all) => all.map((one) => one.getBBox()).map(({ x, y, width, height }) => [x, x + width, y, y + height])"
        )
        for selector in (".plot line", ".plot text.row-name")
    )
    panels.page.set_viewport_size({"width": 1280, "height": 900})

    assert set(in_lines) == {1}
    assert len(names) == len(AGENTS)
    assert [name for name in names for line in lines if meet(name, line)] == []


def test_without_a_sign_of_an_agent_the_panel_says_so(panels: Visit) -> None:
    panel = answered(panels, AGENTS[4:]).redraw("agent-prs")

    expect(panel.locator(".note").last).to_contain_text("No pull request that was opened in these weeks has the sign")


def test_empty_range_says_so(panels: Visit) -> None:
    panel = answered(panels, []).redraw("agent-prs")

    expect(panel).to_have_attribute("data-state", "empty")
    expect(panel).to_contain_text("No pull request was opened in these weeks.")


def test_filter_by_person_is_not_sent_and_that_is_said(visit: Visit) -> None:
    person = visit.real("/api/people?period=this_month")["rows"][0]["person"]
    visit.open(f"?person={person}&repo=acme-corp/service-01")

    (query,) = visit.queries(ROUTE)
    assert {key for key, _ in query} == {"period", "repo", "limit"}
    assert "These are of all people" in visit.text("#agent-prs")


def test_panel_is_accessible_at_every_width(panel: Locator, panels: Visit) -> None:
    pytest.importorskip("axe_playwright_python")
    overflow = {width: overflow_px(panels.page, width) for width in WIDTHS}
    found = violations(panels, "#agent-prs")
    panels.page.set_viewport_size({"width": 1280, "height": 900})

    assert overflow == dict.fromkeys(WIDTHS, 0)
    assert found == []
