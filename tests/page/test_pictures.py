"""The page looks as it is recorded: at three widths, light and dark. `python -m tests.page --golden` records it."""

import pytest
from playwright.sync_api import Browser
from tests.page import pictures
from tests.page.browser import Visit
from tests.page.conftest import Visitor
from tests.page.pictures import Shot

AGAIN = "if this is wanted, look at it and type: python -m tests.page --golden"


@pytest.fixture(scope="module")
def shown(chromium: Browser, served: str) -> list[Shot]:
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    visit = pictures.steady(Visit(context.new_page(), served)).open(pictures.QUERY)
    found = list(pictures.shots(visit))
    context.close()
    return found


def test_nothing_overlaps_or_is_cut(shown: list[Shot]) -> None:
    assert {shot.name: shot.faults for shot in shown if shot.faults} == {}


def test_panels_are_where_they_were(shown: list[Shot]) -> None:
    before = pictures.recorded()["boxes"]

    faults = {shot.name: pictures.moved(before[shot.name], shot.boxes) for shot in shown}

    assert {name: said for name, said in faults.items() if said} == {}, AGAIN


def test_page_looks_as_recorded(chromium: Browser, shown: list[Shot]) -> None:
    if pictures.environment(chromium) != pictures.recorded()["environment"]:
        pytest.skip("pictures are compared only with the browser and the fonts of the record")
    codec = chromium.new_page()

    faults = {
        shot.name: pictures.difference(codec, (pictures.GOLDEN / f"{shot.name}.webp").read_bytes(), shot.png)
        for shot in shown
    }
    codec.close()

    assert {name: said for name, said in faults.items() if said} == {}, AGAIN


def test_moved_panel_is_seen_and_smoothing_is_not(visitor: Visitor, chromium: Browser) -> None:
    page, codec = visitor(width=820).page, chromium.new_page()
    page.set_content("<body style='margin:0;font:16px sans-serif'><div style='border:1px solid;width:9em'>spent $12")
    golden = pictures.shrunk(codec, page.screenshot())
    page.evaluate("() => { document.body.style.letterSpacing = '0.03px'; }")
    smoothed = pictures.difference(codec, golden, page.screenshot())
    page.evaluate("() => { document.querySelector('div').style.marginLeft = '12px'; }")

    moved = pictures.difference(codec, golden, page.screenshot())
    codec.close()

    assert smoothed is None
    assert moved is not None
