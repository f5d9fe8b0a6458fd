"""Pull requests by who opened them: what is over the whole range, and what is refused."""

import math
from collections import defaultdict
from typing import Any

import duckdb
import pytest
from fastapi.testclient import TestClient
from tests.api.conftest import NOW, OPENED_BY_AGENTS, ask, no_status

from millrace.api.app import Api, create
from millrace.inference import wilson
from millrace.laptop.data_dir import DataDir
from millrace.warehouse.duckdb.reader import DuckDBReader

PATH = "/api/agent-pull-requests"
Row = dict[str, Any]
COUNTS = (
    *("opened_prs", "merged_prs", "closed_without_merge_prs", "still_open_prs", "n_accepted_known"),
    *("sum_human_review_rounds", "human_comment_count", "total_loc", "reverted_prs"),
)


def mart(store: DataDir) -> list[Row]:
    names = "week, repo_name, opened_by, agent, sum_open_to_merge_hours, n_open_to_merge_hours, " + ", ".join(COUNTS)
    rows = ask(store.published, f"SELECT {names} FROM mart.agent_pull_requests")  # noqa: S608 our own names
    return [dict(zip(names.split(", "), row, strict=True)) for row in rows]


def added(rows: list[Row], name: str) -> Any:
    known = [row[name] for row in rows if row[name] is not None]
    return sum(known) if known else None


def test_agents_are_over_the_whole_range_with_the_accepted_share_first(client: TestClient, store: DataDir) -> None:
    answer = client.get(PATH, params={"period": "all", "repo": "acme-corp/service-01"}).json()
    by_author = defaultdict(list)
    for row in mart(store):
        if row["repo_name"] == "acme-corp/service-01":
            by_author[row["opened_by"], row["agent"]].append(row)
    assert [(row["opened_by"], row["agent"]) for row in answer["agents"]] == [
        *(("agent", agent) for agent in sorted(OPENED_BY_AGENTS)),
        ("person", None),
    ]
    assert answer["total_count"] == sum(map(len, by_author.values())) > len(by_author)
    for found in answer["agents"]:
        rows = by_author[found["opened_by"], found["agent"]]
        assert list(found)[:3] == ["opened_by", "agent", "accepted_share"]
        assert {name: found[name] for name in COUNTS} == {name: added(rows, name) for name in COUNTS}
        assert found["accepted_share"] == found["merged_prs"] / found["n_accepted_known"]
        hours = added(rows, "sum_open_to_merge_hours") / added(rows, "n_open_to_merge_hours")
        assert math.isclose(found["avg_open_to_merge_hours"], hours, rel_tol=1e-9)
        assert not [name for name in found if name.startswith("p50_")]
        interval = wilson(found["merged_prs"], found["n_accepted_known"])
        assert interval
        assert (found["accepted_share_low"], found["accepted_share_high"]) == (interval.low, interval.high)
        assert found["has_too_few"] == (found["n_accepted_known"] < 20)
    assert {found["has_too_few"] for found in answer["agents"]} == {True, False}


def test_agents_are_filtered_in_any_letter_case(client: TestClient) -> None:
    answer = client.get(PATH, params={"period": "all", "opened_by_agent": "CoDeX"}).json()
    assert {row["agent"] for row in (*answer["rows"], *answer["agents"])} == {"codex"}
    people = client.get(PATH, params={"period": "all", "opened_by": "Person"}).json()
    assert {(row["opened_by"], row["agent"]) for row in people["rows"]} == {("person", None)}


def test_weeks_of_another_zone_are_those_of_the_reporting_zone_and_say_so(client: TestClient) -> None:
    found, asked = (client.get(PATH, params={"period": "all"} | zone).json() for zone in ({}, {"tz": "Asia/Tokyo"}))
    assert asked["time_zone"] == found["time_zone"] == "UTC"
    assert asked["rows"] == found["rows"] != []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"opened_by_agent": "codx"}, "did you mean codex?", id="a misspelled agent"),
        pytest.param({"opened_by": "robot"}, "agent, bot", id="a kind that does not exist"),
        pytest.param({"developer": "user_002"}, "developer", id="a filter that has no column"),
    ],
)
def test_what_the_mart_cannot_answer_is_refused(client: TestClient, given: dict[str, str], said: str) -> None:
    reply = client.get(PATH, params=given)
    assert (reply.status_code, said in reply.text) == (422, True), reply.text


def test_repository_is_found_in_a_publication_without_the_mart(place: DataDir) -> None:
    with duckdb.connect(str(place.published)) as connection:
        connection.execute("DROP TABLE mart.agent_pull_requests")
    reader = DuckDBReader(place.published)
    with TestClient(create(Api(reader, no_status, lambda: NOW), ("testserver",))) as client:
        asked = client.get("/api/velocity", params={"repo": "ACME-corp/service-01"})
        assert {row["repo_name"] for row in asked.json()["rows"]} == {"acme-corp/service-01"}
        assert "mart.agent_pull_requests" in client.get(PATH).text
    reader.close()
