"""On paper the page is short, whole and without controls."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from tests.page.browser import TILES, Visit

PAGE_MM = 297
PAPER = {"width": 718, "height": 1040}  # A4 without its margins, in CSS pixels
MOST_PAGES = 4
PRINTING = "() => dispatchEvent(new Event('beforeprint'))"
PRINTED = "() => dispatchEvent(new Event('afterprint'))"
SEEN = "(selector) => [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility())"
OVER = f"""() => ({SEEN})('.panel, .tile, .plot svg, table')
  .map((one) => [one.closest('[id]').id, one.tagName, Math.round(one.getBoundingClientRect().right - innerWidth)])
  .filter(([, , by]) => by > 0)"""
HEIGHTS = f"""() => ({SEEN})('.panel')
  .map((one) => [one.id, one.getBoundingClientRect().height, getComputedStyle(one).breakInside])"""


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))


@pytest.fixture(scope="module")
def printed(chromium: Browser, served: str) -> Iterator[Visit]:
    """The page as laid out for paper, in the dark and with a name chosen, as people have it."""
    context = chromium.new_context(viewport=PAPER, color_scheme="dark")  # type: ignore[arg-type]
    visit = Visit(context.new_page(), served).open("?repo=acme-corp/service-01")
    visit.page.emulate_media(media="print", color_scheme="dark")
    visit.page.evaluate(PRINTING)
    yield visit
    context.close()


def test_page_is_printed_on_few_pages(used: Visit) -> None:
    assert pages_of(used.page.pdf(format="A4")) <= MOST_PAGES


def test_charts_are_as_wide_as_the_paper_and_then_as_the_screen_again(used: Visit) -> None:
    visit = used
    chart = visit.page.locator(".panel.wide .plot svg").first
    on_screen = chart.get_attribute("width") or ""

    visit.page.evaluate(PRINTING)
    on_paper = int(chart.get_attribute("width") or 0)
    visit.page.evaluate(PRINTED)

    assert 0.9 * PAPER["width"] < on_paper <= PAPER["width"]
    expect(chart).to_have_attribute("width", on_screen)


def test_no_panel_is_cut(printed: Visit) -> None:
    panels = printed.page.evaluate(HEIGHTS)

    assert [panel for panel in panels if panel[2] != "avoid" or panel[1] > PAPER["height"]] == []
    assert printed.page.evaluate(OVER) == []


def test_no_name_is_cut(printed: Visit) -> None:
    cut = f"() => ({SEEN})('.name').filter((one) => one.scrollWidth > one.clientWidth + 1).length"

    assert printed.page.locator("#went-into .name").count() > 0
    assert printed.page.evaluate(cut) == 0


def test_tiles_fill_one_row_of_the_paper(printed: Visit) -> None:
    boxes = printed.page.locator(".tile").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect()).map((box) => [box.top, box.width].map(Math.round))"
    )

    assert len(boxes) == len(TILES)
    assert len({top for top, _ in boxes}) == 1
    assert max(width for _, width in boxes) - min(width for _, width in boxes) <= 1


def test_controls_and_plumbing_are_not_printed(printed: Visit) -> None:
    for selector in ("form button", "a.csv", "#trust", "#rows", ".numbers", ".skip", ".info"):
        assert not any(one.is_visible() for one in printed.page.locator(selector).all()), selector


def test_chosen_filters_and_views_are_printed(printed: Visit) -> None:
    assert "Nov 1" in printed.text("#span")
    assert "acme-corp/service-01" in printed.text("#chips")
    choices = [one for one in printed.page.locator(".choice").all() if one.is_visible()]
    assert len(choices) == 3  # of the spend, where it went, the AI panel
    for choice in choices:
        chosen = choice.locator("label:has(input:checked)").inner_text()
        assert choice.inner_text().split("\n")[-1] == chosen


def test_paper_is_light_after_a_dark_page(printed: Visit) -> None:
    expect(printed.page.locator("#cycle-time")).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(printed.page.locator("#cycle-time h3")).to_have_css("color", "rgb(0, 0, 0)")
