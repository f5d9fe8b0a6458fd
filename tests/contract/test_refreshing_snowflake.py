"""A refresh of the usage marts on Snowflake that stops anywhere, or runs beside a load or another refresh.

The marts are then right, or the next refresh repairs them.

The statements are those that dbt left in target/run, run on the emulator. In a transaction, the emulator does not show
a statement the commits of others, so the tests leave the transaction out.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake.connector.errors import Error
from snowflake.connector.util_text import split_statements
from tests.contract import on_snowflake
from tests.proofs.parity import engines
from tests.proofs.parity.engines import Engine, Row

from millrace.arrow import to_batch
from millrace.errors import MillraceError
from millrace.lake import ObjectVersion
from millrace.tables import TABLES
from millrace.warehouse import Batch
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
USAGE = TABLES["usage_events"]
LOCKED = 625  # Snowflake: the statement waited too long for a lock
FACT, FOLLOWERS = "usage_events", ("usage_daily", "usage_session")
MARTS = (FACT, *FOLLOWERS)
KEPT = (*(f"MART.{mart.upper()}" for mart in MARTS), "META.MART_WATERMARKS", "META.USAGE_OLD_KEYS", "RAW.USAGE_EVENTS")
Marts = dict[str, list[Row]]

every_or_some = pytest.mark.parametrize(
    "step", [pytest.param(1, id="each", marks=pytest.mark.proof), pytest.param(3, id="each third")]
)


def told(number: int, day: int = 1, machine: str = "laptop", **more: object) -> dict[str, object]:
    """Return a machine's report of an event."""
    return {
        "collector_id": machine,
        "user_id": "ann@acme.dev",
        "agent": "claude",
        "session_id": f"S{number % 2}",
        "message_id": f"m{number}",
        "role": "assistant",
        "occurred_at": f"2026-11-{day:02}T10:00:00Z",
        "project": "shop",
        "provider": "anthropic",
        "model": "claude-sonnet-4-5",
        "input_tokens": 100 + number,
        "output_tokens": 10,
    } | more


FIRST = [*(told(number) for number in range(6)), told(0, machine="server", output_tokens=4)]
# A new event, one with more tokens, two that move to another day, one that one of two machines can no longer count,
# and one that no machine can count.
SECOND = [told(6), told(1, output_tokens=99), told(2, day=2), told(3, day=3, project=None)]
SECOND += [told(0, speed="warp"), told(4, role="robot")]
# An event moves back, one moves to another day, and one that could not be counted can be counted again.
THIRD = [told(2, day=1), told(5, day=2), told(4), told(7)]


@dataclass
class Refreshing:
    """The emulator with marts of the first load, the second one loaded, and the statements of a refresh by mart."""

    engine: Engine
    folder: Path
    scripts: dict[str, list[str]] = field(default_factory=dict)

    @property
    def warehouse(self) -> SnowflakeWarehouse:
        assert isinstance(self.engine.warehouse, SnowflakeWarehouse)
        return self.engine.warehouse

    def do(self, *statements: str) -> None:
        for statement in statements:
            self.warehouse.execute(statement)

    def load(self, name: str, rows: list[dict[str, object]], at: datetime) -> None:
        path = self.folder / f"{name}.parquet"
        pq.write_table(pa.Table.from_batches([to_batch(rows, USAGE, at, None)]), path)
        version = ObjectVersion("b", name, int(at.timestamp()))
        self.warehouse.load(Batch(version, USAGE, path, at, None))

    def build(self, *selected: str) -> None:
        outcomes = self.engine.build("--select", *selected, "--exclude-resource-type", "test", "unit_test")
        assert [each for each in outcomes if not each.is_good] == []

    def refresh(self) -> Marts:
        """Run all scripts and return the marts."""
        for mart in MARTS:
            self.do(*self.scripts[mart])
        return {mart: sorted(self.engine.rows(f"mart.{mart}"), key=repr) for mart in MARTS}

    def from_nothing(self) -> Marts:
        """Refresh marts that are empty."""
        self.do(*(f"DELETE FROM MART.{mart.upper()}" for mart in MARTS))  # noqa: S608 - our own names
        self.do("DELETE FROM META.USAGE_OLD_KEYS", "UPDATE META.MART_WATERMARKS SET LOAD_SEQ = -1")
        return self.refresh()

    def keep(self) -> None:
        self.do("CREATE SCHEMA IF NOT EXISTS KEPT")
        self.do(*(f"CREATE OR REPLACE TABLE KEPT.{name.replace('.', '_')} AS SELECT * FROM {name}" for name in KEPT))  # noqa: S608

    def restore(self) -> None:
        for name in KEPT:
            self.do(f"DELETE FROM {name}", f"INSERT INTO {name} SELECT * FROM KEPT.{name.replace('.', '_')}")  # noqa: S608


