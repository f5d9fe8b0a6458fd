"""Where the client goes from an answer: next pages, redirects, unchanged pages, and no other host."""

import re

import pytest
from tests.extract.answering import JSON, KEY, URL, Said, client_of, in_turn

from millrace.errors import RequestRejected, UnexpectedResponse

ROWS = Said(body=b'[{"full_name": "acme/web"}]')


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    ("location", "then"),
    [
        pytest.param("/repositories/7?page=2", "/repositories/7?page=2", id="a path"),
        pytest.param(f"{URL}/repositories/7", "/repositories/7", id="a whole address"),
        pytest.param("?page=2", "/repos?page=2", id="a query"),
    ],
)
def test_a_redirect_on_the_same_host_is_followed_and_noted(status: int, location: str, then: str) -> None:
    asked = client_of(in_turn(Said(status, b"", {"Location": location}), ROWS))
    response = asked.client.get("/repos", {"per_page": 3})
    assert (response.body, response.moved_to) == ([{"full_name": "acme/web"}], then)
    assert asked.adapter.asked == ["/repos?per_page=3", then]
    assert asked.client.stats.requests == 2


def test_an_answer_without_a_redirect_has_moved_nowhere() -> None:
    assert client_of(in_turn(ROWS)).client.get("/repos").moved_to is None


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    ("location", "problem"),
    [
        pytest.param("http://elsewhere.test/repos", "redirects to is not below http://source.test", id="another host"),
        pytest.param("https://source.test/repos", "redirects to is not below http://source.test", id="another scheme"),
        pytest.param("http://source.test:81/repos", "redirects to is not below http://source.test", id="another port"),
        pytest.param("//elsewhere.test/repos", "redirects to is not below", id="another host without a scheme"),
        pytest.param("http://[", "an address that cannot be read", id="no address"),
        pytest.param(f"/{KEY}", "redirects to contains the key; not followed", id="the key"),
        pytest.param(f"/repos?of={KEY.replace('-', '%2D')}", "contains the key", id="the key in other letters"),
    ],
)
def test_a_redirect_to_somewhere_else_is_refused(status: int, location: str, problem: str) -> None:
    asked = client_of(in_turn(Said(status, b"", {"Location": location}), ROWS))
    with pytest.raises(UnexpectedResponse, match=f"^{URL}/repos: .*{re.escape(problem)}") as caught:
        asked.client.get("/repos")
    assert asked.adapter.asked == ["/repos"]
    assert KEY not in str(caught.value)


def test_a_redirect_beside_the_base_path_is_refused() -> None:
    asked = client_of(in_turn(Said(301, b"", {"Location": "/login"}), ROWS), f"{URL}/api")
    with pytest.raises(UnexpectedResponse, match=r"not below http://source\.test/api"):
        asked.client.get("/repos")


@pytest.mark.parametrize("location", ["/repos", "", "/repos?again=1"])
def test_redirects_without_end_are_followed_three_times(location: str) -> None:
    asked = client_of(in_turn(Said(302, b"", {"Location": location})))
    with pytest.raises(UnexpectedResponse, match=f"^{URL}/repos: redirected more than 3 times"):
        asked.client.get("/repos")
    assert len(asked.adapter.asked) == 4


@pytest.mark.parametrize("status", [206, 300, 301, 304])
def test_another_success_than_200_is_no_answer(status: int) -> None:
    asked = client_of(in_turn(Said(status, b"")))
    with pytest.raises(UnexpectedResponse, match=f"expected status 200, got {status}$"):
        asked.client.get("/repos")


def test_no_content_is_an_answer_without_a_body() -> None:
    response = client_of(in_turn(Said(204, b""))).client.get("/repos")
    assert (response.status, response.body) == (204, None)


def test_an_unchanged_page_is_not_sent_again() -> None:
    page = Said(200, b"[1]", JSON | {"ETag": 'W/"7"'})
    asked = client_of(lambda request: Said(304, b"") if request.headers.get("If-None-Match") == 'W/"7"' else page)
    first = asked.client.get("/repos")
    second = asked.client.get("/repos", etag=first.etag)
    third = asked.client.get("/repos", etag='W/"6"')
    assert [(each.status, each.body, each.etag) for each in (first, second, third)] == [
        (200, [1], 'W/"7"'),
        (304, None, 'W/"7"'),
        (200, [1], 'W/"7"'),
    ]


