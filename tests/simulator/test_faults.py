"""Each fault has its documented effect, on the requests that the seed selects."""

from collections.abc import Callable

import pytest
import requests
from tests.simulator.client import Client

import simulator
from simulator import InjectedFaults
from simulator.answers import SimulatedResponse
from simulator.faults import FaultInjector

PRS = "/analytics/github/prs?page_size=100"
REPO = "/repos/acme-corp/service-01"


@pytest.fixture
def faulty(world: simulator.World, connect: Callable[[str], Client], request: pytest.FixtureRequest) -> object:
    with simulator.serve(world, faults=request.param) as running:
        yield connect(running.url)


def with_faults(**faults: object) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("faulty", [InjectedFaults(**faults)], indirect=True, ids=[""])  # type: ignore[arg-type]


@with_faults(error_rate=1.0)
def test_an_error_is_a_500_with_a_body(faulty: Client) -> None:
    answer = faulty.get(PRS)
    assert (answer.status_code, answer.json()) == (500, {"error": "internal server error"})


@with_faults(error_rate=1.0)
def test_health_has_no_faults(faulty: Client) -> None:
    assert faulty.get("/health").status_code == 200


@with_faults(too_many_rate=1.0)
def test_too_many_requests_return_429_with_retry_after(faulty: Client) -> None:
    answer = faulty.get(PRS)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


@with_faults(html_rate=1.0)
def test_an_html_page_comes_with_200(faulty: Client) -> None:
    answer = faulty.get(PRS)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


@with_faults(truncated_rate=1.0)
def test_a_truncated_body_is_shorter_than_its_length(faulty: Client) -> None:
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError), match="IncompleteRead"):
        faulty.get(PRS)


@with_faults(half_json_rate=1.0)
def test_half_json_arrives_whole_and_cannot_be_parsed(faulty: Client) -> None:
    answer = faulty.get(PRS)
    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


@with_faults(extra_field="reviewed_by_ai")
@pytest.mark.parametrize("path", [PRS, f"{REPO}/pulls", "/analytics/ai-code/commits", "/repos"])
def test_an_extra_field_is_in_every_row(faulty: Client, path: str) -> None:
    answer = faulty.json(path)
    rows = answer if isinstance(answer, list) else answer.get("items") or answer["data"]
    assert all(row["reviewed_by_ai"] == {"is_new": True} for row in rows)


@with_faults(retyped_field="additions")
def test_a_retyped_number_becomes_a_text(faulty: Client) -> None:
    assert {type(row["additions"]) for row in faulty.json(PRS)["data"]} == {str}


@with_faults(retyped_field="title")
def test_a_retyped_text_becomes_an_object(faulty: Client) -> None:
    assert {type(row["title"]) for row in faulty.json(PRS)["data"]} == {dict}


@with_faults(wrapped=True)
def test_a_raw_array_comes_wrapped(faulty: Client) -> None:
    assert list(faulty.json("/repos")) == ["data"]
    assert list(faulty.json(f"{REPO}/pulls")) == ["data"]


def commits_of(client: Client, page: int, size: int = 10) -> list[str]:
    path = f"/analytics/ai-code/commits?startDate=1970-01-01&pageSize={size}&page={page}"
    return [row["commitHash"] for row in client.json(path)["items"]]


@with_faults(ignores_page=True)
def test_every_page_is_the_first(faulty: Client) -> None:
    assert commits_of(faulty, 1) == commits_of(faulty, 2) == commits_of(faulty, 9)


@with_faults(stale_page=3)
def test_a_stale_page_is_the_one_before(faulty: Client) -> None:
    second, third, fourth = (commits_of(faulty, page) for page in (2, 3, 4))
    assert second == third
    assert not set(third) & set(fourth)


@with_faults(most_rows=7)
def test_a_page_is_cut_to_the_most_rows(faulty: Client) -> None:
    assert (len(commits_of(faulty, 1)), len(commits_of(faulty, 1, size=5))) == (7, 5)
    assert len(faulty.json(PRS)["data"]) == 7


@with_faults(most_total=3)
def test_a_capped_total_is_less_than_its_rows(faulty: Client) -> None:
    assert faulty.json(PRS)["pagination"]["total"] == 3
    assert len(faulty.json(PRS)["data"]) > 3
    assert {row["total_pull_requests_count"] for row in faulty.json("/repos")} <= {1, 2, 3}
    assert faulty.json("/analytics/ai-code/commits?startDate=1970-01-01")["totalCount"] == 3


@with_faults(null_lists=True)
def test_a_list_without_rows_is_null(faulty: Client) -> None:
    assert faulty.json("/repos/acme-corp/nowhere/pulls") is None
    assert faulty.json("/analytics/ai-code/commits?user=nobody")["items"] is None
    assert faulty.json(PRS)["data"]


@with_faults(endless_links=True)
def test_each_raw_array_links_to_a_page_that_is_new(faulty: Client) -> None:
    links = [faulty.get(f"{REPO}/pulls?page=1").links["next"]["url"] for _ in range(3)]
    assert links == [f"{REPO}/pulls?page=1&after={n}" for n in (1, 2, 3)]


@with_faults(plain_only=True)
def test_without_bulk_routes_only_the_plain_contract_is_left(faulty: Client) -> None:
    assert faulty.get(PRS).text == "404 page not found\n"
    assert faulty.get(f"{REPO}/pulls").status_code == 200


@with_faults(appearing=20)
def test_rows_appear_while_paging(faulty: Client) -> None:
    totals = [faulty.json(PRS)["pagination"]["total"] for _ in range(25)]
    assert totals == [totals[0] + n for n in range(20)] + [totals[0] + 19] * 5


@with_faults(appearing=40)
def test_a_repository_counts_only_what_has_appeared(faulty: Client) -> None:
    repos = faulty.json("/repos")
    expected = sum(repo["total_pull_requests_count"] for repo in repos)
    assert faulty.json(PRS)["pagination"]["total"] == expected + 1


@with_faults(appearing=3)
def test_in_the_end_every_row_has_appeared(faulty: Client, client: Client) -> None:
    path = "/analytics/ai-code/commits?pageSize=1000"
    first, _, third = (faulty.get(path).text for _ in range(3))
    assert first != third == client.get(path).text


def test_which_request_is_hit_follows_from_the_seed() -> None:
    def hits(seed: int) -> list[bool]:
        injector = FaultInjector(InjectedFaults(error_rate=0.3, seed=seed))
        return [injector.before(f"/{n % 5}") is not None for n in range(200)]

    assert hits(1) == hits(1)
    assert hits(1) != hits(2)
    assert 30 < sum(hits(1)) < 90


def test_a_repeated_request_throws_the_dice_again() -> None:
    injector = FaultInjector(InjectedFaults(html_rate=0.5))
    assert len({injector.before("/same") is None for _ in range(20)}) == 2


def test_latency_comes_before_each_answer() -> None:
    slept: list[float] = []
    FaultInjector(InjectedFaults(latency_s=0.25), sleep=slept.append).before("/x")
    assert slept == [0.25]


def test_an_answer_that_is_no_json_is_not_drifted() -> None:
    answer = SimulatedResponse(200, b"a,b\n", "text/csv")
    assert FaultInjector(InjectedFaults(extra_field="x", half_json_rate=1.0)).after("/x", answer) is answer
