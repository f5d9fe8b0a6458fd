"""Queries whose answers would differ between the engines, but for the project's own SQL."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from tests.contract import on_snowflake
from tests.proofs.parity.compiling import Compiled

from emulators import snowflake
from millrace.errors import TerminalError
from millrace.tables import TABLES
from millrace.warehouse.duckdb.merge import DUCKDB
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

pytestmark = pytest.mark.slow

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Engines:
    """Both engines with the raw tables only, and the SQL that dbt compiled for each."""

    warehouse: SnowflakeWarehouse
    connection: duckdb.DuckDBPyConnection
    for_snowflake: Compiled
    for_duckdb: Compiled

    def do(self, *statements: str) -> None:
        """Run the same statements on both."""
        for statement in statements:
            self.warehouse.execute(statement)
            self.connection.execute(statement)

    def ask(self, path: str) -> Rows:
        """Return the rows of a compiled query, which are the same on both."""
        one = self.connection.execute(self.for_duckdb[path]).fetchall()
        other = self.warehouse.execute(self.for_snowflake[path])
        assert [[type(value) for value in row] for row in one] == [[type(value) for value in row] for row in other]
        assert one == other
        return one

    def trap(self, name: str) -> Rows:
        """Return the rows of one of TRAPS."""
        return self.ask(f"analyses/{name}.sql")


@pytest.fixture(scope="module")
def engines(snowflake_at: str, for_snowflake: Compiled, for_duckdb: Compiled) -> Iterator[Engines]:
    address = on_snowflake.address_of(snowflake_at, "MILLRACE")  # the name that the project is compiled for
    snowflake.provision(address, "file:///nowhere/raw/")
    with SnowflakeWarehouse(address, None) as warehouse, duckdb.connect() as connection:
        warehouse.ensure_tables()
        connection.execute("create schema raw; create schema staging")
        for table in TABLES.values():
            connection.execute(DUCKDB.create(table))
        yield Engines(warehouse, connection, for_snowflake, for_duckdb)


@pytest.fixture
def elsewhere(engines: Engines, snowflake_at: str) -> Iterator[Engines]:
    """Sessions in Los Angeles, where the day before has not ended."""
    address = on_snowflake.address_of(snowflake_at, "MILLRACE")
    with SnowflakeWarehouse(address, None) as warehouse, engines.connection.cursor() as connection:
        warehouse.execute("ALTER SESSION SET TIMEZONE = 'America/Los_Angeles'")
        connection.execute("SET TimeZone = 'America/Los_Angeles'")
        yield replace(engines, warehouse=warehouse, connection=connection)


def test_hours_are_elapsed_ones_and_no_borders_of_the_clock(engines: Engines) -> None:
    hours = [hours for (hours,) in engines.trap("hours_between")]
    assert hours == [pytest.approx(2 / 60, rel=1e-15), pytest.approx(-1e-6 / 3600, rel=1e-9), 365 * 24, None]


def test_the_newest_of_several_is_never_one_without_a_time(engines: Engines) -> None:
    columns = "user_id varchar, user_email varchar, commit_ts timestamp"
    rows = "('u', 'never@x', null), ('u', 'old@x', '2026-03-01 10:00:00'), ('u', 'new@x', '2026-03-02 10:00:00')"
    identities = "system varchar, account varchar, account_name varchar, email varchar, seen_at timestamp"
    engines.do(
        f"create table staging.stg_commits ({columns})",
        f"insert into staging.stg_commits values {rows}",  # noqa: S608
        f"create table staging.stg_identities ({identities})",
    )
    assert engines.ask("models/intermediate/int_user_emails_resolved.sql") == [("cursor-sim", None, "u", "new@x")]


def test_a_session_in_another_zone_moves_no_day_and_no_week(engines: Engines, elsewhere: Engines) -> None:
    late_here = "select cast(cast('2026-03-02 02:00:00+00:00' as {}) as date)"
    moved = [
        *elsewhere.connection.execute(late_here.format("timestamptz")).fetchall(),
        *elsewhere.warehouse.execute(late_here.format("timestamp_ltz")),
    ]
    assert moved == [(date(2026, 3, 1),)] * 2
    assert elsewhere.trap("week_of") == engines.trap("week_of")


def test_a_session_whose_week_begins_on_sunday_moves_no_monday(engines: Engines) -> None:
    engines.warehouse.execute("ALTER SESSION SET WEEK_START = 7")  # the emulator has no such parameter
    sunday, *mondays, new_year, unknown = (week for week, _ in engines.trap("week_of"))
    assert (sunday, mondays) == (date(2026, 2, 23), [date(2026, 3, 2)] * 2)
    assert (new_year, unknown) == (date(2026, 12, 28), None)


def test_one_whole_number_by_another_is_a_double_and_by_zero_unknown(engines: Engines) -> None:
    assert engines.trap("ratio") == [(3.5, 350.0), (1 / 3, 100 / 3), (None, None)]


def test_a_sum_of_doubles_is_the_same_for_every_order(engines: Engines) -> None:
    assert engines.trap("exact_sum") == engines.trap("exact_sum_backwards") == [(0.6,)]
    assert sum((1e17, 0.1, 0.2, 0.3, -1e17)) != 0.6


def test_a_condition_that_is_unknown_is_not_counted_and_none_is_zero(engines: Engines) -> None:
    assert engines.trap("count_where") == [(1, 0)]


def test_a_name_in_mixed_case_is_found_whatever_the_engine_makes_of_it(engines: Engines) -> None:
    engines.do("insert into raw.commits (commitHash, repoName) values ('Ab', 'acme/web')")
    assert [row[:2] for row in engines.ask("models/staging/stg_commits.sql")] == [("Ab", "acme/web")]


def test_a_list_has_its_elements_and_no_list_has_no_number_of_them(engines: Engines) -> None:
    assert engines.trap("list_length") == [(3,), (2,), (0,), (None,)]
    assert engines.trap("select_unnested") == [(0, "a"), (0, "a"), (0, "b"), (1, "a"), (1, None)]


def test_only_a_json_array_has_a_size(engines: Engines) -> None:
    sizes = [size for (size,) in engines.trap("json_array_size")]
    assert sizes == [0, 1, 2, 1, *[None] * 9]


def test_a_percentile_lies_between_two_values_and_leaves_out_the_unknown(engines: Engines) -> None:
    assert engines.trap("percentiles") == [
        ("even", 2.5, pytest.approx(7.9)),
        ("none", None, None),
        ("odd", 2.0, pytest.approx(2.8)),
        ("one", 7.0, 7.0),
        ("some", 2.0, pytest.approx(2.8)),
        ("ties", 2.0, 5.0),
    ]


def test_cost_keeps_every_digit_and_zero_tokens_cost_zero(engines: Engines) -> None:
    assert engines.trap("cost_of") == [(Decimal("999999999999.000000"),), (Decimal("1e-12"),), (0,), (None,)]


def test_money_is_read_from_its_text_to_twelve_digits(engines: Engines) -> None:
    read = [usd for (usd,) in engines.trap("money")]
    assert read == [Decimal("0.123456789013"), Decimal("1e-7"), Decimal("12.5"), Decimal(-3), None, None, None, None]


def test_a_pattern_is_for_the_whole_text(engines: Engines) -> None:
    assert [is_match for (is_match,) in engines.trap("full_match")] == [True, False, True, False, False, None]


def test_a_pattern_that_is_none_matches_nothing_on_duckdb_and_fails_on_snowflake(engines: Engines) -> None:
    path = "analyses/try_full_match.sql"
    assert engines.connection.execute(engines.for_duckdb[path]).fetchall() == [(None,), (True,)]
    with pytest.raises(TerminalError, match="Invalid regular expression"):
        engines.warehouse.execute(engines.for_snowflake[path])


def test_an_event_has_the_hash_of_its_names(engines: Engines) -> None:
    names = (b"claude\x1fm\x1fr", b"claude\x1fm")
    assert engines.trap("event_id") == [(hashlib.md5(name, usedforsecurity=False).hexdigest(),) for name in names]


def test_an_unknown_part_of_a_key_is_the_same_as_an_unknown_one(engines: Engines) -> None:
    assert engines.trap("same_key") == [(0,), (3,)]


def test_concatenation_with_null_is_null(engines: Engines) -> None:
    assert engines.trap("bars") == [("ab",), (None,)]
