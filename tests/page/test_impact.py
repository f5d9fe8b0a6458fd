"""The panel of AI and delivery says what the API's verdict says, and no more."""

from typing import Any

import pytest
from playwright.sync_api import expect
from tests.page.browser import Visit

SUMMARY = "No difference can be seen (3 developers, 37 pull requests with much AI)."
OF = {
    "people": 3,
    "pull_requests_high": 37,
    "pull_requests_low": 262,
    "top_person": "user_004",
    "top_person_share": 31 / 37,
    "size_median_low": 230,
    "size_median_high": 368,
    "summary": SUMMARY,
}
COUNTS = {"n_low": 262, "n_high": 37, "n_compared_low": 201, "n_compared_high": 33, "people_compared": 3}


def effect(measure: str, value: float | None, low: float | None, high: float | None, verdict: str) -> dict[str, Any]:
    unit = "ratio" if measure == "cycle_time_hours" else "difference"
    interval = {"effect": value, "interval_low": low, "interval_high": high}
    return {"measure": measure, "unit": unit, **interval, "verdict": verdict, **COUNTS, "sentence": f"On {measure}."}


EFFECTS = [
    effect("cycle_time_hours", -0.12, -0.302, 0.104, "no_clear_difference"),
    effect("review_rounds", -0.21, -0.3, -0.11, "lower"),
    effect("revert_rate", 0.017, -0.06, 0.094, "too_few"),
]


def visited(panels: Visit, effects: list[dict[str, Any]] = EFFECTS, **changed: Any) -> Visit:
    answer = panels.real("/api/ai-impact") | {"effects": effects, "effects_of": OF | changed}
    panels.instead("/api/ai-impact", answer)
    panels.redraw("ai-impact")
    return panels


def test_first_line_is_the_verdict_of_the_api(panels: Visit) -> None:
    assert visited(panels).text("#ai-impact .panel-body").splitlines()[0] == SUMMARY


def test_effects_are_dots_with_intervals_around_zero(panels: Visit) -> None:
    plot = visited(panels).page.locator("#ai-impact .plot")

    texts = plot.locator("text.row-value").all_text_contents()

    assert texts == [
        "\u221212% (\u221230% to +10%)",
        "\u22120.21 (\u22120.3 to \u22120.11)",
        "too few",
    ]
    assert plot.locator(".zero").count() == 1
    assert plot.locator("rect.fill").count() == 0
    filled = [one.get_attribute("class") or "" for one in plot.locator(".dot").all()]
    assert ["hollow" in one for one in filled] == [True, False, True]
    assert ["grey" in one for one in filled] == [False, False, True]


def test_interval_crosses_the_zero_line_only_when_it_spans_zero(panels: Visit) -> None:
    plot = visited(panels).page.locator("#ai-impact .plot")
    zero = float(plot.locator(".zero").get_attribute("x1") or 0)

    boxes = [
        one.evaluate("(it) => { const b = it.getBBox(); return [b.x, b.x + b.width]; }")
        for one in plot.locator(".whisker.wide").all()
    ]

    assert [low < zero < high for low, high in boxes] == [True, False, True]


def test_unknown_effect_has_no_dot(panels: Visit) -> None:
    few = [effect("cycle_time_hours", None, None, None, "too_few")]

    plot = visited(panels, few).page.locator("#ai-impact .plot")

    assert plot.locator("text.row-value").text_content() == "too few"
    assert plot.locator(".dot, .whisker").count() == 0


def test_endless_interval_ends_in_an_arrow_and_a_note(panels: Visit) -> None:
    wide = [effect("cycle_time_hours", 0.3, -0.5, 9.0, "no_clear_difference")]

    visited(panels, wide)

    assert panels.page.locator("#ai-impact .arrow").count() == 1
    assert "goes on, Cycle time beyond +100%" in panels.text("#ai-impact .chart .note")


def test_one_person_with_over_half_is_warned_about(panels: Visit) -> None:
    made_of = visited(panels).text("#ai-impact .made-of")

    assert "31 of 37 are user_004\u2019s" in made_of
    assert "Over half are one person\u2019s" in made_of
    assert "368 lines with much" in made_of


@pytest.mark.parametrize(("share", "person"), [(0.3, "user_004"), (None, None)])
def test_many_people_are_not_warned_about(panels: Visit, share: float | None, person: str | None) -> None:
    assert "Over half" not in visited(panels, top_person_share=share, top_person=person).text("#ai-impact")


def test_raw_comparison_has_medians_and_wilson_intervals(panels: Visit) -> None:
    bands = {row["ai_band"]: row for row in panels.real("/api/ai-impact")["bands"]}
    bands["high"] |= {"reverted_prs": 3, "n_revert_known": 37, "revert_rate": 3 / 37}
    panels.instead(
        "/api/ai-impact",
        panels.real("/api/ai-impact") | {"bands": list(bands.values()), "effects": EFFECTS, "effects_of": OF},
    )
    panels.redraw("ai-impact").get_by_role("radio", name="raw comparison").check()

    values = panels.drawn().page.locator("#ai-impact text.row-value").all_text_contents()

    names = panels.page.locator("#ai-impact text.row-name").all_text_contents()
    assert [name.split(",")[0] for name in names] == ["little", "some", "much", "share unknown"] * 2
    assert values[0].startswith(f"{bands['low']['p50_cycle_time_hours']:,.1f} h")
    assert dict(zip(names[4:], values[4:], strict=True))["much, 60% and more"] == "8.1% (2.8% to 21%)"


def test_bug_fixes_are_not_shown_as_an_effect_of_ai(panels: Visit) -> None:
    assert "ug fix" not in (visited(panels).page.locator("#ai-impact").text_content() or "")


def test_numbers_and_the_way_to_them_are_shown(panels: Visit) -> None:
    visited(panels).page.locator("#ai-impact .how summary").click()

    assert "same developer in the same repository" in panels.text("#ai-impact .how")
    numbers = panels.page.locator("#ai-impact table").first.text_content() or ""
    assert "no clear difference" in numbers
    assert "33 and 201" in numbers


def test_that_there_are_too_few_is_said_once(panels: Visit) -> None:
    few = [each | {"verdict": "too_few"} for each in EFFECTS]

    assert visited(panels, few).page.locator("#ai-impact .sentences li").all_inner_texts() == [
        "Cycle time: On cycle_time_hours."
    ]


def test_intervals_are_read_with_the_arrow_keys(panels: Visit) -> None:
    plot, tip = visited(panels).page.locator("#ai-impact .plot"), panels.page.locator("#ai-impact .tip")

    plot.press("ArrowDown")
    expect(tip).to_contain_text("no clear difference")
    plot.press("End")

    expect(tip).to_contain_text("Reverted")
    expect(tip).to_contain_text("too few")
