"""Charts are read at any length, without the values that are not complete or that would spoil the axis."""

import itertools
from datetime import date, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from tests.page.browser import Visit

TIMES = {"p50_cycle_time_hours": 70.0, "p90_cycle_time_hours": 160.0, "n_cycle_time_hours": 12, "total_prs": 14}
REVERTS = {"total_prs": 14, "reverted_prs": 1, "n_revert_known": 14}


def mondays(count: int, last: date = date(2026, 11, 23)) -> list[str]:
    return [str(last - timedelta(weeks=count - 1 - at)) for at in range(count)]


def weekly(panels: Visit, route: str, weeks: list[dict[str, Any]], **more: Any) -> None:
    answer = panels.real(route)
    panels.instead(route, answer | {"weeks": weeks, "from": weeks[0]["week"]} | more)


def cycle(panels: Visit, weeks: list[dict[str, Any]], **more: Any) -> Locator:
    weekly(panels, "/api/velocity", weeks, **more)
    return panels.redraw("cycle-time").locator(".plot")


def ticks(plot: Locator) -> list[str]:
    return [text for text in plot.locator("text[text-anchor=middle]").all_text_contents() if text.strip()]


def days(panels: Visit, first: date, last: date) -> Visit:
    answer = panels.real("/api/dashboard-data")
    shift = (last - date.fromisoformat(answer["rows"][0]["day"])).days
    for name in ("rows", "model_days"):
        for row in answer[name]:
            row["day"] = str(date.fromisoformat(row["day"]) + timedelta(days=shift))
    panels.instead("/api/dashboard-data", answer | {"from": str(first), "to": str(last)})
    panels.redraw("cost-by-day")
    return panels


@pytest.mark.parametrize(
    ("first", "unit", "some"),
    [
        (date(2026, 9, 1), "day", {"Sep 1", "2026"}),
        (date(2026, 1, 1), "week", {"Mar", "Sep"}),
        (date(2023, 11, 27), "month", {"Jan", "Jul", "2024", "2025", "2026"}),
    ],
)
def test_bars_are_days_weeks_or_months_by_length(panels: Visit, first: date, unit: str, some: set[str]) -> None:
    page = days(panels, first, date(2026, 11, 24)).page
    plot = page.get_by_role("img", name=f"Cost by {unit}")

    assert set(ticks(plot)) >= some
    expect(page.get_by_role("heading", name=f"Spend by {unit}")).to_be_visible()


def test_names_on_the_axis_do_not_touch(panels: Visit) -> None:
    days(panels, date(2023, 11, 27), date(2026, 11, 24))

    boxes = panels.page.locator("#cost-by-day .plot text[text-anchor=middle]").evaluate_all(
        "(all) => all.map((one) => one.getBBox()).map(({ x, y, width }) => [Math.round(y), x, x + width])"
    )

    rows = [sorted(box[1:] for box in boxes if box[0] == y) for y in {box[0] for box in boxes}]
    assert all(left[1] < right[0] for row in rows for left, right in itertools.pairwise(row))


def test_three_years_of_weeks_have_years_on_the_axis(panels: Visit) -> None:
    plot = cycle(panels, [{"week": week, **TIMES} for week in mondays(157)])

    assert {"2024", "2025", "2026"} <= set(ticks(plot))


def test_cycle_time_is_the_median_and_the_90th_percentile_of_all_repositories(panels: Visit) -> None:
    plot = cycle(panels, [{"week": week, **TIMES} for week in mondays(4)])
    plot.press("End")

    tip = panels.page.locator("#cycle-time .tip")

    expect(tip).to_contain_text("Median70.0 h")
    expect(tip).to_contain_text("90th percentile160.0 h")


def test_first_and_running_weeks_are_hollow_with_a_word(panels: Visit) -> None:
    weeks = mondays(8)
    note = {"first_unsettled": weeks[:3], "running": weeks[-1:]}

    plot = cycle(panels, [{"week": week, **TIMES} for week in weeks], weeks_note=note)

    assert plot.locator(".hollow").count() == 2 * 4
    words = plot.locator("text.word").all_text_contents()
    assert words == ["the data begins here: slow ones are missing", "running"]
    assert "weeks of Oct 5 \u2013 19, 2026, where the data begins" in panels.text("#cycle-time .note")
    plot.press("End")
    expect(panels.page.locator("#cycle-time .tip")).to_contain_text("(running)")


def test_words_of_hollow_weeks_stay_apart_on_a_phone(panels: Visit) -> None:
    weeks = mondays(8)
    panels.page.set_viewport_size({"width": 390, "height": 900})

    plot = cycle(
        panels,
        [{"week": week, **TIMES} for week in weeks],
        weeks_note={"first_unsettled": weeks[:3], "running": weeks[-1:]},
    )

    ends = [
        one.evaluate("(it) => { const b = it.getBBox(); return [b.x, b.x + b.width]; }")
        for one in plot.locator("text.word").all()
    ]
    width = plot.evaluate("(it) => it.clientWidth")
    panels.page.set_viewport_size({"width": 1280, "height": 900})
    (first, last) = ends
    assert 0 <= first[0] < first[1] < last[0] < last[1] <= width <= 390


