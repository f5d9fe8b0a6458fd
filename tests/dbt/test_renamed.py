"""A pull request of a renamed repository counts once, under the newest name."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.dbt.conftest import PULL_REQUEST_MARTS, Build, Dbt
from tests.dbt.raw_tables import AS_OF, Rows, make_warehouse, sample_rows

NAMES = {"acme/service-1": "acme/renamed", "acme/web": "acme/site"}
SELECTED = ("staging", "int_authors_resolved", *(f"+{mart}" for mart in PULL_REQUEST_MARTS))


def renamed(rows: Rows) -> Rows:
    """Return rows whose names were there before and after two repositories were renamed."""
    earlier, later = {"_extracted_at": AS_OF - timedelta(days=1)}, {"_extracted_at": AS_OF}
    under_new = {
        table: [row | {column: NAMES[row[column]]} | later for row in rows[table] if row[column] in NAMES]
        for table, column in (("repos", "full_name"), ("pull_requests", "repo_name"), ("commits", "repoName"))
    }
    return rows | {name: [*[row | earlier for row in rows[name]], *found] for name, found in under_new.items()}


def only_new(rows: Rows) -> Rows:
    """Return the rows as they are when only the new names were ever read."""
    both = renamed(rows)
    old = {("repos", "full_name"), ("pull_requests", "repo_name"), ("commits", "repoName")}
    return both | {name: [row for row in both[name] if row[column] not in NAMES] for name, column in old}


@pytest.fixture(scope="module")
def builds(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> tuple[Build, Build]:
    """The marts of rows under both names, and those of rows under the new names only."""

    def build(rows: Rows) -> Build:
        database = make_warehouse(tmp_path_factory.mktemp("renamed") / "millrace.duckdb", rows)
        return dbt(database, "build", "--exclude-resource-type", "unit_test", "--select", *SELECTED)

    return build(renamed(sample_rows())), build(only_new(sample_rows()))


@pytest.mark.parametrize("mart", PULL_REQUEST_MARTS)
def test_marts_are_those_of_the_newest_name(builds: tuple[Build, Build], mart: str) -> None:
    found, expected = (sorted(map(str, build.query(f"from mart.{mart}"))) for build in builds)
    assert expected
    assert found == expected


def test_an_id_is_one_pull_request(builds: tuple[Build, Build]) -> None:
    both, _ = builds
    assert both.outcomes["unique_stg_pull_requests_pull_request_id"] == "pass"
    assert both.outcomes["unique_grain_stg_pull_requests_repo_name__number"] == "pass"


def test_pull_requests_without_an_id_all_count(dbt: Dbt, tmp_path: Path) -> None:
    rows = sample_rows()
    rows["pull_requests"] = [row | {"id": None} for row in rows["pull_requests"]]
    database = make_warehouse(tmp_path / "millrace.duckdb", rows)
    build = dbt(database, "build", "--exclude-resource-type", "unit_test", "--select", "stg_pull_requests")
    assert build.query("select count(*) from staging.stg_pull_requests") == [(len(rows["pull_requests"]),)]
    assert build.outcomes["unique_stg_pull_requests_pull_request_id"] == "pass"
