"""Usable by keyboard, by screen reader, on a phone, in the dark."""

import importlib
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.page.browser import Scheme, Visit
from tests.page.conftest import Visitor
from tests.page.test_hostile import poison

OPEN_ALL = "() => document.querySelectorAll('details').forEach((one) => { one.open = true; })"
WIDTHS = (320, 390, 700, 820, 1280, 1400)  # 700 is 1400 at 200 % zoom
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def overflow_px(page: Page, width: int) -> int:
    """Return by how much the page is wider than a screen of this width, after its charts are drawn for that."""
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(DRAWN)
    overflow: int = page.evaluate(OVERFLOW)
    return overflow


def violations(visit: Visit, *within: str) -> list[str]:
    """Return the violations that axe finds on the page, or within what some selectors match."""
    axe: Any = importlib.import_module("axe_playwright_python.sync_playwright").Axe()
    context = {"include": [[selector] for selector in within]} if within else None
    found: list[dict[str, Any]] = axe.run(visit.page, context).response["violations"]
    return [f"{one['id']}: {node['html'][:120]} {node['any'][:1]}" for one in found for node in one["nodes"]]


@pytest.fixture(scope="module")
def unfolded(chromium: Browser, served: str) -> Iterator[Visit]:
    """The page of one repository with all that it folds; a test sets the width and the scheme."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    visit = Visit(context.new_page(), served).open("?repo=acme-corp/service-01")
    visit.page.evaluate(OPEN_ALL)
    yield visit
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_axe_finds_nothing(unfolded: Visit, width: int, scheme: Scheme) -> None:
    pytest.importorskip("axe_playwright_python")
    unfolded.page.emulate_media(color_scheme=scheme)
    overflow_px(unfolded.page, width)

    assert violations(unfolded) == []


def test_axe_finds_nothing_in_failures_either(visitor: Visitor) -> None:
    pytest.importorskip("axe_playwright_python")
    visit = visitor(color_scheme="light", reduced_motion="reduce").open("?from=never")
    found = violations(visit)
    visit.page.emulate_media(color_scheme="dark")

    assert found + violations(visit) == []


def test_nothing_is_wider_than_the_screen(unfolded: Visit) -> None:
    assert {width: overflow_px(unfolded.page, width) for width in WIDTHS} == dict.fromkeys(WIDTHS, 0)


def test_definitions_stay_within_the_screen(unfolded: Visit) -> None:
    page = unfolded.page
    for width in (1400, 820, 390):
        overflow_px(page, width)
        page.locator("#tile-reverted button.info").click()
        box = page.locator(".says:popover-open").bounding_box()
        page.keyboard.press("Escape")

        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_in_the_dark_the_page_is_dark(unfolded: Visit) -> None:
    unfolded.page.emulate_media(color_scheme="dark")

    expect(unfolded.page.locator("body")).to_have_css("background-color", "rgb(17, 22, 29)")


def test_who_wants_no_motion_gets_none(unfolded: Visit) -> None:
    expect(unfolded.page.get_by_role("button", name="Next")).to_have_css("transition-duration", "0s")


def test_long_and_hostile_names_are_not_wider_than_a_phone(visitor: Visitor) -> None:
    visit = poison(visitor(width=360)).open("?developer=" + "x" * 150)
    visit.page.evaluate(OPEN_ALL)

    assert visit.page.evaluate(OVERFLOW) == 0


def test_every_field_has_a_label(opened: Visit) -> None:
    unnamed = (
        "(all) => all.filter((one) => one.labels.length + (one.ariaLabel ? 1 : 0) !== 1).map((one) => one.outerHTML)"
    )

    assert opened.page.locator("input, select").evaluate_all(unnamed) == []


def test_headings_go_down_one_step_at_a_time(opened: Visit) -> None:
    levels = opened.page.evaluate("() => [...document.querySelectorAll('h1,h2,h3,h4')].map((one) => +one.tagName[1])")

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert [after for before, after in itertools.pairwise(levels) if after > before + 1] == []


def test_there_are_landmarks_and_a_language(opened: Visit) -> None:
    assert opened.page.locator("html").get_attribute("lang") == "en"
    expect(opened.page.get_by_role("banner")).to_have_count(1)
    expect(opened.page.get_by_role("search")).to_have_count(1)
    expect(opened.page.get_by_role("main")).to_have_count(1)
    expect(opened.page.get_by_role("contentinfo")).to_have_count(1)


def test_every_chart_has_a_name_and_a_table_beside_it(opened: Visit) -> None:
    charts = opened.page.get_by_role("img").all()

    assert len(charts) >= 7
    assert all(chart.get_attribute("aria-label") for chart in charts)
    assert all(chart.locator("xpath=ancestor::section[1]//table").count() for chart in charts)


def test_badge_is_announced_to_screen_readers(opened: Visit) -> None:
    expect(opened.page.locator("#badge")).to_have_attribute("aria-live", "polite")
    expect(opened.page.locator("#badge")).to_have_role("status")


def test_the_first_tab_leads_past_the_filters(visit: Visit) -> None:
    visit.open().page.keyboard.press("Tab")
    expect(visit.page.get_by_role("link", name="Skip to the numbers")).to_be_focused()

    visit.page.keyboard.press("Enter")

    expect(visit.page.locator("main")).to_be_focused()


def test_the_focus_of_the_keyboard_can_be_seen(used: Visit) -> None:
    used.page.get_by_label("Range").focus()
    used.page.keyboard.press("Tab")

    focused = used.page.locator(":focus")

    assert focused.inner_text().startswith("Person")
    expect(focused).to_have_css("outline-style", "solid")
    expect(focused).to_have_css("outline-width", "3px")


def test_the_switch_is_moved_by_arrow_keys(used: Visit) -> None:
    used.page.get_by_role("radio", name="by model").focus()

    used.page.keyboard.press("ArrowRight")

    expect(used.page.get_by_role("radio", name="by provider")).to_be_checked()
    expect(used.page.locator("#cost-by-day .legend")).to_contain_text("anthropic")


def test_a_list_of_names_is_used_by_keyboard_alone(used: Visit) -> None:
    button = used.page.locator("#pickers button.pick", has_text="Repository")
    button.press("Enter")
    expect(used.page.locator(".picker:popover-open li").first).to_be_visible()

    used.page.keyboard.press("Tab")
    used.page.keyboard.press("Space")
    used.settled()
    used.page.keyboard.press("Escape")

    expect(button).to_be_focused()
    assert "repo=acme-corp" in used.page.url


def test_a_long_name_is_whole_for_a_screen_reader_and_on_focus(visit: Visit) -> None:
    people = visit.real("/api/people?period=this_month")
    people["rows"][0]["person"] = "a-name-" + "x" * 150
    visit.instead("/api/people", people)
    name = visit.open().page.locator("#where tbody button.name").first
    cut = name.bounding_box()

    name.focus()
    visit.page.keyboard.press("Shift+Tab")
    visit.page.keyboard.press("Tab")

    assert name.inner_text() == people["rows"][0]["person"]
    assert cut is not None
    assert (name.bounding_box() or cut)["height"] > 2 * cut["height"]
