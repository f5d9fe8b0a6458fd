"""Filters narrow the request, and are kept in the address of the page."""

from playwright.sync_api import expect
from tests.page.browser import DATA_PANELS, Visit

REPO = "acme-corp/service-01"


def enter(visit: Visit, label: str, value: str) -> None:
    visit.page.get_by_label(label, exact=True).fill(value)
    visit.page.get_by_label(label, exact=True).press("Enter")
    visit.settled()


def test_a_repository_is_in_the_address_and_in_every_request(visit: Visit) -> None:
    visit.open().asked.clear()

    enter(visit, "Repository", REPO)

    assert visit.page.url.endswith("/?repo=acme-corp%2Fservice-01")
    assert len(visit.asked) == len(DATA_PANELS)
    assert all("repo=acme-corp%2Fservice-01" in url for url in visit.asked)


def test_names_add_up(visit: Visit) -> None:
    enter(visit.open(), "Repository", REPO)

    enter(visit, "Repository", "acme-corp/service-02")

    assert [value for key, value in visit.queries("/api/velocity")[-1] if key == "repo"] == [
        REPO,
        "acme-corp/service-02",
    ]


def test_a_name_may_hold_anything(visit: Visit) -> None:
    enter(visit.open(), "Developer", "Doe, Jane & Söhne #1")

    assert ("developer", "Doe, Jane & Söhne #1") in visit.queries("/api/velocity")[-1]
    expect(visit.page.locator("#chips")).to_contain_text("Doe, Jane & Söhne #1")


def test_provider_and_model_filters_apply_to_usage_only(visit: Visit) -> None:
    visit.open("?provider=openai&model=gpt-5-codex")

    assert visit.queries("/api/velocity") == [[("limit", "1000")]]
    assert visit.queries("/api/dashboard-data") == [
        [("provider", "openai"), ("model", "gpt-5-codex"), ("limit", "1000")]
    ]
    assert visit.states("error") == []


def test_a_shared_address_shows_the_same_view(visit: Visit) -> None:
    visit.open(f"?from=2026-10-01&to=2026-10-31&repo={REPO}&stack=model")

    expect(visit.page.get_by_label("From", exact=True)).to_have_value("2026-10-01")
    expect(visit.page.get_by_role("radio", name="by model")).to_be_checked()
    assert " ".join(visit.text("#cycle-time .meta").split()).startswith("Oct 1 \u2013 31, 2026")


def test_dates_are_taken_as_they_are_entered(visit: Visit) -> None:
    visit.open().page.get_by_label("From", exact=True).fill("2026-11-01")
    visit.page.get_by_label("From", exact=True).blur()
    visit.settled()

    assert visit.page.url.endswith("?from=2026-11-01")
    assert ("from", "2026-11-01") in visit.queries("/api/ai-impact")[-1]


def test_a_chip_takes_its_filter_away_and_leaves_the_focus_near(visit: Visit) -> None:
    visit.open(f"?repo={REPO}&developer=user_001")

    visit.page.get_by_role("button", name=f"Repository {REPO}: remove").press("Enter")
    visit.settled()

    assert visit.page.url.endswith("?developer=user_001")
    expect(visit.page.get_by_role("button", name="Developer user_001: remove")).to_be_focused()


def test_reset_takes_all_away(visit: Visit) -> None:
    visit.open(f"?repo={REPO}&from=2026-10-01").page.get_by_role("button", name="Reset").click()
    visit.settled()

    assert visit.page.url == f"{visit.url}/"
    expect(visit.page.get_by_label("From", exact=True)).to_have_value("")


def test_the_way_back_is_the_browsers(visit: Visit) -> None:
    enter(visit.open("?stack=model"), "Repository", REPO)

    visit.page.go_back()
    visit.settled()

    assert visit.page.url.endswith("/?stack=model")
    assert visit.queries("/api/velocity")[-1] == [("limit", "1000")]
    expect(visit.page.locator("#chips li")).to_have_count(0)


def test_names_to_choose_from_are_those_of_the_answers(opened: Visit) -> None:
    known = {
        key: [one.get_attribute("value") for one in opened.page.locator(f"#known-{key} option").all()]
        for key in ("repo", "provider", "model")
    }

    assert known["repo"] == [REPO, "acme-corp/service-02"]
    assert known["provider"] == ["anthropic", "openai", "openrouter"]
    assert "claude-opus-4-6" in known["model"]
