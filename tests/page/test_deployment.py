"""The page of a deployment: its next steps are those of the cloud, never commands of a laptop."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.page import company
from tests.page.browser import Visit
from tests.page.conftest import Visitor

from millrace.laptop.data_dir import DataDir
from millrace.status import remedies
from millrace.wiring import api_of

OF_A_LAPTOP = re.compile(r"millrace (?!collect --lake)[a-z]+ ?\S*|--data-dir")
RANGE = "?from=2026-09-01&to=2026-11-24"


@pytest.fixture(scope="module")
def deployed(chromium: Browser, built: Path) -> Iterator[Visit]:
    """The page of the company as the function `api` serves it, of days with usage that has no repository."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    with company.listening(api_of(DataDir(built).api_config(), remedies.DEPLOYMENT)) as url:
        yield Visit(context.new_page(), url).open(RANGE).unfolded()
        context.close()


def text_of(visit: Visit) -> str:
    """Return all text of the page, also what is folded or opened by a button."""
    return str(visit.page.evaluate("() => document.body.textContent"))


@pytest.mark.parametrize(("by", "said"), [("repository", "gs://P-lake/drop/project_repositories/"), ("person", "")])
def test_what_is_not_matched_names_no_command_of_a_laptop(deployed: Visit, by: str, said: str) -> None:
    deployed.page.get_by_role("radio", name=by, exact=True).check()
    expect(deployed.page.locator("#where thead th").first).to_have_text(by.capitalize())
    text = text_of(deployed)

    assert OF_A_LAPTOP.findall(text) == []
    assert said in text


def test_what_was_never_connected_names_no_command_of_a_laptop(deployed: Visit, visitor: Visitor) -> None:
    visit, status = visitor(deployed.url), company.never_read(deployed.real("/api/etl/status"))
    status["events"]["total"] = 0
    visit.instead("/api/etl/status", status)

    text = text_of(visit.open("?from=2001-01-01&to=2001-01-31").unfolded())

    assert OF_A_LAPTOP.findall(text) == []
    assert (
        "Connect a source: set sources or source_url of Terraform, deploy, then type: gcloud scheduler jobs run" in text
    )
    assert "on a machine with coding agents type: millrace collect --lake gs://BUCKET" in text


def test_a_user_without_a_developer_is_mapped_by_a_file(deployed: Visit) -> None:
    step = deployed.page.evaluate("async () => (await import('/page/connected.js')).steps.map_user('me')")

    assert step["isTyped"] is False
    assert step["text"].startswith("put a file with the user and the developer into gs://P-lake/drop/user_developers/")
