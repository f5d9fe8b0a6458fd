"""One range and one choice of names for all panels, kept in the address of the page."""

from playwright.sync_api import expect
from tests.page.browser import Visit

REPO = "acme-corp/service-01"
OTHER = "acme-corp/service-02"


def pick(visit: Visit, label: str, *names: str) -> None:
    button = visit.page.locator("#pickers button.pick", has_text=label)
    button.click()
    for name in names:
        visit.page.get_by_role("checkbox", name=name, exact=True).click()
    visit.page.keyboard.press("Escape")
    visit.settled()


def test_the_page_opens_with_this_month(opened: Visit) -> None:
    queries = [
        query for route in ("summary", "velocity", "dashboard-data") for query in opened.queries(f"/api/{route}")
    ]

    assert [dict(query)["period"] for query in queries] == ["this_month"] * 3
    assert opened.text("#span") == "Nov 1 \u2013 24 so far, compared with Oct 1 \u2013 24"
    assert opened.text("#cycle-time .meta") == "weeks of Nov 2 \u2013 23, 2026"


def test_a_preset_is_the_range_of_every_request(visit: Visit) -> None:
    visit.open().asked.clear()

    visit.page.get_by_label("Range").select_option("Last month")
    visit.settled()

    assert visit.page.url.endswith("/?period=last_month")
    assert len(visit.asked) > 8
    of_all_time = ("/api/etl/status", "/api/sources")
    asked = [url for url in visit.asked if not any(route in url for route in of_all_time)]
    assert all("period=last_month" in url for url in asked)
    visit.page.go_back()
    visit.settled()
    expect(visit.page.get_by_label("Range")).to_have_value("this_month")
    assert visit.page.url == f"{visit.url}/"


def test_own_days_are_applied_together(visit: Visit) -> None:
    visit.open().page.get_by_label("Range").select_option("Choose days …")
    visit.page.get_by_label("From", exact=True).fill("2026-10-05")
    visit.page.get_by_label("To", exact=True).fill("2026-10-18")

    visit.page.get_by_role("button", name="Apply").click()
    visit.settled()

    assert visit.page.url.endswith("/?from=2026-10-05&to=2026-10-18")
    assert dict(visit.queries("/api/summary")[-1]) == {"from": "2026-10-05", "to": "2026-10-18"}
    assert visit.text("#span").startswith("Oct 5 \u2013 18, compared with")


def test_days_in_the_wrong_order_are_one_message_and_no_request(visit: Visit) -> None:
    visit.open().page.get_by_label("Range").select_option("Choose days …")
    visit.asked.clear()
    visit.page.get_by_label("From", exact=True).fill("2026-11-20")
    visit.page.get_by_label("To", exact=True).fill("2026-11-02")

    visit.page.get_by_role("button", name="Apply").click()

    expect(visit.page.get_by_role("alert")).to_have_text(
        "From (Nov 20) is after To (Nov 2): choose an earlier first day, or a later last day."
    )
    expect(visit.page.get_by_label("From", exact=True)).to_be_focused()
    assert visit.asked == []


def test_an_address_with_days_in_the_wrong_order_has_one_message(visit: Visit) -> None:
    visit.open("?from=2026-11-20&to=2026-11-02")

    assert visit.page.get_by_text("is after To").count() == 1
    assert visit.states("error") == []
    assert all("etl/status" in url for url in visit.asked)


def test_names_are_picked_from_those_that_there_are(visit: Visit) -> None:
    visit.open()

    pick(visit, "Repository", REPO, OTHER)

    asked = [value for key, value in visit.queries("/api/velocity")[-1] if key == "repo"]
    assert asked == [REPO, OTHER]
    assert visit.page.locator("#chips li").count() == 2
    assert visit.text("#pickers button.pick >> nth=1").replace("\n", " ") == f"Repository {REPO} +1"


