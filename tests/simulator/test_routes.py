"""Each route answers as the source does: bodies, statuses, headers, limits, order of checks."""

import http.client
import socket
from collections.abc import Callable, Iterator

import pytest
import requests
from tests.simulator.client import Client, basic
from tests.simulator.rows import commit, pull, review

import simulator


@pytest.fixture(scope="module")
def small(connect: Callable[[str], Client]) -> Iterator[Client]:
    world = simulator.World.of(
        commits=[
            commit("aaa", "2026-10-30T23:59:59Z"),
            commit("bbb", "2026-10-30T23:59:59.5Z", userId="user_000", repoName="acme/api"),
            commit("ccc", "2026-10-31T08:00:00.123456789Z", branchName="feature/x"),
            commit("old", "2026-09-01T08:00:00Z"),
        ],
        pull_requests=[
            pull(1, "2026-10-30T10:00:00Z", title="a < b & c > d"),
            pull(2, "2026-10-30T23:59:59.5Z", state="merged", merged_at="2026-11-02T00:00:00Z"),
            pull(3, "2026-10-31T10:00:00Z", repo_name="acme/api", author_email="a+b@example.com", state="closed"),
        ],
        reviews=[
            review(1, 101, "2026-10-30T11:00:00Z"),
            review(2, 102, "2026-10-31T11:00:00Z", reviewer="cy@example.com"),
            review(3, 101, "2026-10-30T12:00:00Z", reviewer="cy@example.com"),
        ],
        members=[{"name": "Ann", "email": "ann@example.com", "role": "member"}],
        end="2026-10-31T20:00:00Z",
    )
    with simulator.serve(world) as running:
        yield connect(running.url)


def hashes(answer: object) -> list[str]:
    assert isinstance(answer, dict)
    return [row["commitHash"] for row in answer["items"]]


def numbers(rows: list[dict[str, int]]) -> list[int]:
    return sorted(row["number"] for row in rows)


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        pytest.param("/health", 200, '{"status":"ok"}\n', id="health"),
        pytest.param("/repos/acme/none", 404, '{"message":"repository not found"}\n', id="unknown repository"),
        pytest.param("/repos/acme/none/pulls", 200, "[]\n", id="pulls of an unknown repository"),
        pytest.param("/repos/acme/none/commits", 200, "[]\n", id="commits of an unknown repository"),
        pytest.param("/repos/acme/web/pulls?page=9", 200, "[]\n", id="beyond the last page"),
        pytest.param("/repos/acme/web/pulls?state=MERGED", 200, "[]\n", id="a state that is none"),
        pytest.param("/repos/acme/web/pulls/9", 404, '{"message":"pull request not found"}\n', id="unknown pull"),
        pytest.param("/repos/acme/web/pulls/3", 404, '{"message":"pull request not found"}\n', id="other repository"),
        pytest.param("/repos/acme/web/pulls/x", 400, '{"message":"invalid pull request number"}\n', id="no number"),
        pytest.param("/repos/acme/web/pulls/0", 400, '{"message":"invalid pull request number"}\n', id="number 0"),
        pytest.param("/repos/acme/web/pulls/9/reviews", 200, "[]\n", id="reviews of an unknown pull"),
        pytest.param(
            "/repos/acme/web/pulls/9/commits", 404, '{"message":"pull request not found"}\n', id="its commits"
        ),
        pytest.param("/repos/acme/web/issues", 404, '{"message":"route not found"}\n', id="no such route below repos"),
        pytest.param("/nope", 404, "404 page not found\n", id="no such route"),
        pytest.param("/analytics/ai-code/commits/", 404, "404 page not found\n", id="trailing slash"),
        pytest.param(
            "/analytics/ai-code/commits?page=0", 400, '{"error":"invalid page: must be \\u003e= 1"}\n', id="page 0"
        ),
        pytest.param(
            "/analytics/ai-code/commits?pageSize=1001",
            400,
            '{"error":"invalid pageSize: must be \\u003c= 1000"}\n',
            id="pageSize 1001",
        ),
        pytest.param(
            "/analytics/ai-code/commits?startDate=yesterday",
            400,
            '{"error":"invalid startDate: must be YYYY-MM-DD, ISO 8601, or relative format (7d, 30d, now, today)"}\n',
            id="a date that is none",
        ),
        pytest.param("/analytics/github/reviews?page=0", 400, '{"error":"invalid page parameter"}\n', id="bad page"),
        pytest.param("/analytics/github/reviews?pr_id=x", 400, '{"error":"invalid pr_id parameter"}\n', id="bad pr_id"),
        pytest.param(
            "/analytics/github/prs?start_date=2026/01/01",
            400,
            '{"error":"invalid start_date format (use YYYY-MM-DD)"}\n',
            id="bad start_date",
        ),
        pytest.param(
            "/analytics/github/prs?author=nobody&page=7",
            200,
            '{"data":[],"pagination":{"page":7,"page_size":20,"total":0},"params":{"author":"nobody"}}\n',
            id="unknown author",
        ),
        pytest.param(
            "/teams/members",
            200,
            '{"teamMembers":[{"name":"Ann","email":"ann@example.com","role":"member"}]}\n',
            id="members",
        ),
        pytest.param(
            "/repos/acme/web",
            200,
            '{"full_name":"acme/web","default_branch":"main","open_pull_requests_count":1,'
            '"total_pull_requests_count":2}\n',
            id="one repository",
        ),
    ],
)
def test_the_answer_is_byte_for_byte(small: Client, path: str, status: int, body: str) -> None:
    answer = small.get(path)
    assert (answer.status_code, answer.text) == (status, body)


