"""The line of each account of a source in the data health, which unfolds to what is not complete."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from tests.page.browser import Visit
from tests.page.test_access import WIDTHS, overflow_px, violations
from tests.page.test_hostile import EVIL

STATUS = "/api/etl/status"
COUNTS = {"repositories": 40, "complete": 37, "provisional": 2, "unknown": 0, "refused": 1, "lists_to_look_at": 0}


def part(name: str, state: str, **more: object) -> dict[str, object]:
    here = {"object": "pull_requests", "row_count": 3, "source_total": 5, "missing": 2, "reason": None}
    return {"name": name, "state": state} | here | more


SHOWN = [
    part("acme/" + "very-long-name-" * 6, "refused", row_count=None, reason=f"no right; {EVIL}"),
    part("acme/shop", "provisional"),
]
ACME = {"source": "github", "account": "acme"} | COUNTS | {"incomplete_count": 3, "incomplete": SHOWN}
WHOLE = COUNTS | {"complete": 40, "provisional": 0, "refused": 0, "incomplete_count": 0, "incomplete": []}
BETA = {"source": "github", "account": "beta"} | WHOLE


def completeness(visit: Visit, *accounts: dict[str, Any]) -> None:
    visit.instead(STATUS, visit.real(STATUS) | {"completeness": accounts})


@pytest.fixture(scope="module")
def shown(chromium: Browser, served: str) -> Iterator[Visit]:
    """A page whose status has two accounts, with the data health unfolded."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    visit = Visit(context.new_page(), served)
    visit.page.clock.install()
    completeness(visit, ACME, BETA)
    yield visit.open().unfolded()
    context.close()


def test_each_account_has_its_line(shown: Visit) -> None:
    assert shown.page.locator("#sources .account > summary, #sources p.account").all_inner_texts() == [
        "github acme: ▲ 37 of 40 repositories complete, 2 provisional, 1 refused",
        "github beta: ✓ 40 of 40 repositories complete",
    ]
    assert "github acme: 37 of 40 repositories complete, 2 provisional, 1 refused" in shown.text("#health-line")


def test_line_unfolds_to_reasons_and_stays_unfolded(shown: Visit) -> None:
    details = shown.page.locator("#sources details.account")
    details.locator("summary").press("Enter")

    expect(details.locator("tbody tr").first).to_contain_text(f"no right; {EVIL}")
    expect(details.locator("tbody tr").nth(1)).to_contain_text("3 of 5")
    expect(details).to_contain_text("and 1 more")
    shown.page.clock.fast_forward(15_000)
    expect(details).to_have_attribute("open", "")
    assert shown.page.title() == "Millrace"


def test_unfolded_line_is_accessible_at_every_width(shown: Visit) -> None:
    pytest.importorskip("axe_playwright_python")
    shown.page.locator("#sources details.account").evaluate("(one) => { one.open = true; }")

    assert {width: overflow_px(shown.page, width) for width in WIDTHS} == dict.fromkeys(WIDTHS, 0)
    assert violations(shown, "#sources") == []


def test_repositories_of_the_company_are_counted(opened: Visit) -> None:
    (account,) = opened.real(STATUS)["completeness"]
    merged = {row["repo_name"] for row in opened.real("/api/velocity?period=all")["rows"]}
    said = f"Repositories with pull requests{len(merged)} of {account['repositories']}"

    assert said in (opened.page.locator("#freshness").text_content() or "")


def test_account_of_the_company_is_said_to_be_complete(opened: Visit) -> None:
    (account,) = opened.real(STATUS)["completeness"]
    said = f"{account['complete']} of {account['repositories']} repositories complete"

    assert opened.page.locator(".account").all_text_contents() == [f"github acme-corp: ✓ {said}"]
    assert f"github acme-corp: {said}" in opened.text("#health-line")