@pytest.fixture(scope="module")
def made(snowflake_at: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refreshing]:
    folder = tmp_path_factory.mktemp("refresh")
    with on_snowflake.open_warehouse(snowflake_at, folder / "lake", lambda: T0) as warehouse:
        made = Refreshing(engines._snowflake("the emulator", warehouse, folder), folder)
        made.load("first", FIRST, T0)
        made.build("+config.materialized:affected_keys")
        for mart in MARTS:
            text = (folder / "dbt-snowflake" / "run" / "millrace" / "models" / "marts" / f"{mart}.sql").read_text()
            split = [part.strip().rstrip(";") for part, _ in split_statements(StringIO(text))]
            made.scripts[mart] = [statement for statement in split if statement]
        made.load("second", SECOND, T0 + timedelta(hours=1))
        made.keep()
        yield made


@pytest.fixture(scope="module")
def second(made: Refreshing, snowflake_at: str) -> Iterator[SnowflakeWarehouse]:
    """A session of its own, as that of another dbt."""
    with SnowflakeWarehouse(made.warehouse._address, "lake", lambda: T0) as warehouse:
        yield warehouse


@pytest.fixture
def refreshing(made: Refreshing) -> Refreshing:
    made.restore()
    return made


def do(session: SnowflakeWarehouse, statements: Sequence[str]) -> None:
    for statement in statements:
        session.execute(statement)


def first_words(statements: Sequence[str]) -> list[str]:
    return [statement.split()[0].lower() for statement in statements]


def test_tables_are_made_before_the_transaction_whose_first_and_last_change_is_the_watermark(
    refreshing: Refreshing,
) -> None:
    locked, changed = ["begin", "update"], ["delete", "insert", "update", "commit"]
    assert first_words(refreshing.scripts[FACT]) == ["create"] * 3 + [*locked, "select", "insert", *changed]
    assert [first_words(refreshing.scripts[mart]) for mart in FOLLOWERS] == [[*locked, *changed]] * 2


def test_marts_are_transient_and_their_keys_are_noted(refreshing: Refreshing) -> None:
    log = (refreshing.folder / "dbt-snowflake" / "dbt.log").read_text()
    made = re.findall(r"create (\w+ )?table \S+\.mart\.(\w+)", log)
    assert {kind for kind, _ in made} == {"transient "}
    assert {mart for _, mart in made} >= set(MARTS)
    refreshing.refresh()
    noted = refreshing.warehouse.execute("SELECT MART_NAME, MART_KEYS FROM META.MART_WATERMARKS")
    keys = {FACT: "event_id", "usage_session": "agent,session_id"}
    assert dict(noted).items() >= keys.items()
    left = refreshing.warehouse.execute("SELECT EVENT_ID FROM META.USAGE_OLD_KEYS")
    ids = {hashlib.md5(f"claude\x1fm{number}".encode()).hexdigest() for number in (2, 3, 4)}  # noqa: S324
    assert {event_id for (event_id,) in left} == ids


def test_a_refresh_makes_what_a_build_from_nothing_makes(refreshing: Refreshing) -> None:
    followed = refreshing.refresh()
    assert {row["message_id"]: row["day"].day for row in followed[FACT]} == {"m0": 1, "m1": 1, "m2": 2, "m3": 3} | {
        "m5": 1,
        "m6": 1,
    }
    assert followed == refreshing.from_nothing()


