"""Answers that GitHub really gave: links from page to page, a renamed repository, a refusal."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.extract.answering import Said
from tests.extract.talking import Heard, Talk, talking

from millrace.errors import RequestRejected

RECORDED = Path(__file__).parents[1] / "golden/octokit"
GITHUB = "https://api.github.com"


@contextmanager
def playing(name: str, method: str = "get") -> Iterator[Talk]:
    """Answer what was recorded for the requests of one method, at another address."""
    recorded = {each["path"]: each for each in json.loads((RECORDED / f"{name}.json").read_text())}
    recorded |= {
        each["path"]: each for each in json.loads((RECORDED / f"{name}.json").read_text()) if each["method"] == method
    }
    hosts = [""]

    def answer(heard: Heard) -> Said:
        said = recorded[heard.path]
        headers = {name: str(value).replace(GITHUB, hosts[0]) for name, value in said["headers"].items()}
        for ours in ("content-length", "connection"):
            headers.pop(ours)
        return Said(said["status"], json.dumps(said["response"]).encode(), headers)

    with talking(answer) as talk:
        hosts[0] = talk.url
        yield talk


def test_the_recorded_links_lead_through_every_page_by_the_repositorys_id() -> None:
    numbers: list[int] = []
    with playing("paginate-issues") as talk:
        path: str | None = "/repos/octokit-fixture-org/paginate-issues/issues?per_page=3"
        last_pages = []
        while path is not None:
            response = talk.client().get(path)
            assert isinstance(response.body, list)
            numbers += [issue["number"] for issue in response.body]
            last_pages.append(response.last_page)
            path = response.next_path
    assert numbers == list(range(13, 0, -1))
    assert last_pages == [5, 5, 5, 5, None]
    assert talk.paths[1] == "GET /repositories/1000/issues?per_page=3&page=2"


def test_a_renamed_repository_is_read_at_its_new_place() -> None:
    with playing("rename-repository") as talk:
        response = talk.client().get("/repos/octokit-fixture-org/rename-repository")
    assert response.moved_to == "/repositories/1000"
    assert isinstance(response.body, dict)
    assert response.body["full_name"] == "octokit-fixture-org/rename-repository-newname"


def test_a_post_to_a_renamed_repository_is_sent_again_as_it_was() -> None:
    with playing("rename-repository", "patch") as talk:
        talk.client().post("/repos/octokit-fixture-org/rename-repository", {"name": "x"})
    assert [(heard.method, heard.path, heard.body) for heard in talk.heard] == [
        ("POST", "/repos/octokit-fixture-org/rename-repository", {"name": "x"}),
        ("POST", "/repositories/1000", {"name": "x"}),
    ]


def test_a_refused_value_is_told_in_githubs_words() -> None:
    with playing("errors", "post") as talk, pytest.raises(RequestRejected, match="422, 'Validation Failed'") as caught:
        talk.client().post("/repos/octokit-fixture-org/errors/labels", {"name": "foo", "color": "invalid"})
    assert caught.value.status == 422
