"""The doctor names what has no price and why, with lines to paste, and counts withdrawn and unusable rows apart."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from millrace.status.remedies import LAPTOP, laptop
from millrace.status.usage_checks import Diagnosis, diagnose, lines

UNPRICED = """
    create table mart.usage_events as
    select 'codex' as agent, 'packycode' as provider, 'gpt-5.4' as model, speed, region, price_gap,
        cast(0 as bigint) as context_over_tokens, 'unknown' as cost_source, cast(null as decimal(38, 12)) as cost_usd,
        cast(7 as bigint) as total_tokens, date '2026-11-20' as day, cast(7 as bigint) as input_tokens,
        cast(null as bigint) as output_tokens, cast(null as bigint) as cache_read_tokens,
        cast(3 as bigint) as cache_write_5m_tokens, cast(null as bigint) as cache_write_1h_tokens,
        cast(1 as bigint) as web_searches
    from (values (null, null, 'rate'), ('flex', 'eu', 'region'), (null, null, 'day')) as t (speed, region, price_gap)"""
MAPPED = "millrace map project src-shop acme/shop"
KNOWN = """
    create table staging.stg_repos as select unnest(['acme/shop', 'acme/docs', 'other/docs']) as repo_name;
    create table staging.stg_pull_requests as select 'acme/shop' as repo_name;
    create table intermediate.int_authors_resolved as
        select 'user_004' as developer, 'dev004@example.com' as author_email;
    create table staging.usage_repositories as
        select * from (values ('mono.*', 'acme/shop'), ('.*repo', 'acme/docs'), ('(', 'acme/docs'))
            as t (project_pattern, repo_name);
    create table staging.usage_authors as select null::varchar as user_id, null::varchar as developer where false"""
STAGED = """
    create view staging.stg_usage_events as
    select * from (values (true, false), (false, false), (false, true), (false, true), (false, null), (true, null))
        as t (is_usable, is_withdrawn)"""


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("create schema mart; create schema staging; create schema intermediate")
        connection.execute(KNOWN)
        connection.execute(UNPRICED)
        connection.execute(STAGED)
        for mart, found in (("project_repositories", "project, repo_name"), ("user_developers", "user_id, developer")):
            names = ", ".join(f"null::varchar as {name}" for name in found.split(", "))
            connection.execute(f"create table mart.{mart} as select {names} where false")
        connection.execute(
            "create table mart.usage_daily as select null::varchar as project, null::varchar as user_id,"
            " 0.0::decimal(38, 12) as cost_usd, 0 as assistant_message_count, 0 as n_cost where false"
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


def drop_rows(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Create the staging models of dropped prices and maps: two prices and one project cannot be used."""
    for view, taken_back, rows in (
        ("stg_usage_prices", "is_taken_back", "(false, false), (false, false), (false, true), (true, false)"),
        ("stg_project_repositories", "repo_name", "(false, 'acme/shop'), (false, null), (true, 'acme/shop')"),
        ("stg_user_developers", "developer", "(false, null), (true, 'user_004')"),
    ):
        warehouse.execute(f"create view staging.{view} (is_usable, {taken_back}) as values {rows}")


