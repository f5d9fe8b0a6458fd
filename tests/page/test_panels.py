"""Every panel shows the API's values, and leaves unknown values unknown."""

import pytest
from playwright.sync_api import expect
from tests.page.browser import DATA_PANELS, UNKNOWN, Visit

TILES = ["tile-cost", "tile-tokens", "tile-sessions", "tile-merged", "tile-median", "tile-ai-share"]


def test_every_tile_and_panel_is_filled(opened: Visit) -> None:
    trust = ["freshness", "unpriced", "sources", "events", "marts", "builds", "origins"]

    assert opened.states("ready") == [*TILES, *DATA_PANELS, *trust]


def test_a_fast_response_without_a_price_is_shown_as_fast(opened: Visit) -> None:
    rows = opened.page.locator("#unpriced tbody tr").all_inner_texts()

    (fast,) = [row for row in rows if "claude-opus-4-5" in row]
    assert "claude, anthropic, speed fast" in fast
    assert "millrace build" in opened.text("#unpriced .note")


def test_page_loads_without_failures_or_console_messages(opened: Visit) -> None:
    assert opened.wrong == []


def test_each_answer_is_requested_once(visit: Visit) -> None:
    visit.open()

    assert sorted(visit.asked) == sorted(set(visit.asked))


def test_the_tiles_are_the_totals_of_the_api(opened: Visit) -> None:
    usage, delivery = opened.real("/api/dashboard-data")["totals"], opened.real("/api/velocity")["totals"]

    figures = opened.page.locator(".tile .figure").all_inner_texts()

    assert figures[0] == f"≥ ${float(usage['cost_usd']):,.2f}"
    assert figures[2:4] == [f"{usage['session_count']:,}", f"{delivery['total_prs']:,}"]
    assert float(figures[4].removesuffix(" h")) == pytest.approx(delivery["p50_cycle_time_hours"], abs=0.051)
    assert float(figures[5].removesuffix("%")) == pytest.approx(100 * delivery["ai_line_share"], abs=0.51)


def test_partly_known_cost_shows_known_share(opened: Visit) -> None:
    totals = opened.real("/api/dashboard-data")["totals"]
    share = int(100 * totals["n_cost"] / totals["assistant_message_count"])

    assert f"cost known for {share}%" in opened.text("#tile-cost")


def test_almost_fully_known_cost_is_not_shown_as_complete(visit: Visit) -> None:
    answer = visit.real("/api/dashboard-data")
    answer["totals"] |= {"cost_usd": "12.340000000000", "n_cost": 9_999, "assistant_message_count": 10_000}
    visit.instead("/api/dashboard-data", answer)

    assert visit.open().text("#tile-cost .figure") == "≥ $12.34"
    assert "cost known for 99.9%" in visit.text("#tile-cost .tile-note")


def test_unknown_is_not_zero(visit: Visit) -> None:
    velocity, usage = visit.real("/api/velocity"), visit.real("/api/dashboard-data")
    velocity["totals"] |= {"p50_cycle_time_hours": None, "ai_line_share": None}
    usage["totals"] |= {"cost_usd": None, "n_cost": 0}
    visit.instead("/api/velocity", velocity)
    visit.instead("/api/dashboard-data", usage)

    visit.open()

    assert visit.text("#tile-median .figure") == UNKNOWN
    assert visit.text("#tile-ai-share .figure") == UNKNOWN
    assert visit.text("#tile-cost .figure") == "unknown"


def test_week_of_several_repositories_matches_api_totals(visit: Visit) -> None:
    newest = visit.real("/api/velocity")["rows"][0]["week"]
    totals = visit.real(f"/api/velocity?from={newest}&to={newest}")["totals"]
    visit.open().page.locator("#cycle-time summary").click()

    first = visit.page.locator("#cycle-time tbody tr").first

    shown = [one.replace("\n", " ").split() for one in first.locator("td").all_inner_texts()[:4]]
    phases = ("cycle_time_hours", "coding_lead_time_hours", "pickup_time_hours", "review_lead_time_hours")
    assert [float(one[0]) for one in shown] == pytest.approx([totals[f"avg_{name}"] for name in phases], abs=0.051)
    assert [one[-1] for one in shown] == [str(totals[f"n_{name}"]) for name in phases]


