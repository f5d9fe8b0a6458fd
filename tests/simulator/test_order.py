"""Which listings keep their order from request to request, and which are reshuffled each time."""

import pytest
from tests.simulator.client import Client

STABLE = [
    "/analytics/ai-code/commits?pageSize=100",
    "/analytics/ai-code/commits?repoName=acme-corp/service-01",
    "/analytics/ai-code/commits?user=user_001",
    "/analytics/github/prs?author=dev001@example.com&page_size=100",
    "/analytics/github/prs?author=dev001@example.com&start_date=2026-10-10&page_size=100",
    "/analytics/github/reviews?reviewer=dev001@example.com&page_size=100",
    "/repos/acme-corp/service-01/commits",
]
SHUFFLED = [
    "/repos/acme-corp/service-01/pulls?per_page=100",
    "/analytics/github/prs?page_size=100",
    "/analytics/github/prs?status=merged&page_size=100",
    "/analytics/github/prs?author=dev001@example.com&status=merged&page_size=100",
    "/analytics/github/prs?start_date=2026-10-05&end_date=2026-10-09&page_size=100",
    "/analytics/github/reviews?page_size=100",
]


@pytest.mark.parametrize("path", STABLE)
def test_the_order_is_the_same_each_time(client: Client, path: str) -> None:
    assert client.get(path).text == client.get(path).text


@pytest.mark.parametrize("path", SHUFFLED)
def test_the_order_is_another_each_time(client: Client, path: str) -> None:
    assert client.get(path).text != client.get(path).text


def test_pages_of_a_shuffled_list_repeat_rows_and_miss_others(client: Client) -> None:
    total = client.json("/analytics/github/prs")["pagination"]["total"]
    pages = [client.json(f"/analytics/github/prs?page={n}&page_size=50")["data"] for n in range(1, total // 50 + 2)]
    rows = [row["id"] for page in pages for row in page]
    assert len(rows) == total
    assert len(set(rows)) < total


def test_a_list_of_one_page_is_complete_in_any_order(client: Client) -> None:
    answer = client.json("/analytics/github/prs?start_date=2026-10-05&end_date=2026-10-09&page_size=100")
    assert 0 < answer["pagination"]["total"] <= 100
    assert len({row["id"] for row in answer["data"]}) == answer["pagination"]["total"]


def test_pages_of_commits_partition_them(client: Client) -> None:
    first = client.json("/analytics/ai-code/commits?startDate=40d&pageSize=1000")
    assert first["totalCount"] == len({row["commitHash"] for row in first["items"]})
    times = [row["commitTs"] for row in first["items"]]
    assert times == sorted(times)


def test_commits_of_a_repository_come_developer_by_developer(client: Client) -> None:
    rows = client.json("/analytics/ai-code/commits?repoName=acme-corp/service-01&pageSize=1000")["items"]
    keys = [(row["userId"], row["commitTs"]) for row in rows]
    assert keys == sorted(keys)