def test_unusable_dropped_rows_are_counted_by_table(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("delete from mart.usage_events")
    warehouse.execute("create or replace view staging.stg_usage_events as select true as is_usable")
    drop_rows(warehouse)
    found = diagnosed(warehouse)
    assert not found.is_well
    assert found.to_json()["unusable_dropped_rows"] == {"usage_prices": 2, "project_repositories": 1}
    said = lines(found, LAPTOP)
    assert "2 dropped rows cannot be used: staging.stg_usage_prices has them, is_usable = false" in said
    assert "1 dropped row cannot be used: staging.stg_project_repositories has it, is_usable = false" in said
    assert not any("stg_user_developers" in line for line in said)


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


def use(warehouse: duckdb.DuckDBPyConnection, project: str, user: str, cost: str = "5.74", priced: int = 48) -> None:
    warehouse.execute("insert into mart.usage_daily values (?, ?, ?, 48, ?)", [project, user, cost, priced])


def test_finding_has_a_line_to_paste_with_the_data_directory(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    use(warehouse, "src-shop", "dev004@mail.example.com")
    place = laptop(tmp_path / "a b")
    found = diagnosed(warehouse)
    said = lines(found, place)
    folder = shlex.quote(str(tmp_path / "a b"))
    mapped = (
        f"    millrace map project src-shop acme/shop --data-dir {folder}   # the only repository with that last name"
    )
    assert said[said.index("projects of no repository:") + 1 :][:2] == ["  src-shop: $5.74 of 48 responses", mapped]
    assert f"    millrace map user dev004@mail.example.com user_004 --data-dir {folder}" in "\n".join(said)
    (project,) = found.to_json(place)["projects"]
    assert project["command"] == mapped.partition("   #")[0].strip()
    assert (project["name"], project["responses"], project["why"]) == (
        "src-shop",
        48,
        "the only repository with that last name",
    )


def test_line_without_a_unique_name_has_a_gap(warehouse: duckdb.DuckDBPyConnection) -> None:
    use(warehouse, "docs", "eve; rm -rf ~")
    said = lines(diagnosed(warehouse), LAPTOP)
    words = [shlex.split(line, comments=True) for line in said if line.startswith("    millrace map")]
    assert words == [
        ["millrace", "map", "project", "docs", "…"],
        ["millrace", "map", "user", "eve; rm -rf ~", "…"],
    ]


def test_project_of_two_patterns_names_both_repositories(warehouse: duckdb.DuckDBPyConnection) -> None:
    use(warehouse, "mono-repo", "x")
    (project,) = diagnosed(warehouse).projects
    assert project.line is not None
    assert "acme/docs and acme/shop" in project.line.why


def test_a_row_of_a_project_comes_before_patterns(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("""create table staging.stg_project_repositories as select * from (values
        ('mono*', 'acme/a', true), ('*repo', 'acme/b', true)) as t (project_pattern, repo_name, is_usable)""")
    use(warehouse, "Mono-Repo", "x")
    (project,) = diagnosed(warehouse).projects
    assert project.line is not None
    assert "acme/a and acme/b" in project.line.why


def test_partly_known_cost_is_a_lower_bound(warehouse: duckdb.DuckDBPyConnection) -> None:
    use(warehouse, "docs", "x", priced=40)
    assert "  docs: at least $5.74 of 48 responses" in lines(diagnosed(warehouse), LAPTOP)


def test_model_with_a_price_gets_a_line_for_what_is_missing(warehouse: duckdb.DuckDBPyConnection) -> None:
    said = lines(diagnosed(warehouse), LAPTOP)
    commands = {line.strip() for line in said if line.startswith("    millrace prices")}
    assert not any("no price of this model" in line for line in said)
    assert (
        "millrace prices add gpt-5-4 --input … --output … --cache-write-5m … --web-search … --speed flex --region eu"
        in commands
    )
    assert (
        "millrace prices add gpt-5-4 --input … --output … --cache-write-5m … --web-search … --from 2026-11-20"
        in commands
    )
    held = "--input 2.5 --output 15 --cache-read 0.25 --cache-write-5m 0 --cache-write-1h 0"
    assert f"millrace prices add gpt-5-4 {held} --web-search …" in commands


def test_price_of_what_the_agent_chose_is_called_a_guess(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("update mart.usage_events set model = 'default', price_gap = 'model', speed = null")
    said = [line for line in lines(diagnosed(warehouse), LAPTOP) if line.startswith("    millrace prices add default ")]
    assert said
    assert all(line.endswith("   # the agent chose the model, so one price is a guess") for line in said)


@pytest.mark.parametrize("gap", ["no_model", "no_tokens"])
def test_a_log_without_model_or_tokens_has_no_line(warehouse: duckdb.DuckDBPyConnection, gap: str) -> None:
    warehouse.execute("update mart.usage_events set price_gap = ?", [gap])
    assert not any("millrace prices" in line for line in lines(diagnosed(warehouse), LAPTOP))


def test_names_that_are_options_or_not_printable_are_safe(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    use(warehouse, "--help", "a\x1b[2Jb")
    said = [line for line in lines(diagnosed(warehouse), laptop(tmp_path)) if line.startswith("    millrace map")]
    assert [shlex.split(line, comments=True)[1:] for line in said] == [
        ["map", "project", "--data-dir", str(tmp_path), "--", "--help", "…"]
    ]