def test_an_unrouted_path_is_plain_text(small: Client) -> None:
    headers = small.get("/nope").headers
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_only_missing_key_returns_authentication_challenge(small: Client) -> None:
    missing, wrong = small.get("/repos", None), small.get("/repos", basic("wrong:"))
    assert missing.text == wrong.text == '{"error":"Unauthorized"}\n'
    assert missing.status_code == wrong.status_code == 401
    assert missing.headers["WWW-Authenticate"] == "Basic"
    assert "WWW-Authenticate" not in wrong.headers


def test_a_bearer_token_is_refused(small: Client) -> None:
    assert small.get("/repos", "Bearer cursor-sim-dev-key").status_code == 401


def test_any_password_passes_with_the_key(small: Client) -> None:
    assert small.get("/repos", basic("cursor-sim-dev-key:whatever")).status_code == 200


def test_key_is_checked_before_route(small: Client) -> None:
    assert small.get("/nope", None).status_code == 401


def test_health_needs_no_key(small: Client) -> None:
    assert small.get("/health", None).status_code == 200


def test_the_method_does_not_matter(small: Client) -> None:
    assert small.get("/teams/members", method="POST").json() == small.json("/teams/members")


def test_without_dates_commits_are_those_of_thirty_days_oldest_first(small: Client) -> None:
    assert hashes(small.json("/analytics/ai-code/commits")) == ["aaa", "bbb", "ccc"]


def test_a_misspelt_parameter_is_silently_ignored(small: Client) -> None:
    answer = small.json("/analytics/ai-code/commits?start_date=2020-01-01&page_size=500")
    assert (answer["totalCount"], answer["pageSize"]) == (3, 100)


@pytest.mark.parametrize("start", ["2026-08-01", "2026-08-01T09:30:00Z", "91d", "99999d"])
def test_a_start_in_any_of_its_forms_reaches_further_back(small: Client, start: str) -> None:
    assert small.json(f"/analytics/ai-code/commits?startDate={start}")["totalCount"] == 4


def test_start_after_end_returns_no_rows(small: Client) -> None:
    assert small.json("/analytics/ai-code/commits?from=-5d")["totalCount"] == 0


def test_the_last_second_of_the_end_day_is_lost_for_commits(small: Client) -> None:
    answer = small.json("/analytics/ai-code/commits?startDate=2026-10-30&endDate=2026-10-30")
    assert hashes(answer) == ["aaa"]


def test_the_last_second_of_the_end_day_is_lost_for_pull_requests(small: Client) -> None:
    answer = small.json("/analytics/github/prs?start_date=2026-10-30&end_date=2026-10-30")
    assert numbers(answer["data"]) == [1]
    assert answer["params"] == {"start_date": "2026-10-30", "end_date": "2026-10-30"}


def test_commits_of_a_user_win_over_those_of_a_repository(small: Client) -> None:
    answer = small.json("/analytics/ai-code/commits?user=user_000&repoName=acme/web")
    assert hashes(answer) == ["bbb"]


def test_an_email_is_no_user_of_commits(small: Client) -> None:
    assert small.json("/analytics/ai-code/commits?user=ann@example.com")["totalCount"] == 0


def test_the_csv_has_whole_seconds_and_comes_in_one_piece(small: Client) -> None:
    answer = small.get("/analytics/ai-code/commits.csv")
    lines = answer.text.splitlines()
    assert lines[0].startswith("commitHash,userId,userEmail,userName,repoName,branchName,isPrimaryBranch,")
    assert lines[3].endswith('"fix: a < b, c",2026-10-31T08:00:00Z,2026-10-31T08:00:00Z')
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=cursor-sim-export-")


def test_commits_below_a_repository_ignore_a_since_that_is_no_day(small: Client) -> None:
    assert len(small.json("/repos/acme/web/commits?since=2026-01-01")) == 3
    assert len(small.json("/repos/acme/web/commits?since=2026-01-01T00:00:00Z")) == 2