def test_cost_per_merged_pull_request_covers_all_repositories_of_week(visit: Visit) -> None:
    rows = visit.real("/api/ai-spend")["rows"]
    same = [row for row in rows if row["week"] == rows[0]["week"] and row["cost_usd"] is not None]
    per_pr = sum(float(row["cost_usd"]) for row in same) / sum(row["merged_prs"] for row in same)
    mark = "≥ " * any(row["n_cost"] < row["assistant_message_count"] for row in same)
    visit.open().page.locator("#cost-per-pr summary").click()

    assert visit.page.locator("#cost-per-pr tbody td").first.inner_text() == f"{mark}${per_pr:.2f}"


def test_the_days_are_stacked_by_provider_or_by_model(visit: Visit) -> None:
    visit.open()
    expect(visit.page.locator("#cost-by-day .legend")).to_contain_text("anthropic")

    visit.page.get_by_role("radio", name="by model").check()

    expect(visit.page.locator("#cost-by-day .legend")).to_contain_text("claude-")
    assert "stack=model" in visit.page.url


def test_more_than_four_months_are_drawn_in_weeks(visit: Visit) -> None:
    visit.open("?from=2026-01-01&to=2026-11-24")

    expect(visit.page.get_by_role("img", name="Cost by week, stacked by provider")).to_be_visible()


def test_every_csv_link_returns_rows_of_its_panel(visit: Visit) -> None:
    links = visit.open("?repo=acme-corp/service-01").page.locator("a.csv").all()

    answers = [visit.page.request.get(visit.url + (link.get_attribute("href") or "")) for link in links]

    assert [answer.headers["content-type"] for answer in answers] == ["text/csv; charset=utf-8"] * len(DATA_PANELS)
    assert all("repo=acme-corp%2Fservice-01" in answer.url for answer in answers)


def test_the_ai_bands_stand_side_by_side_with_their_n(opened: Visit) -> None:
    bands = {row["ai_band"]: row for row in opened.real("/api/ai-impact")["bands"]}

    rows = opened.page.locator("#ai-impact table").first.locator("tbody tr").all_inner_texts()

    assert [row.split()[0] for row in rows] == ["low", "medium", "high", "unknown"]
    assert rows[0].split()[-1] == str(bands["low"]["n_cycle_time_hours"])
    assert UNKNOWN in rows[3]


def test_trust_names_where_each_panel_comes_from(visit: Visit) -> None:
    visit.open("?developer=user_001")

    origins = [row.split("\t")[1] for row in visit.page.locator("#origins tbody tr").all_inner_texts()]

    assert origins[-3:] == ["events"] * 3


def test_a_silent_source_and_a_mart_behind_are_marked(visit: Visit) -> None:
    status = visit.real("/api/etl/status")
    status["sources"][0]["is_silent"], status["marts"][0]["is_current"] = True, False
    visit.instead("/api/etl/status", status)

    visit.open()

    assert "silent" in visit.text("#sources")
    assert "behind" in visit.text("#marts")


def test_a_chart_is_read_with_the_arrow_keys(visit: Visit) -> None:
    visit.open()
    plot, tip = visit.page.locator("#cycle-time .plot"), visit.page.locator("#cycle-time .tip")

    plot.press("ArrowRight")
    first = tip.inner_text()
    plot.press("End")

    assert first.startswith("Week of")
    assert tip.inner_text() not in ("", first)
    plot.press("Escape")
    expect(tip).to_be_hidden()


def test_a_chart_is_read_with_the_pointer(visit: Visit) -> None:
    visit.open().page.locator("#cost-by-day .plot").hover()

    expect(visit.page.locator("#cost-by-day .tip")).to_contain_text("2026")