def test_every_filter_lists_its_names(used: Visit) -> None:
    found = {}
    for button in used.page.locator("#pickers button.pick").all():
        button.click()
        box = used.page.locator(".picker:popover-open")
        expect(box.locator("li").first).to_be_visible()
        found[button.inner_text().split()[0]] = box.locator("li").all_inner_texts()

    assert found["Person"] == sorted(
        row["person"] for row in used.real("/api/people?period=all")["rows"] if row["person"]
    )
    assert found["Repository"] == [REPO, OTHER]
    assert found["Provider"] == ["anthropic", "openai", "openrouter"]
    assert "claude" in found["Agent"]
    assert "claude-opus-4-6" in found["Model"]


def test_a_part_of_a_name_finds_it(used: Visit) -> None:
    used.page.locator("#pickers button.pick", has_text="Repository").click()
    names = used.page.locator(".picker:popover-open li")
    expect(names).to_have_count(2)

    used.page.get_by_label("Search: Repository").fill("-02")
    expect(names).to_have_text([OTHER])
    used.page.get_by_label("Search: Repository").fill("nope")

    expect(used.page.locator(".picker:popover-open [role=status]")).to_have_text("No name contains “nope”.")


def test_filters_of_usage_are_not_sent_for_pull_requests_and_this_is_said(visit: Visit) -> None:
    visit.open("?provider=openai&agent=codex")

    assert [key for key, _ in visit.queries("/api/velocity")[0]] == ["period", "limit"]
    assert ("agent", "codex") in visit.queries("/api/dashboard-data")[0]
    expect(visit.page.locator("#narrows")).to_be_visible()


def test_a_shared_address_shows_the_same_view(visit: Visit) -> None:
    visit.open(f"?from=2026-10-01&to=2026-10-31&repo={REPO}&stack=provider&by=model&list=pull-requests")

    expect(visit.page.get_by_label("From", exact=True)).to_have_value("2026-10-01")
    for name in ("by provider", "model", "Pull requests"):
        expect(visit.page.get_by_role("radio", name=name, exact=True)).to_be_checked()
    assert visit.text("#cycle-time .meta") == "weeks of Oct 5 \u2013 26, 2026"


def test_a_click_on_a_person_filters_all_panels_and_another_one_ends_it(visit: Visit) -> None:
    visit.open()
    first = visit.page.locator("#where tbody button.name").first
    name = first.get_attribute("title")

    first.click()
    visit.settled()

    assert ("person", name) in visit.queries("/api/summary")[-1]
    assert ("person", name) in visit.queries("/api/velocity")[-1]
    visit.page.locator("#where tbody button.name[aria-pressed=true]").first.click()
    visit.settled()
    assert visit.page.url == f"{visit.url}/"


def test_a_chip_takes_its_filter_away_and_leaves_the_focus_near(visit: Visit) -> None:
    developer = visit.real("/api/people?period=this_month")["rows"][0]["developer"]
    visit.open(f"?repo={REPO}&developer={developer}")

    visit.page.get_by_role("button", name=f"Repository {REPO}: remove").press("Enter")
    visit.settled()

    assert visit.page.url.endswith(f"?developer={developer}")
    expect(visit.page.get_by_role("button", name=f"Developer {developer}: remove")).to_be_focused()
    assert visit.wrong == []


def test_reset_takes_all_away(visit: Visit) -> None:
    visit.open(f"?repo={REPO}&from=2026-10-01").page.get_by_role("button", name="Reset").click()
    visit.settled()

    assert visit.page.url == f"{visit.url}/"
    expect(visit.page.get_by_label("Range")).to_have_value("this_month")
    expect(visit.page.get_by_role("button", name="Reset")).to_be_hidden()


def test_a_range_with_nothing_before_it_is_compared_with_nothing(visit: Visit) -> None:
    visit.open("?period=last_90_days")

    assert visit.text("#span") == "Aug 27 \u2013 Nov 24"