def test_commits_of_a_pull_request_are_all_those_of_its_branch(small: Client) -> None:
    assert [row["commitHash"] for row in small.json("/repos/acme/web/pulls/1/commits")] == ["ccc"]


def test_pull_requests_show_less_than_and_ampersand_as_go_does(small: Client) -> None:
    text = small.get("/repos/acme/web/pulls/1").text
    assert '"title":"a \\u003c b \\u0026 c \\u003e d"' in text
    assert "merged_at" not in text


@pytest.mark.parametrize("state", ["", "all"])
def test_no_state_is_every_state(small: Client, state: str) -> None:
    assert numbers(small.json(f"/repos/acme/web/pulls?state={state}")) == [1, 2]


def test_an_author_with_a_plus_must_be_encoded(small: Client) -> None:
    assert small.json("/analytics/github/prs?author=a+b@example.com")["pagination"]["total"] == 0
    assert small.json("/analytics/github/prs?author=a%2Bb@example.com")["pagination"]["total"] == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", [1, 2, 3], id="everything"),
        pytest.param("status=merged", [2], id="status"),
        pytest.param("author=ann@example.com", [1, 2], id="author"),
        pytest.param("author=ann@example.com&status=open", [1], id="author and status"),
        pytest.param("author=ann@example.com&start_date=2026-10-31", [], id="author and date"),
        pytest.param("start_date=2026-10-31", [3], id="start"),
        pytest.param("end_date=2026-10-30", [1], id="end"),
        pytest.param("start_date=2026-10-30&status=closed", [3], id="date and status"),
    ],
)
def test_pull_requests_are_filtered(small: Client, query: str, expected: list[int]) -> None:
    assert numbers(small.json(f"/analytics/github/prs?{query}")["data"]) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", [1, 2, 3], id="everything"),
        pytest.param("pr_id=101", [1, 3], id="pull request"),
        pytest.param("reviewer=cy@example.com", [2, 3], id="reviewer"),
        pytest.param("reviewer=cy@example.com&pr_id=101", [3], id="both"),
    ],
)
def test_reviews_are_filtered(small: Client, query: str, expected: list[int]) -> None:
    assert sorted(row["id"] for row in small.json(f"/analytics/github/reviews?{query}")["data"]) == expected


def test_reviews_of_a_pull_request_are_found_by_its_number(small: Client) -> None:
    assert [row["id"] for row in small.json("/repos/acme/web/pulls/1/reviews")] == [1, 3]


def test_the_statistics_hold_the_totals(small: Client) -> None:
    totals = small.json("/admin/stats")["generation"]
    assert (totals["total_commits"], totals["total_prs"], totals["total_reviews"]) == (4, 3, 3)


def test_pages_are_cut_at_a_hundred_rows(client: Client) -> None:
    repo = max(client.json("/repos"), key=lambda repo: repo["total_pull_requests_count"])["full_name"]
    assert len(client.json(f"/repos/{repo}/pulls?per_page=500")) == 100
    assert len(client.json(f"/repos/{repo}/pulls?per_page=x")) == 30
    assert client.json("/analytics/github/prs?page_size=500")["pagination"]["page_size"] == 100
    assert len(client.json("/analytics/github/prs")["data"]) == 20


def test_a_page_that_overflows_drops_the_connection(client: Client) -> None:
    with pytest.raises(requests.ConnectionError):
        client.get(f"/analytics/github/prs?page={2**63 // 20 + 2}")


def test_a_page_that_is_merely_large_is_empty(client: Client) -> None:
    assert client.json("/analytics/github/prs?page=1000000")["data"] == []


def test_a_long_body_is_chunked_and_a_short_one_has_its_length(client: Client) -> None:
    assert client.get("/analytics/github/prs").headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" in client.get("/repos").headers


def test_one_connection_serves_many_requests(client: Client) -> None:
    connection = http.client.HTTPConnection(client.url.removeprefix("http://"))
    bodies = []
    for _ in range(3):
        connection.request("GET", "/health")
        bodies.append(connection.getresponse().read())
    connection.close()
    assert bodies == [b'{"status":"ok"}\n'] * 3


@pytest.mark.parametrize("line", ["nonsense", "GET no-slash HTTP/1.1", "GET / SMTP/1.0"])
def test_invalid_http_returns_400_and_closes_connection(client: Client, line: str) -> None:
    host, port = client.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(f"{line}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("target", ["//[x", "/%zz", "/repos/%", "/repos//", "/?%", "/analytics/github/prs?page=+-1"])
def test_a_strange_target_is_answered_all_the_same(client: Client, target: str) -> None:
    connection = http.client.HTTPConnection(client.url.removeprefix("http://"), timeout=5)
    connection.request("GET", target, headers={"Authorization": basic("cursor-sim-dev-key:")})
    status = connection.getresponse().status
    connection.close()
    assert status in (400, 404)