@every_or_some
def test_a_refresh_stopped_at_any_statement_is_mended_by_the_next(refreshing: Refreshing, step: int) -> None:
    expected = refreshing.from_nothing()
    for place, mart in enumerate(MARTS):
        begun, last = (first_words(refreshing.scripts[mart]).index(word) for word in ("begin", "commit"))
        # One end for the session, and one for the next table that dbt builds in it.
        for stop, end in ((last, "ROLLBACK"), *((stop, "COMMIT") for stop in range(begun + 2, last + 1, step))):
            refreshing.restore()
            for before in MARTS[:place]:
                refreshing.do(*refreshing.scripts[before])
            refreshing.do(*refreshing.scripts[mart][:stop], end)
            assert refreshing.refresh() == expected, (mart, stop, end)


@every_or_some
def test_a_load_between_any_two_statements_is_for_the_next_refresh(refreshing: Refreshing, step: int) -> None:
    statements = [each for each in refreshing.scripts[FACT] if each.lower() not in ("begin", "commit")]
    refreshing.load("third", THIRD, T0 + timedelta(hours=2))
    refreshing.do("CREATE OR REPLACE TABLE KEPT.THIRD AS SELECT * FROM RAW.USAGE_EVENTS")
    expected = refreshing.from_nothing()
    for place in range(0, len(statements) + 1, step):
        refreshing.restore()
        refreshing.do(*statements[:place])
        refreshing.do("DELETE FROM RAW.USAGE_EVENTS", "INSERT INTO RAW.USAGE_EVENTS SELECT * FROM KEPT.THIRD")
        refreshing.do(*statements[place:])
        refreshing.do(*(each for mart in FOLLOWERS for each in refreshing.scripts[mart]))
        assert refreshing.refresh() == expected, place


@pytest.mark.proof
def test_build_after_failed_full_refresh_restores_every_mart(refreshing: Refreshing) -> None:
    expected = refreshing.from_nothing()
    refreshing.restore()
    forget = "DELETE FROM META.MART_WATERMARKS WHERE MART_NAME = '{}'"
    refreshing.do(forget.format("usage_daily"))
    refreshing.do(forget.format("usage_session"), "DROP TABLE MART.USAGE_SESSION")
    refreshing.do(forget.format("usage_project"), "DELETE FROM MART.USAGE_PROJECT")
    refreshing.do("DELETE FROM MART.USAGE_MODEL_DAY")
    refreshing.do("UPDATE META.MART_WATERMARKS SET LOAD_SEQ = -1 WHERE MART_NAME = 'usage_model_day'")
    refreshing.build(*MARTS, "usage_project", "usage_model_day")
    assert {mart: sorted(refreshing.engine.rows(f"mart.{mart}"), key=repr) for mart in MARTS} == expected
    assert [row["total_tokens"] for row in refreshing.engine.rows("mart.usage_project") if row["project"]]
    assert refreshing.engine.rows("mart.usage_model_day")


@pytest.mark.proof
def test_dropping_fact_rebuilds_dependent_marts(refreshing: Refreshing) -> None:
    """The dropped table held the keys of its events, which have moved to another day since."""
    expected = refreshing.from_nothing()
    refreshing.restore()
    refreshing.do("DROP TABLE MART.USAGE_EVENTS", "DELETE FROM META.USAGE_OLD_KEYS")
    refreshing.build(*MARTS)
    assert {mart: sorted(refreshing.engine.rows(f"mart.{mart}"), key=repr) for mart in MARTS} == expected