@pytest.mark.parametrize(
    ("link", "page"),
    [
        (f"{URL}/repos?per_page=1&page=731", 731),
        ("https://elsewhere.test/repos?page=9", 9),  # it is only read, not followed
        (f"{URL}/repos?after=x", None),
        (f"{URL}/repos?page=-1", None),
        (f"{URL}/repos?page=1&page=2", None),
        (f"{URL}/repos?page=9999999999999", None),
        ("http://[", None),
    ],
)
def test_the_number_of_the_last_page_is_read_from_its_link(link: str, page: int | None) -> None:
    asked = client_of(in_turn(Said(200, b"[]", JSON | {"Link": f'<{link}>; rel="last"'})))
    assert asked.client.get("/repos").last_page == page


@pytest.mark.parametrize(
    ("value", "is_partial"),
    [("partial-results; organizations=21955855,20582480", True), ("required; url=https://github.com/", False)],
)
def test_organisations_that_are_left_out_are_told(value: str, is_partial: bool) -> None:
    asked = client_of(in_turn(Said(200, b"[]", JSON | {"X-GitHub-SSO": value}), ROWS))
    assert [asked.client.get("/repos").is_partial for _ in range(2)] == [is_partial, False]


def linked(url: str) -> Said:
    return Said(200, b"[]", JSON | {"Link": f'<{url}>; rel="next", <{URL}/repos?page=9>; rel="last"'})


@pytest.mark.parametrize(
    ("base_url", "link", "path"),
    [
        pytest.param(URL, f"{URL}/repos?page=2&per_page=100", "/repos?page=2&per_page=100", id="a whole address"),
        pytest.param(URL, "/repos?page=2", "/repos?page=2", id="a path"),
        pytest.param(URL, "?page=2", "/repos?page=2", id="a query"),
        pytest.param(f"{URL}/api/v3", f"{URL}/api/v3/repos?page=2", "/repos?page=2", id="below a base path"),
        pytest.param(URL, f"{URL}/repos?after=a%2Fb%3D", "/repos?after=a%2Fb%3D", id="with what is quoted in it"),
    ],
)
def test_the_next_link_of_the_same_host_is_followed_as_a_path(base_url: str, link: str, path: str) -> None:
    asked = client_of(in_turn(linked(link), ROWS), base_url)
    next_path = asked.client.get("/repos").next_path
    assert next_path == path
    asked.client.get(next_path)
    assert asked.adapter.sent[1].url == base_url + path


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("http://elsewhere.test/repos?page=2", id="another host"),
        pytest.param("https://source.test/repos?page=2", id="another scheme"),
        pytest.param("http://source.test:8080/repos?page=2", id="another port"),
        pytest.param("//elsewhere.test/repos", id="another host without a scheme"),
        pytest.param("http://source.test@elsewhere.test/", id="another host behind a user"),
        pytest.param("http://user:word@source.test/repos", id="another user"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("http://[", id="no address"),
        pytest.param(f"{URL}/{KEY}?page=2", id="the key"),
    ],
)
def test_a_next_link_to_somewhere_else_is_refused(link: str) -> None:
    asked = client_of(in_turn(linked(link), ROWS))
    with pytest.raises(
        UnexpectedResponse, match=f"^{URL}/repos: the (next page is not below|link to the next page (is no|contains))"
    ):
        asked.client.get("/repos")
    assert asked.adapter.asked == ["/repos"]


def test_a_next_link_beside_the_base_path_is_refused() -> None:
    asked = client_of(in_turn(linked(f"{URL}/apix/repos"), ROWS), f"{URL}/api")
    with pytest.raises(UnexpectedResponse, match=r"not below http://source\.test/api"):
        asked.client.get("/repos")


def test_a_value_that_no_address_can_hold_is_named_as_such() -> None:
    asked = client_of(in_turn(ROWS))
    with pytest.raises(UnexpectedResponse, match="an address that cannot be read"):
        asked.client.get("/analytics/github/prs", {"author": "\ud800"})


def test_an_error_behind_a_next_link_names_the_path_without_its_query() -> None:
    asked = client_of(in_turn(Said(400, b"no")))
    with pytest.raises(RequestRejected, match=f"^{URL}/repos: 400") as caught:
        asked.client.get("/repos?after=ann@example.com")
    assert "example.com" not in str(caught.value)
