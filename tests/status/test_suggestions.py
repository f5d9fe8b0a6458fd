"""Suggestions of the doctor: a unique repository or developer, or none; and the patterns of a map."""

import pytest

from millrace.status.suggestions import developer_of, matching, near, repository_of

pytestmark = pytest.mark.fast
REPOSITORIES = ("acme-corp/service-01", "acme-corp/service-02", "acme-corp/web.app", "acme-corp/docs", "other/docs")
ADDRESSES = {"user_004": ["dev004@example.com"], "ada": ["a.l@example.com"], "b1": ["bo@x.org"], "b2": ["bo@y.org"]}


@pytest.mark.parametrize(
    ("project", "repository"),
    [
        pytest.param("service-01", "acme-corp/service-01", id="its last name"),
        pytest.param("src-service-01", "acme-corp/service-01", id="below src"),
        pytest.param("code-GitHub-service-01", "acme-corp/service-01", id="below two folders, in another case"),
        pytest.param("src-github-com-acme-corp-web-app", "acme-corp/web.app", id="its whole name, dashed"),
        pytest.param("code-other-docs", "other/docs", id="the owner decides"),
        pytest.param("docs", None, id="two have that name"),
        pytest.param("my-service-01", None, id="another folder"),
        pytest.param("service", None, id="a part of a name"),
        pytest.param("src", None, id="nothing but a usual folder"),
    ],
)
def test_project_suggests_the_only_repository_of_its_name(project: str, repository: str | None) -> None:
    found = repository_of(project, REPOSITORIES)
    assert (found.value if found else None) == repository


@pytest.mark.parametrize(
    ("user", "developer"),
    [
        pytest.param("dev004@mail.example.org", "user_004", id="the local part of an address"),
        pytest.param("Ada@example.com", "ada", id="the developer's own name"),
        pytest.param("bo@example.com", None, id="two have that name"),
        pytest.param("eve@example.com", None, id="no developer has it"),
    ],
)
def test_user_suggests_the_only_developer_of_that_name(user: str, developer: str | None) -> None:
    found = developer_of(user, ADDRESSES)
    assert (found.value if found else None) == developer


def test_near_matches_are_in_any_case_and_by_last_name() -> None:
    assert near("ACME-corp/servce-01", REPOSITORIES)[0] == "acme-corp/service-01"
    assert near("docs", REPOSITORIES) == ["acme-corp/docs", "other/docs"]
    assert near("zzz", REPOSITORIES) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("code-shop", ["code-shop"], id="a name"),
        pytest.param("CODE-shop*", ["code-shop", "Code-shop-2"], id="a star, in another case"),
        pytest.param("*", ["code-shop", "Code-shop-2", "x.y"], id="all"),
        pytest.param("x?y", [], id="no other sign means anything"),
        pytest.param("[cx]*", [], id="nor a bracket"),
    ],
)
def test_pattern_of_a_map(text: str, found: list[str]) -> None:
    assert matching(text, ["code-shop", "Code-shop-2", "x.y"]) == found
