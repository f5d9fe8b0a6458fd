# ruff: noqa: S608 - the names are our own
"""Rows of pull requests name their source and account; sums over a range are over all of them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.api.conftest import NOW, no_status

from millrace.api.app import Api
from millrace.api.routes import ROUTES
from millrace.laptop.data_dir import DataDir
from millrace.warehouse.duckdb.reader import DuckDBReader

BY_WEEK = {"velocity": "total_prs", "review-costs": "total_prs", "quality": "total_prs", "ai-impact": "pr_count"}
MART = {path: path.replace("-", "_") for path in BY_WEEK}
SOURCES = {("cursor-sim", ""), ("github", "acme")}


@pytest.fixture(scope="module")
def both(store: DataDir, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The Api over a store that has each pull request again, of an account of GitHub, with the same repositories."""
    path = Path(shutil.copy(store.published, tmp_path_factory.mktemp("both") / "published.duckdb"))
    github = "'github' AS source, 'acme' AS account"
    with duckdb.connect(path) as connection:
        for mart in ("merged_pull_requests", *MART.values()):
            connection.execute(f"INSERT INTO mart.{mart} SELECT * REPLACE ({github}) FROM mart.{mart}")
    reader = DuckDBReader(path)
    yield Api(reader, no_status, lambda: NOW)
    reader.close()


def answer(api: Api, path: str, **question: Any) -> dict[str, Any]:
    route = next(each for each in ROUTES if each.path == path)
    found: dict[str, Any] = json.loads(api.answer(route, route.filters.model_validate(question)).body)
    return found


@pytest.mark.parametrize("developer", [[], ["user_001", "user_002"]], ids=["from the marts", "from the pull requests"])
@pytest.mark.parametrize("path", BY_WEEK)
def test_rows_are_of_one_source_and_sums_of_all(both: Api, path: str, developer: list[str]) -> None:
    said = answer(both, path, developer=developer, limit=1000)
    counted = BY_WEEK[path]
    by_source = {
        key: sum(row[counted] for row in said["rows"] if (row["source"], row["account"]) == key) for key in SOURCES
    }
    assert {(row["source"], row["account"]) for row in said["rows"]} == SOURCES
    assert len(set(by_source.values())) == 1
    wholes = said["bands"] if path == "ai-impact" else [said["totals"]]
    assert sum(row[counted] for row in wholes) == sum(by_source.values()) > 0
    assert not [row for row in wholes if row.keys() & {"source", "account"}]


def test_a_list_of_pull_requests_has_the_same_number_of_each_source(both: Api) -> None:
    rows = answer(both, "pull-requests", period="all", limit=1000)["rows"]
    assert {(row["source"], row["account"]) for row in rows} == SOURCES
    assert len(rows) == 2 * len({(row["repo_name"], row["number"]) for row in rows})


def test_people_merged_what_they_merged_in_all_sources(both: Api, api: Api) -> None:
    one, two = (answer(each, "people", period="all", limit=1000) for each in (api, both))
    assert two["totals"]["merged_prs"] == 2 * one["totals"]["merged_prs"] > 0
    assert {row["person"] for row in two["rows"]} == {row["person"] for row in one["rows"]}
