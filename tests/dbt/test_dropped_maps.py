"""Dropped files name repositories, developers and prices: a build follows them, and what is taken back."""

import shutil
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from tests.dbt.conftest import Build, Dbt
from tests.dbt.raw_tables import Rows, raw_schema

from millrace.tables import EXTRACTED_AT, LOAD_SEQ, TABLES

MODELS = (
    "build",
    "--resource-type",
    "model",
    "--select",
    "stg_usage_prices+ stg_project_repositories+ stg_user_developers+",
)
UNPRICED = "select cost_usd, cost_source from mart.usage_events where message_id = 'unpriced'"
COSTS = {
    "project": "select repo_name from mart.project_repositories where project = 'only-asked'",
    "user": "select developer from mart.user_developers where user_id = 'me@example.com'",
    "event": UNPRICED,
    "model": "select cost_usd from mart.usage_model_day where model = 'nobody-knows'",
    "repositories": "select distinct repo_name from mart.ai_spend_by_repo_week where cost_usd > 0 order by 1",
    "developers": "select distinct developer from mart.cost_per_merged_pr where cost_usd > 0 order by 1",
}


def drop(database: Path, load_seq: int, rows: Rows) -> None:
    """Replace the rows of dropped files as a load of newer ones does."""
    stamps = {EXTRACTED_AT: datetime(2026, 3, 20, load_seq), LOAD_SEQ: load_seq}  # noqa: DTZ001 raw has naive instants
    with duckdb.connect(database) as connection:
        for name, given in rows.items():
            connection.register(
                "given", pa.Table.from_pylist([row | stamps for row in given], raw_schema(TABLES[name]))
            )
            keys = " and ".join(f"old.{key} is not distinct from given.{key}" for key in TABLES[name].key)
            connection.execute(f"delete from raw.{name} as old using given where {keys}")  # noqa: S608 names of ours
            connection.execute(f"insert into raw.{name} from given")


def costs(build: Build) -> dict[str, list[tuple[Any, ...]]]:
    assert build.exit_code == 0, build.output
    return {name: build.query(sql) for name, sql in COSTS.items()}


def test_marts_follow_dropped_rows_and_what_is_taken_back(built: Build, dbt: Dbt, tmp_path: Path) -> None:
    database = Path(shutil.copy(built.database, tmp_path / "millrace.duckdb"))
    before = costs(built)
    assert (before["project"], before["event"]) == ([(None,)], [(None, "unknown")])
    price = {"model": "Nobody.Knows", "valid_from": "2026-01-01"}
    rates = {"input_usd": 1.0, "output_usd": 10.0, "cache_read_usd": 0.1, "cache_write_5m_usd": 2.0}
    unusable = [price | {"valid_from": "soon", "input_usd": 9.0}, price | {"region": "us", "input_usd": -1.0}]
    maps = {
        "project_repositories": [{"project": "WORK-*", "repo_name": "acme/dropped"}, {"project": "", "repo_name": "x"}],
        "user_developers": [{"user_id": "Me@Example.com", "developer": "me"}],
    }
    drop(database, 10, maps | {"usage_prices": [price | rates | {"cache_write_1h_usd": 4.0}, *unusable]})
    after = costs(dbt(database, *MODELS))
    cost = Decimal("0.0003")  # 100 of input, 10 of output, 1,000 from the cache
    assert (after["event"], after["model"]) == ([(cost, "rate_card")], [(2 * cost,)])  # one more has a reported cost
    assert after["user"] == [("me",)]
    assert (after["repositories"], after["developers"]) == ([("acme/dropped",)], [("me",)])

    back = {"project_repositories": [{"project": "work-*"}], "user_developers": [{"user_id": "ME@example.com"}]}
    drop(
        database,
        11,
        back | {"usage_prices": [{"model": "nobody-knows", "speed": "standard", "valid_from": "2026-01-01"}]},
    )
    assert costs(dbt(database, *MODELS)) == before
