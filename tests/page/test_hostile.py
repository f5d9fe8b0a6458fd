"""Names in the data are shown as text, whatever they contain."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from tests.page.browser import DATA_PANELS, Visit

PAGE = Path(__file__).resolve().parents[2] / "src" / "millrace" / "api" / "page"
EVIL = '<img src=x onerror="document.title=1"><script>document.title=2</script>"\'&amp;'
ROUTES = (
    "/api/dashboard-data",
    "/api/people",
    "/api/repositories",
    "/api/models",
    "/api/sessions",
    "/api/pull-requests",
    "/api/summary",
    "/api/ai-spend",
    "/api/velocity",
    "/api/ai-impact",
    "/api/agent-pull-requests",
    "/api/quality",
    "/api/review-costs",
    "/api/etl/status",
)
NAMES = (
    "person",
    "developer",
    "project",
    "session_id",
    "primary_model",
    "model_ids",
    "summary",
    "sentence",
    "repo_name",
    "provider",
    "model",
    "agent",
    "table",
    "name",
    "run_id",
    "reason",
    "result",
    "source",
    "store_error",
)


def poisoned(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: poisoned(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [poisoned(one, key) for one in value] if key != "reasons" else [EVIL, EVIL]
    return EVIL if key in NAMES else value


def poison(visit: Visit) -> Visit:
    for route in ROUTES:
        query = "?period=this_month" if route != "/api/etl/status" else ""
        visit.instead(route, poisoned(visit.real(route + query)))
    return visit


@pytest.fixture(scope="module")
def visit_of_evil(chromium: Browser, served: str) -> Iterator[Visit]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield poison(Visit(context.new_page(), served)).open()
    context.close()


def test_hostile_names_are_shown_and_do_nothing(visit_of_evil: Visit) -> None:
    visit = visit_of_evil

    assert set(visit.states("ready")) >= {*DATA_PANELS, "marts", "sources", "builds"}
    assert EVIL in visit.text("#where table >> nth=0")
    assert EVIL in visit.text("#went-into table >> nth=0")
    assert EVIL in visit.text("#rows table")
    assert EVIL in visit.text("#reasons p")
    assert visit.page.locator("img, main script, [onerror]").count() == 0
    assert visit.page.title() == "Millrace"
    assert visit.wrong == []


def test_a_hostile_name_in_the_tooltip_is_text(visit_of_evil: Visit) -> None:
    visit = visit_of_evil
    plot = visit.page.locator("#cost-by-day .plot")
    plot.press("End")  # a day without usage so far
    plot.press("ArrowLeft")

    expect(visit.page.locator("#cost-by-day .tip")).to_contain_text(EVIL)
    assert visit.page.locator("img").count() == 0


def test_a_hostile_name_in_a_list_to_pick_from_is_text(visit_of_evil: Visit) -> None:
    visit = visit_of_evil
    visit.page.locator("#pickers button.pick", has_text="Person").click()

    expect(visit.page.locator(".picker:popover-open li").first).to_contain_text(EVIL)
    assert visit.page.locator("img").count() == 0


def test_a_hostile_name_in_a_command_is_quoted(opened: Visit) -> None:
    command = opened.page.evaluate(
        "async () => (await import('/page/connected.js')).steps.map_user(\"a'; rm -rf ~ #\").text"
    )

    assert command.endswith(" 'a'\\''; rm -rf ~ #' DEVELOPER")


def test_a_hostile_filter_in_the_address_is_text(visit: Visit) -> None:
    visit.open("?repo=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E")

    expect(visit.page.locator("#chips")).to_contain_text("<img src=x onerror=alert(1)>")
    assert visit.page.locator("img").count() == 0


def test_a_hostile_problem_is_text(panels: Visit) -> None:
    panels.instead("/api/velocity", {"title": EVIL, "detail": EVIL, "next_step": EVIL, "status": 503}, status=503)

    panel = panels.redraw("cycle-time")

    assert panel.locator(".problem").inner_text().count(EVIL) == 3
    assert panels.page.locator("img").count() == 0


def test_no_module_makes_markup_of_text() -> None:
    modules = "".join(each.read_text() for each in PAGE.glob("*.js"))

    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function", modules)
        == []
    )


def test_the_page_needs_no_exception_from_its_policy(visit: Visit) -> None:
    policy = visit.page.request.get(f"{visit.url}/").headers["content-security-policy"]

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
