"""Both engines produce the same from the same objects, and a cell that differs is named."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from tests.proofs.parity import asked, engines, running
from tests.proofs.parity.__main__ import IN_LOS_ANGELES, accounts, parse
from tests.proofs.parity.comparing import compare, is_same
from tests.proofs.parity.engines import Engine
from tests.proofs.parity.extracted import RENAMED, extract_twice
from tests.proofs.parity.running import Report

from millrace.api.routes import ROUTES, Route
from millrace.tables import TABLES
from millrace.warehouse.duckdb.reader import DuckDBReader
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.reading import Reader
from millrace.warehouse.snowflake.reader import SnowflakeReader
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse


@dataclass(frozen=True)
class Parity:
    """Two engines after a run, and its report."""

    one: Engine
    other: Engine
    report: Report


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parity]:
    folder = tmp_path_factory.mktemp("parity")
    extracted = extract_twice(folder, developers=3, days=14, seed=1)
    with engines.on_duckdb(folder) as one, engines.on_the_emulator(folder, folder / "lake") as other:
        # The models' unit tests run over the emulator in `make parity`: they are half of the time.
        yield Parity(one, other, running.run(one, other, extracted, last=("--exclude-resource-type", "unit_test")))


def test_every_cell_is_the_same_on_both_engines(parity: Parity) -> None:
    assert [str(each) for each in parity.report.differences] == []


def test_raw_tables_staging_models_and_marts_are_compared_and_none_is_empty(parity: Parity) -> None:
    nodes = [node for node in parity.one.manifest["nodes"].values() if node["resource_type"] == "model"]
    built = {f"{node['schema']}.{node['name']}" for node in nodes if node["schema"] in ("staging", "mart")}
    raw = {f"raw.{name}" for name in TABLES}
    assert {"mart.source_completeness", "staging.stg_github_pull_requests", "staging.stg_reviews"} <= built
    assert {table.table for table in parity.report.tables} == raw | built | {"intermediate.int_pull_requests_measured"}
    assert {table.table for table in parity.report.tables if not table.cells} == set()
    assert sum(table.cells for table in parity.report.tables) > 50_000


def test_every_model_and_every_test_runs_on_both_engines(parity: Parity) -> None:
    one, other = (sorted((each.node, each.status) for each in build) for build in parity.report.builds.values())
    assert one == other
    assert {each.kind for build in parity.report.builds.values() for each in build if each.is_good} >= {"test"}
    assert parity.report.is_good


def test_rows_of_the_first_extraction_are_changed_by_the_second(parity: Parity) -> None:
    for engine in (parity.one, parity.other):
        entries = engine.warehouse.loads_of("20261101T120000Z")
        assert all(sum(getattr(each, counted) for each in entries) for counted in ("rows_updated", "rows_unchanged"))


def test_a_pull_request_under_two_names_is_in_the_marts_under_the_newest(parity: Parity) -> None:
    before, after = RENAMED
    for engine in (parity.one, parity.other):
        ids = {(row["repo_name"], row["id"]) for row in engine.rows("raw.pull_requests")}
        both = {pull for name, pull in ids if name == before}
        assert both
        assert both <= {pull for name, pull in ids if name == after}
        merged = {row["repo_name"] for row in engine.rows("mart.velocity") if row["source"] == "cursor-sim"}
        assert merged == {after, "acme-corp/service-02"}


def test_a_repository_of_github_is_renamed_and_one_is_refused_in_the_second_run(parity: Parity) -> None:
    for engine in (parity.one, parity.other):
        windows = {(row["object"], row["name"]): row["state"] for row in engine.rows("mart.source_completeness")}
        assert windows["pull_requests", "acme/store"] == "known"
        assert windows["pull_requests", "acme/web"] == "refused"


def test_values_that_cannot_be_are_counted(parity: Parity) -> None:
    for engine in (parity.one, parity.other):
        found = {(row["table_name"], row["reason"]) for row in engine.rows("mart.implausible_values")}
        assert found == {
            *((table, "before_1990") for table in ("commits", "pull_requests", "reviews")),
            ("pull_requests", "ai_ratio_outside_0_and_1"),
        }


def test_the_second_build_follows_changes_by_which_events_left_their_keys(parity: Parity) -> None:
    for engine in (parity.one, parity.other):
        (seq,) = {row["load_seq"] for row in engine.rows("meta.mart_watermarks")}
        assert seq == max(row["_load_seq"] for row in engine.rows("raw.usage_events"))
        left = {row["load_seq"] for row in engine.rows("meta.usage_old_keys")}
        assert left
        assert left <= {row["_load_seq"] for row in engine.rows("mart.usage_events")}
        assert {row["_load_seq"] for row in engine.rows("mart.usage_events")} > left  # unchanged rows stayed


def test_event_from_two_machines_is_in_mart_once(parity: Parity) -> None:
    told = Counter((row["agent"], row["message_id"], row["request_id"]) for row in parity.one.rows("raw.usage_events"))
    assert max(told.values()) == 2
    assert len(told) == len(parity.one.rows("mart.usage_events"))


@pytest.mark.parametrize(
    ("table", "column", "planted"),
    [
        pytest.param("mart.velocity", "total_prs", "TOTAL_PRS + 1", id="a count"),
        pytest.param("mart.quality", "week", "DATEADD(DAY, 1, WEEK)", id="a date, which is of the key"),
        pytest.param("mart.ai_impact", "avg_cycle_time_hours", "AVG_CYCLE_TIME_HOURS * 1.00000001", id="a double"),
        pytest.param("mart.review_costs", "approval_rate", "NULL", id="unknown"),
        pytest.param("raw.commits", "message", "MESSAGE || ' '", id="a text"),
        pytest.param("mart.usage_events", "cost_usd", "COST_USD + 0.000000000001", id="the last digit of money"),
    ],
)
def test_a_cell_that_is_not_the_same_is_named(parity: Parity, table: str, column: str, planted: str) -> None:
    with changed(parity.other, f"UPDATE {table} SET {column} = {planted}"):  # noqa: S608 - our own names
        named = {
            (each.table, each.column)
            for found in running.compare_all(parity.one, parity.other)
            for each in found.differences
            if not each.table.startswith("staging.")  # views, which differ with the raw table that they show
        }
    assert named == {(table, "" if column == "week" else column)}


@contextmanager
def changed(engine: Engine, statement: str) -> Iterator[None]:
    """Change something on Snowflake until the block ends."""
    assert isinstance(engine.warehouse, SnowflakeWarehouse)
    engine.warehouse.execute("BEGIN")
    try:
        engine.warehouse.execute(statement)
        yield
    finally:
        engine.warehouse.execute("ROLLBACK")


@pytest.fixture(scope="module")
def readers(parity: Parity) -> Iterator[dict[str, Reader]]:
    """Readers of the published data of both engines."""
    for engine in (parity.one, parity.other):
        build = engine.warehouse.start_build(1, "parity", None)
        engine.warehouse.publish(engine.warehouse.end_build(build, is_good=True, seconds=1.0, nodes=()))
    assert isinstance(parity.one.warehouse, DuckDBWarehouse)
    assert isinstance(parity.other.warehouse, SnowflakeWarehouse)
    readers: dict[str, Reader] = {
        "duckdb": DuckDBReader(parity.one.warehouse.published_path),
        "snowflake": SnowflakeReader(parity.other.warehouse._address),
    }
    yield readers
    for reader in readers.values():
        reader.close()


@pytest.mark.parametrize("without", [frozenset(), asked.MADE], ids=["from the marts", "from the events"])
@pytest.mark.parametrize("question", asked.QUESTIONS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_read_api_returns_same_answer_on_both_engines(
    readers: dict[str, Reader], route: Route, question: str, without: frozenset[str]
) -> None:
    answers = {engine: asked.answer(reader, route, question, without) for engine, reader in readers.items()}
    assert question == "two of each" or answers["duckdb"]["rows"]
    assert answers["snowflake"] == answers["duckdb"]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param([], [{}, IN_LOS_ANGELES], id="two accounts"),
        pytest.param(["--timezone", "UTC"], [{"timezone": "UTC"}], id="the given one"),
        pytest.param(
            ["--timestamp-type-mapping", "TIMESTAMP_TZ"], [{"timestamp_type_mapping": "TIMESTAMP_TZ"}], id="of a kind"
        ),
    ],
)
def test_command_compares_with_two_accounts_unless_one_is_given(
    arguments: list[str], expected: list[dict[str, str]]
) -> None:
    assert accounts(parse(arguments)) == expected


def test_a_row_that_one_engine_lacks_or_has_twice_is_named() -> None:
    rows = [{"k": 1, "v": 1}, {"k": 2, "v": 2}]
    assert [str(each) for each in compare("t", ["k"], rows, [*rows[:1], *rows[:1]]).differences] == [
        "t 1: rows is 1 on one engine, 2 on the other",
        "t 2: rows is 1 on one engine, 0 on the other",
    ]


def test_a_column_that_one_engine_lacks_is_named() -> None:
    (found,) = compare("t", ["k"], [{"k": 1, "v": None}], [{"k": 1}]).differences
    assert (found.column, found.other) == ("v", "no such column")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(0.1 + 0.2, 0.3, True, id="the last digit of a double"),
        pytest.param(1.0, 1.0 + 1e-8, False, id="more than the last digits"),
        pytest.param(None, 0, False, id="unknown is not zero"),
        pytest.param("", None, False, id="nor is an empty text"),
        pytest.param(True, 1, False, id="a flag is no count"),
        pytest.param([], None, False, id="no list is not an empty one"),
        pytest.param(10**17, 10**17 + 1, False, id="large counts are exact"),
    ],
)
def test_comparison_matches_equal_values_in_both_directions(one: object, other: object, same: bool) -> None:
    assert is_same(one, other) is same
    assert is_same(other, one) is same