@pytest.mark.proof
def test_a_mart_that_followed_no_change_is_not_copied_again(refreshing: Refreshing) -> None:
    warehouse = refreshing.warehouse

    def publish() -> None:
        warehouse.publish(warehouse.end_build(warehouse.start_build(1, "a", None), True, 1.0, ()))

    def seen(mart: str) -> list[Row]:
        return sorted(refreshing.engine.rows(f"published.{mart}"), key=repr)

    refreshing.do("CREATE OR REPLACE TABLE MART.VELOCITY AS SELECT 1 AS TOTAL_PRS")
    publish()
    refreshing.do("UPDATE PUBLISHED.USAGE_DAILY SET MESSAGE_COUNT = 77", "UPDATE PUBLISHED.VELOCITY SET TOTAL_PRS = 77")
    publish()
    assert {row["message_count"] for row in seen("usage_daily")} == {77}  # it was not copied again
    assert seen("velocity") == [{"total_prs": 1}]
    expected = refreshing.refresh()
    publish()
    assert {mart: seen(mart) for mart in MARTS} == expected
    refreshing.do("UPDATE META.MART_WATERMARKS SET DEFINITION = 'another' WHERE MART_NAME = 'usage_daily'")
    refreshing.do("UPDATE PUBLISHED.USAGE_DAILY SET MESSAGE_COUNT = 77")
    publish()
    assert seen("usage_daily") == expected["usage_daily"]


def test_second_of_two_overlapping_refreshes_of_fact_changes_nothing(
    refreshing: Refreshing, second: SnowflakeWarehouse
) -> None:
    """Both make their temporary tables, then one transaction follows the other, as with Snowflake's locks."""
    refreshing.load("five", [told(number, day=9) for number in range(20, 25)], T0 + timedelta(hours=2))
    begin = first_words(refreshing.scripts[FACT]).index("begin")
    before, transaction = refreshing.scripts[FACT][:begin], refreshing.scripts[FACT][begin:]
    refreshing.do(*before)
    do(second, before)
    refreshing.do(*transaction)
    said = ""
    try:
        do(second, transaction)
    except MillraceError as error:
        said = str(error.__cause__)  # our own message leaves out what may be a value
        second.execute("ROLLBACK")
    ids = [row["event_id"] for row in refreshing.engine.rows("mart.usage_events")]
    assert (len(ids), len(set(ids))) == (11, 11)
    assert refreshing.refresh() == refreshing.from_nothing()
    assert "another build refreshed usage_events" in said


@pytest.mark.parametrize("mart", FOLLOWERS)
def test_refresh_of_follower_waits_for_overlapping_one(
    refreshing: Refreshing, second: SnowflakeWarehouse, mart: str
) -> None:
    """Where the keys are new no row is deleted: without a lock of its own, each of the two inserts them."""
    refreshing.refresh()
    refreshing.load(f"new in {mart}", [told(20, day=9, session_id="another")], T0 + timedelta(hours=2))
    *until_its_watermark, _, _ = refreshing.scripts[mart]
    second.execute("ALTER SESSION SET LOCK_TIMEOUT = 1")
    refreshing.do(*refreshing.scripts[FACT], *until_its_watermark)
    try:
        with pytest.raises(MillraceError) as refused:
            do(second, until_its_watermark)
    finally:
        with suppress(MillraceError):  # the emulator has ended the transaction
            second.execute("ROLLBACK")
        refreshing.do(*refreshing.scripts[mart][-2:])
    assert isinstance(refused.value.__cause__, Error)
    assert refused.value.__cause__.errno == LOCKED
    do(second, refreshing.scripts[mart])
    assert refreshing.refresh() == refreshing.from_nothing()


def test_publication_after_a_refresh_copies_changed_keys_of_every_usage_mart(refreshing: Refreshing) -> None:
    warehouse = refreshing.warehouse
    sent: list[str] = []
    execute = warehouse.execute

    def noted(statement: str, *values: object) -> list[tuple[Any, ...]]:
        sent.append(" ".join(statement.split()))
        return execute(statement, *values)

    def publish() -> None:
        warehouse.publish(warehouse.end_build(warehouse.start_build(1, "a", None), True, 1.0, ()))

    def seen(mart: str) -> list[Row]:
        return sorted(refreshing.engine.rows(f"published.{mart}"), key=repr)

    publish()
    expected = refreshing.refresh()
    warehouse.execute = noted  # type: ignore[method-assign]
    try:
        publish()
    finally:
        del warehouse.execute
    changed = [each for each in sent if each.startswith("DELETE FROM PUBLISHED")]
    assert [each.split('"')[1] for each in changed] == sorted(mart.upper() for mart in MARTS)
    assert {mart: seen(mart) for mart in MARTS} == expected
