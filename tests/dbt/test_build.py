"""The project builds, in the schemas and with the columns that readers rely on."""

from datetime import date
from pathlib import Path

from tests.dbt.conftest import MARTS, PROJECT, Build, Dbt
from tests.dbt.raw_tables import AS_OF, Rows, make_warehouse, sample_rows


def test_the_project_builds_and_all_of_its_tests_pass(built: Build) -> None:
    assert built.exit_code == 0, built.output
    assert {name for name, status in built.outcomes.items() if status == "warn"} == {"usage_rows_are_usable"}


def test_schemas_are_named_exactly_after_the_layers(built: Build) -> None:
    schemas = built.query("select distinct table_schema from information_schema.tables order by 1")
    assert [name for (name,) in schemas] == ["intermediate", "mart", "meta", "raw", "staging"]


def test_the_marts_are_exactly_those_that_are_listed(built: Build) -> None:
    tables = built.query("select table_name from duckdb_tables() where schema_name = 'mart' order by 1")
    assert tuple(name for (name,) in tables) == MARTS


def test_every_mart_has_an_enforced_contract(built: Build) -> None:
    models = built.manifest["nodes"].values()
    enforced = {node["name"] for node in models if node.get("contract", {}).get("enforced")}
    assert enforced == set(MARTS)


def test_every_model_and_every_column_is_described(built: Build) -> None:
    nodes = [node for node in built.manifest["nodes"].values() if node["resource_type"] in ("model", "seed")]
    described = {
        (node["schema"], node["name"], column["name"])
        for node in nodes
        if node["description"]
        for column in node["columns"].values()
        if column["description"]
    }
    existing = built.query(
        "select schema_name, table_name, column_name from duckdb_columns()"
        " where schema_name in ('staging', 'intermediate', 'mart')"
    )
    assert described == set(existing)


def test_only_staging_reads_what_was_loaded(built: Build) -> None:
    bookkeeping = {f"source.millrace.meta.{name}" for name in ("mart_watermarks", "usage_old_keys")}
    readers = {
        node["schema"]
        for node in built.manifest["nodes"].values()
        if node["resource_type"] == "model"
        and any(parent.startswith("source.") for parent in {*node["depends_on"]["nodes"]} - bookkeeping)
    }
    assert readers == {"staging"}


def test_merged_pull_requests_lie_in_the_order_in_which_they_were_merged(built: Build) -> None:
    rows = built.query("select merged_at, repo_name, number from mart.merged_pull_requests")
    assert len(rows) > 40
    assert rows == sorted(rows)


def test_raw_tables_without_a_row_build_into_empty_marts(dbt: Dbt, tmp_path: Path) -> None:
    empty = dbt(make_warehouse(tmp_path / "millrace.duckdb", {}), "build", "--resource-types", "model seed")
    assert empty.exit_code == 0, empty.output
    assert empty.query("select count(*) from mart.velocity") == [(0,)]


def test_marts_are_independent_of_row_order_and_time_zone(built: Build, dbt: Dbt, tmp_path: Path) -> None:
    reversed_rows: Rows = {name: rows[::-1] for name, rows in sample_rows().items()}
    database = make_warehouse(tmp_path / "millrace.duckdb", reversed_rows)
    other = dbt(database, "build", "--resource-types", "model seed", TZ="America/Los_Angeles")
    assert _marts(other) == _marts(built)


def test_seeds_load_also_where_they_have_no_row(built: Build) -> None:
    prices = (PROJECT / "seeds" / "usage_prices.csv").read_text().splitlines()[1:]
    tables = ("usage_prices", "usage_repositories", "usage_authors")
    loaded = [built.query(f"select count(*) from staging.{table}") for table in tables]  # noqa: S608 our own names
    assert loaded == [[(len(prices),)], [(0,)], [(0,)]]


def test_a_merge_is_measured_from_raw_row_to_mart(built: Build) -> None:
    assert built.query(
        "select week, developer, total_prs, avg_coding_lead_time_hours, avg_pickup_time_hours,"
        " avg_review_lead_time_hours, p90_cycle_time_hours, ai_line_share"
        " from mart.developer_velocity where repo_name = 'acme/web'"
    ) == [(date(2026, 3, 9), "user_9", 1, 2.0, 6.0, 4.0, 12.0, 0.75)]
    assert built.query(
        "select review_count, approval_rate, comment_count from mart.review_costs where repo_name = 'acme/web'"
    ) == [(1, 1.0, 1)]


def test_pull_requests_are_known_up_to_the_newest_extraction_in_the_ledger(built: Build) -> None:
    assert built.query("select distinct as_of from intermediate.int_pull_requests_measured") == [(AS_OF,)]


def _marts(build: Build) -> dict[str, list[tuple[object, ...]]]:
    return {mart: build.query(f"from mart.{mart} order by all") for mart in MARTS}
