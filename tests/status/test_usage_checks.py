"""The doctor tells what has no price and why, and counts withdrawn rows apart from unusable ones."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from millrace.status.remedies import LAPTOP
from millrace.status.usage_checks import Diagnosis, diagnose, lines

UNPRICED = """
    create table mart.usage_events as
    select 'codex' as agent, 'packycode' as provider, 'gpt-5.4' as model, speed, region, price_gap,
        cast(0 as bigint) as context_over_tokens, 'unknown' as cost_source, cast(null as decimal(38, 12)) as cost_usd,
        cast(7 as bigint) as total_tokens, date '2026-11-20' as day
    from (values (null, null, 'rate'), ('flex', 'eu', 'region'), (null, null, 'day')) as t (speed, region, price_gap)"""
STAGED = """
    create view staging.stg_usage_events as
    select * from (values (true, false), (false, false), (false, true), (false, true), (false, null), (true, null))
        as t (is_usable, is_withdrawn)"""


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("create schema mart; create schema staging")
        connection.execute(UNPRICED)
        connection.execute(STAGED)
        for mart, found in (("project_repositories", "project, repo_name"), ("user_developers", "user_id, developer")):
            names = ", ".join(f"null::varchar as {name}" for name in found.split(", "))
            connection.execute(f"create table mart.{mart} as select {names} where false")
        connection.execute(
            "create table mart.usage_daily as select null::varchar as project, null::varchar as user_id,"
            " 0.0 as cost_usd, 0 as assistant_message_count where false"
        )
        yield connection


def diagnosed(connection: duckdb.DuckDBPyConnection) -> Diagnosis:
    def query(sql: str) -> list[tuple[Any, ...]]:
        return connection.execute(sql).fetchall()

    return diagnose(query, {})


def test_withdrawn_rows_are_counted_apart_from_unusable_ones(warehouse: duckdb.DuckDBPyConnection) -> None:
    found = diagnosed(warehouse)
    assert (found.unusable_rows, found.withdrawn_rows) == (2, 2)
    said = lines(found, LAPTOP)
    assert "2 events were withdrawn by newer rules" in said
    assert any(line.startswith("2 loaded rows cannot be counted") for line in said)
    assert found.to_json()["withdrawn_rows"] == 2


def test_withdrawn_rows_alone_leave_usage_well(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("delete from mart.usage_events")
    warehouse.execute(
        "create or replace view staging.stg_usage_events as select false as is_usable, true as is_withdrawn"
    )
    assert diagnosed(warehouse).is_well


def test_view_of_an_earlier_version_has_no_withdrawn_rows(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("create or replace view staging.stg_usage_events as select false as is_usable")
    found = diagnosed(warehouse)
    assert (found.unusable_rows, found.withdrawn_rows) == (1, 0)


def test_each_key_without_a_price_is_named_with_what_is_missing(warehouse: duckdb.DuckDBPyConnection) -> None:
    names = {each.name for each in diagnosed(warehouse).unpriced}
    assert names == {
        "codex packycode gpt-5.4, speed standard (the price has no rate for a kind that was used)",
        "codex packycode gpt-5.4, speed standard (the model has no price on that day)",
        "codex packycode gpt-5.4, speed flex, region eu (the model has no price in this region)",
    }


def test_mart_of_an_earlier_version_names_the_key_alone(warehouse: duckdb.DuckDBPyConnection) -> None:
    for column in ("region", "context_over_tokens", "price_gap"):
        warehouse.execute(f"alter table mart.usage_events drop column {column}")
    names = {each.name for each in diagnosed(warehouse).unpriced}
    assert names == {"codex packycode gpt-5.4, speed standard", "codex packycode gpt-5.4, speed flex"}
