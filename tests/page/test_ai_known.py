"""Beside each share of AI is said of how many pull requests and commits it is known; unknown is no zero."""

from typing import Any

import pytest
from tests.page.browser import UNKNOWN, Visit

OF_SOME = {"ai_known_prs": 12, "ai_matched_commits": 160, "ai_matchable_commits": 200}
OF_NONE = {"ai_known_prs": 0, "ai_matched_commits": 0, "ai_matchable_commits": 200}
OF_CURSOR = {"ai_known_prs": 40, "ai_matched_commits": None, "ai_matchable_commits": None}
SAID = "AI lines known for 12 of 40 pull requests, 160 of 200 commits on GitHub matched (80%)"


def ai(visit: Visit, call: str, row: dict[str, Any]) -> Any:
    script = f"async (row) => {{ const ai = await import('/page/ai.js'); return ai.{call}(row); }}"
    return visit.page.evaluate(script, {"merged_prs": 40, "ai_line_share": 0.25} | row)


@pytest.mark.parametrize(
    ("row", "share", "said"),
    [
        pytest.param(OF_SOME, "≥\u00a025%", SAID, id="of some"),
        pytest.param(OF_CURSOR, "25%", "AI lines known for 40 of 40 pull requests", id="of all"),
        pytest.param(
            OF_NONE | {"ai_line_share": None},
            UNKNOWN,
            "AI lines known for 0 of 40 pull requests, 0 of 200 commits on GitHub matched (0%)",
            id="of none",
        ),
        pytest.param(
            OF_SOME | {"ai_matched_commits": None},
            "≥\u00a025%",
            "AI lines known for 12 of 40 pull requests, not known how many of 200 commits on GitHub are matched",
            id="matches unknown",
        ),
        pytest.param(OF_NONE | {"merged_prs": 0, "ai_line_share": None}, UNKNOWN, None, id="nothing merged"),
    ],
)
def test_share_is_a_bound_where_a_part_is_unknown(
    opened: Visit, row: dict[str, Any], share: str, said: str | None
) -> None:
    assert ai(opened, "aiShare", row) == share
    assert ai(opened, "aiKnown", row) == said


def test_company_is_known_in_part_and_the_page_says_so(opened: Visit) -> None:
    rows = opened.real("/api/summary?period=this_month")
    merged = next(row["value"] for row in rows["rows"] if row["measure"] == "merged_prs")
    of = rows["coverage"]
    said = f"AI lines known for {of['ai_known_prs']} of {merged:.0f} pull requests, "
    said += f"{of['ai_matched_commits']} of {of['ai_matchable_commits']} commits on GitHub matched"

    assert 0 < of["ai_known_prs"] < merged
    assert "AI wrote ≥\u00a0" in opened.text(".sums")
    assert said in opened.text(".sums")
    assert said in opened.text("#went-into")


def summary_with(visit: Visit, share: float | None, of_ai: dict[str, Any]) -> None:
    summary = visit.real("/api/summary?period=this_month")
    for row in summary["rows"]:
        row["value"] = {"ai_line_share": share, "merged_prs": 40}.get(row["measure"], row["value"])
    visit.instead("/api/summary", summary | {"coverage": summary["coverage"] | of_ai})


def test_page_says_of_how_much_the_share_is_known(visit: Visit) -> None:
    summary_with(visit, 0.25, OF_SOME)
    repositories = visit.real("/api/repositories?period=this_month")
    repositories["totals"] |= OF_SOME | {"merged_prs": 40}
    first = repositories["rows"][0] | OF_NONE | {"ai_line_share": None, "merged_prs": 9}
    visit.instead("/api/repositories", repositories | {"rows": [first, *repositories["rows"][1:]]})
    velocity = visit.real("/api/velocity?period=this_month")
    velocity["totals"] |= OF_SOME
    visit.instead("/api/velocity", velocity)

    visit.open()

    assert f"AI wrote ≥\u00a025% of the lines that were merged ({SAID})" in visit.text(".sums")
    assert f"{SAID}." in visit.text("#went-into")
    cell = visit.page.locator("#went-into tbody tr >> nth=0").locator("td").nth(3).locator("span")
    assert cell.inner_text() == UNKNOWN
    assert (cell.get_attribute("title") or "").startswith("AI lines known for 0 of 9 pull requests")
    assert "160 of 200 commits on GitHub matched (80%)" in visit.text("#ai-impact .note >> nth=-1")


def test_unknown_share_is_said_and_no_zero(visit: Visit) -> None:
    summary_with(visit, None, OF_NONE)

    visit.open()

    assert "AI share of the merged lines unknown (AI lines known for 0 of 40 pull requests" in visit.text(".sums")


def test_bands_say_of_how_many_pull_requests_the_share_is_known(panels: Visit) -> None:
    answer = panels.real("/api/ai-impact?period=this_month")
    without = {**answer["bands"][0], "ai_band": "unknown", "pr_count": 7}
    answer["bands"] = [band for band in answer["bands"] if band["ai_band"] != "unknown"] + [without]
    whole = sum(band["pr_count"] for band in answer["bands"])
    panels.instead("/api/ai-impact", answer)
    panels.instead("/api/velocity", {"title": "No", "detail": "no", "next_step": "no", "status": 503}, status=503)

    panel = panels.redraw("ai-impact")

    said = f"AI share known for {whole - 7} of {whole} pull requests, not known how many commits are matched."
    assert panel.locator(".panel-body > .note").last.inner_text() == said