def test_bars_of_the_running_week_are_hollow(panels: Visit) -> None:
    weeks = sorted({row["week"] for row in panels.real("/api/review-costs")["rows"]})
    answer = panels.real("/api/review-costs") | {"weeks_note": {"first_unsettled": [], "running": weeks[-1:]}}
    panels.instead("/api/review-costs", answer)

    plots = panels.redraw("review-load").locator(".plot").all()

    assert [plot.locator("rect.hollow").count() for plot in plots] == [1] * 4


def test_one_outlier_is_cut_and_named(panels: Visit) -> None:
    weeks = [{"week": week, **TIMES} for week in mondays(12)]
    weeks[5] |= {"p90_cycle_time_hours": 4000.0}

    plot = cycle(panels, weeks)

    tops = [text for text in plot.locator("text[text-anchor=end]").all_text_contents() if text.endswith(" h")]
    assert "200 h" in tops
    assert max(float(text.removesuffix(" h")) for text in tops) < 400
    assert "one value is above it, up to 4K h" in panels.text("#cycle-time .chart .note")
    assert plot.locator(".clip").count() == 1


def test_values_below_zero_are_cut_and_named(panels: Visit) -> None:
    weeks = [{"week": week, **TIMES} for week in mondays(6)]
    weeks[2] |= {"p50_cycle_time_hours": -50.0}

    plot = cycle(panels, weeks)

    assert not any(text.startswith("-") for text in plot.locator("text[text-anchor=end]").all_text_contents())
    assert "one value is below zero, down to -50 h" in panels.text("#cycle-time .chart .note")
    plot.press("Home")
    plot.press("ArrowRight")
    plot.press("ArrowRight")
    expect(panels.page.locator("#cycle-time .tip")).to_contain_text("-50.0 h")


def test_few_high_values_are_not_outliers(panels: Visit) -> None:
    weeks = [{"week": week, **TIMES} for week in mondays(12)]
    for at in (3, 5, 7, 9):
        weeks[at] |= {"p90_cycle_time_hours": 700.0}

    plot = cycle(panels, weeks)

    assert plot.locator(".clip").count() == 0


def test_reverts_are_rates_with_intervals(panels: Visit) -> None:
    weekly(
        panels,
        "/api/quality",
        [{"week": week, **REVERTS} for week in mondays(6)],
        totals={"reverted_prs": 3, "n_revert_known": 37},
    )
    plot = panels.redraw("reverts").locator(".plot")

    assert "3 of 37 pull requests were reverted: 8.1% (95% interval 2.8% to 21%)." in panels.text("#reverts")
    assert plot.locator(".whisker").count() == 6
    plot.press("End")
    expect(panels.page.locator("#reverts .tip")).to_contain_text("n14")


def test_interval_of_the_running_week_is_cut_with_a_triangle_and_named(panels: Visit) -> None:
    weeks = [{"week": week, **REVERTS} for week in mondays(6)]
    weeks[-1] |= {"reverted_prs": 1, "n_revert_known": 2}
    weekly(panels, "/api/quality", weeks, weeks_note={"running": [weeks[-1]["week"]]})

    plot = panels.redraw("reverts").locator(".plot")

    assert plot.locator("text[text-anchor=end]").all_text_contents()[-1] == "60%"
    assert plot.locator(".clip").count() == 1
    assert "the axis ends at 60%, and one interval goes on above it, up to 91%" in panels.text("#reverts .chart .note")


def test_reverts_of_three_years_are_added_up_by_month(panels: Visit) -> None:
    weekly(panels, "/api/quality", [{"week": week, **REVERTS} for week in mondays(157)])
    plot = panels.redraw("reverts").locator(".plot")
    plot.press("End")

    tip = panels.page.locator("#reverts .tip")

    expect(tip).to_contain_text("November 2026")
    expect(tip).to_contain_text("n56")  # four Mondays


def test_week_without_a_merge_is_a_gap(panels: Visit) -> None:
    weeks = [{"week": week, **TIMES} for week in mondays(9)]
    del weeks[4]
    plot = cycle(panels, weeks)

    for _ in range(5):
        plot.press("ArrowRight")

    expect(panels.page.locator("#cycle-time .tip")).to_contain_text("Median\u2013")
    assert plot.locator("path.line.main:not(.unsure)").get_attribute("d").count("M") == 2  # type: ignore[union-attr]


def test_delivery_panels_name_the_weeks_that_they_count(panels: Visit) -> None:
    cycle(panels, [{"week": week, **TIMES} for week in mondays(4)])

    assert "weeks of Nov 2 \u2013 23, 2026" in panels.text("#cycle-time .meta")
