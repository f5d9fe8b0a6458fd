"""Every panel shows the API's values, and leaves unknown values unknown."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.page.browser import DATA_PANELS, TILES, UNKNOWN, Visit

from millrace.errors import Step
from millrace.status import remedies

TRUST = ["freshness", "unpriced", "sources", "events", "marts", "builds", "origins"]
REPO = "acme-corp/service-01"


def test_every_tile_and_panel_is_filled(opened: Visit) -> None:
    assert opened.states("ready") == [*TILES, *DATA_PANELS, *TRUST]


def test_page_loads_without_failures_or_console_messages(opened: Visit) -> None:
    assert opened.wrong == []


def test_each_answer_is_requested_once(opened: Visit) -> None:
    asked = [url for url in opened.asked if "etl/status" not in url]  # which is requested again after 15 s

    assert sorted(asked) == sorted(set(asked))


def test_the_tiles_are_the_summary_of_the_api(opened: Visit) -> None:
    summary = opened.real("/api/summary?period=this_month")
    value = {row["measure"]: row["value"] for row in summary["rows"]}

    figures = [text.replace("\u00a0", " ") for text in opened.page.locator(".tile .figure").all_inner_texts()]

    assert figures[0] == f"≥ ${value['cost_usd']:,.2f}"
    assert figures[1] == f"≥ ${value['cost_per_merged_pr']:,.2f}"
    assert figures[2] == f"{value['merged_prs']:,.0f}"
    assert float(figures[3].removesuffix(" h")) == pytest.approx(value["median_cycle_time_hours"], abs=0.051)
    assert float(figures[4].partition("%")[0]) == pytest.approx(100 * value["revert_rate"], abs=0.51)
    assert opened.text("#tile-reverted .figure small").endswith("%)")
    assert "by Nov 30" in opened.text("#tile-spent")


def test_no_line_of_the_other_sums_ends_with_the_dot_between_two(opened: Visit) -> None:
    after_text = """(all) => all.map((one) => {
      const text = document.createRange();
      text.selectNodeContents(one);
      const [box, words] = [one.getBoundingClientRect(), text.getBoundingClientRect()];
      return { top: box.top, after: Math.round(box.right - words.right) };
    })"""

    sums = opened.page.locator(".sums span").evaluate_all(after_text)

    last = {one["top"]: one["after"] for one in sums}
    assert len(last) > 1
    assert set(last.values()) == {0}


def test_a_month_that_ends_today_has_no_projection(visit: Visit) -> None:
    visit.instead("/api/summary", visit.real("/api/summary?period=this_month") | {"to": "2026-11-30"})

    assert "by Nov 30" not in visit.open().text("#tile-spent")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"verdict": "lower", "change": -0.21}, "▼ 21% vs Oct 1 \u2013 24"),
        ({"verdict": "no_clear_change", "change": 0.04}, "▲ 4%, could be chance"),
        ({"verdict": "no_clear_change", "change": 0.001}, "no clear change vs Oct 1 \u2013 24"),
        ({"verdict": "too_few", "change": 0.5}, "too few to compare"),
        ({"verdict": "not_known", "previous_value": None, "change": None}, "no earlier days to compare"),
        ({"verdict": "same", "change": 0.0}, "as on Oct 1 \u2013 24"),
    ],
)
def test_a_change_has_the_word_of_its_verdict(opened: Visit, changed: dict[str, Any], said: str) -> None:
    row = {"measure": "median_cycle_time_hours", "unit": "hours", "value": 70.0, "previous_value": 71.0} | changed

    shown = opened.page.evaluate(
        "async (row) => (await import('/page/tiles.js')).changeOf(row, {from: '2026-10-01', to: '2026-10-24'})", row
    )

    assert shown == said


def test_a_large_sum_fits_its_tile_and_stays_beside_its_sign(opened: Visit) -> None:
    measures = {"cost_usd": "5153.81", "n_cost": 1, "assistant_message_count": 2}

    shown = opened.page.evaluate(
        "async (of) => { const f = await import('/page/format.js'); return f.cost(of, f.shortUsd); }", measures
    )

    assert shown == "≥\u00a0$5,154"


def test_unknown_is_not_zero(visit: Visit) -> None:
    summary = visit.real("/api/summary?period=this_month")
    for row in summary["rows"]:
        row["value"] = None
    visit.instead("/api/summary", summary)

    visit.open()

    assert visit.text("#tile-median .figure") == UNKNOWN
    assert visit.text("#tile-spent .figure") in (UNKNOWN, "unknown")
    assert "0" not in "".join(visit.page.locator(".tile .figure").all_inner_texts())


@pytest.mark.parametrize(
    ("value", "text"), [(0.998, "99.8%"), (0.9999, "99.9%"), (1, "100%"), (0.0004, "< 0.1%"), (0, "0%"), (0.5, "50%")]
)
def test_a_rate_is_whole_only_where_it_is(opened: Visit, value: float, text: str) -> None:
    assert opened.page.evaluate(f"async () => (await import('/page/format.js')).rate({value})") == text


def test_people_have_cost_and_share(opened: Visit) -> None:
    answer = opened.real("/api/people?period=this_month")

    rows = [
        row.split("\t") for row in opened.page.locator("#where table >> nth=0").locator("tbody tr").all_inner_texts()
    ]

    assert [row[0].split()[0] for row in rows] == [row["person"] for row in answer["rows"]][: len(rows)]
    share = float(answer["rows"][0]["cost_usd"]) / float(answer["totals"]["cost_usd"])
    assert float(rows[0][2].removesuffix("%")) == pytest.approx(100 * share, abs=0.51)


def test_where_it_went_is_kept_in_the_address(used: Visit) -> None:
    for view, head in (("repository", "Repository"), ("model", "Model"), ("session", "Session"), ("person", "Person")):
        used.page.get_by_role("radio", name=view, exact=True).check()
        expect(used.page.locator("#where thead th").first).to_have_text(head)
        expect(used.page.locator("#where")).to_have_attribute("data-state", "ready")

    used.page.get_by_role("radio", name="model", exact=True).check()

    assert "by=model" in used.page.url


def test_what_is_not_matched_has_the_command_that_maps_it(used: Visit, built: Path) -> None:
    used.page.get_by_role("radio", name="repository", exact=True).check()
    used.page.locator("#where").get_by_role("button", name="map it").click()

    said = remedies.remedy(Step.MAP_PROJECT, remedies.laptop(built)).removeprefix("type: ")
    expect(used.page.locator(".says:popover-open code")).to_have_text(said)
    used.page.keyboard.press("Escape")


@pytest.mark.parametrize(
    ("call", "step"),
    [
        ("map_project()", Step.MAP_PROJECT),
        ("map_user('USER')", Step.MAP_USER),
        ("usage()", Step.COLLECT),
        ("pull_requests()", Step.CONNECT),
    ],
)
def test_commands_are_those_of_the_status(opened: Visit, built: Path, call: str, step: Step) -> None:
    command = opened.page.evaluate(f"async () => (await import('/page/connected.js')).steps.{call}.text")

    assert f"type: {command}" == remedies.remedy(step, remedies.laptop(built))


def test_a_name_like_an_option_is_a_name_in_a_command(opened: Visit) -> None:
    command = opened.page.evaluate("async () => (await import('/page/connected.js')).steps.map_user('--lake=x y').text")

    assert command.endswith(" -- '--lake=x y' DEVELOPER")


def test_a_count_of_pull_requests_leads_to_them(visit: Visit) -> None:
    visit.open().page.locator("#went-into").get_by_role("button", name=f"pull requests of {REPO}").click()
    visit.settled()

    assert "list=pull-requests" in visit.page.url
    assert ("repo", REPO) in visit.queries("/api/pull-requests")[-1]
    shown = visit.page.locator("#rows tbody tr").all_inner_texts()
    assert shown
    assert all(REPO in row for row in shown)


def test_the_lists_are_turned_page_by_page(used: Visit) -> None:
    total = used.real("/api/sessions?period=this_month")["total_count"]
    expect(used.page.locator("#rows .pager")).to_contain_text(f"1\u201320 of {total}")

    used.page.get_by_role("button", name="Next").click()

    expect(used.page.locator("#rows .pager")).to_contain_text(f"21\u201340 of {total}")
    expect(used.page.get_by_role("button", name="Previous")).to_be_enabled()


def test_a_definition_opens_by_keyboard_and_closes_by_escape(used: Visit) -> None:
    button = used.page.get_by_role("button", name="What is: Reverted?")
    button.press("Enter")

    box = used.page.locator(".says:popover-open")
    expect(box).to_contain_text("were taken back later")
    expect(button).to_have_attribute("aria-expanded", "true")
    used.page.keyboard.press("Escape")
    expect(box).to_have_count(0)


def test_a_fast_response_without_a_price_is_shown_as_fast(opened: Visit) -> None:
    rows = opened.page.locator("#unpriced tbody tr").all_text_contents()

    (fast,) = [row for row in rows if "claude-opus-4-5" in row]
    assert "claude, anthropic, speed fast" in fast
    remedy = next(check["remedy"] for check in opened.real("/api/etl/status")["checks"] if check["code"] == "no_price")
    assert remedy[1:] in (opened.page.locator("#unpriced .note").text_content() or "")


def test_days_without_a_known_cost_are_counted(opened: Visit) -> None:
    assert "the cost of some responses is unknown" in opened.text("#cost-by-day .note")


def test_a_model_under_two_ids_is_one_series(opened: Visit) -> None:
    legend = opened.text("#cost-by-day .legend")

    assert "claude-opus-4-1 $" in legend
    assert "20250805" not in legend


def test_sessions_have_the_name_of_their_model_as_elsewhere(used: Visit) -> None:
    names = {row["model"] for row in used.real("/api/models?period=this_month")["rows"]}
    logged = {row["primary_model"] for row in used.real("/api/sessions?period=this_month&limit=20")["rows"]}
    assert logged - names  # some logs have another id

    used.page.get_by_role("radio", name="session", exact=True).check()
    expect(used.page.locator("#where thead th").first).to_have_text("Session")
    expect(used.page.locator("#where")).to_have_attribute("data-state", "ready")

    assert set(used.page.locator("#rows tbody td:nth-of-type(5)").all_inner_texts()) <= names
    shown = used.page.locator("#where table >> nth=0").locator("tbody small").all_inner_texts()
    assert {text.rpartition(" · ")[2] for text in shown} <= names


def test_cost_per_merged_pull_request_covers_all_repositories_of_week(opened: Visit) -> None:
    rows = opened.real("/api/ai-spend?period=this_month")["rows"]
    same = [row for row in rows if row["week"] == rows[0]["week"] and row["cost_usd"] is not None]
    per_pr = sum(float(row["cost_usd"]) for row in same) / sum(row["merged_prs"] for row in same)
    mark = "≥\u00a0" * any(row["n_cost"] < row["assistant_message_count"] for row in same)

    assert opened.page.locator("#cost-per-pr .numbers tbody td").first.text_content() == f"{mark}${per_pr:.2f}"


def test_the_days_are_stacked_by_model_or_by_provider(used: Visit) -> None:
    expect(used.page.locator("#cost-by-day .legend")).to_contain_text("claude-")

    used.page.get_by_role("radio", name="by provider").check()

    expect(used.page.locator("#cost-by-day .legend")).to_contain_text("anthropic")
    assert "unknown" not in used.text("#cost-by-day .legend")  # prompts have no provider
    assert "stack=provider" in used.page.url


def test_every_csv_link_returns_all_rows_of_its_panel(visit: Visit) -> None:
    links = visit.open(f"?repo={REPO}").page.locator("a.csv").all()

    hrefs = [link.get_attribute("href") or "" for link in links]
    answers = [visit.page.request.get(visit.url + href) for href in hrefs]

    assert [answer.headers["content-type"] for answer in answers] == ["text/csv; charset=utf-8"] * len(DATA_PANELS)
    assert all("repo=acme-corp%2Fservice-01" in href and "limit=" not in href for href in hrefs)


def test_data_health_names_where_each_panel_comes_from(visit: Visit) -> None:
    developer = visit.real("/api/people?period=this_month")["rows"][0]["developer"]
    visit.open(f"?developer={developer}").unfolded()

    origins = [row.split("\t")[:2] for row in visit.page.locator("#origins tbody tr").all_inner_texts()]

    assert ["Review load", "events"] in origins
