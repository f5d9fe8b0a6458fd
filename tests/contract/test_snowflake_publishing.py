# ruff: noqa: S608 - the names are this module's own
"""What a publication on Snowflake copies: the keys that changed, and a whole mart where those are not enough."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.contract import on_snowflake
from tests.contract.watching import T0, Watched

from millrace.errors import ConfigError, TransientError
from millrace.warehouse import BuildRow, Fenced
from millrace.warehouse.snowflake import objects

EVENTS, DAILY = "usage_events", "usage_daily"
EVENT = "EVENT_ID VARCHAR NOT NULL, DAY DATE, USER_ID VARCHAR, AGENT VARCHAR, TOKENS NUMBER(19, 0), _LOAD_SEQ NUMBER"
DAY = "DAY DATE, USER_ID VARCHAR, AGENT VARCHAR, TOKENS NUMBER(38, 0)"
KEYS = {EVENTS: "event_id", DAILY: "day,user_id,agent"}
MARTS = (EVENTS, DAILY, "velocity")
Rows = list[tuple[Any, ...]]


class Counting(Watched):
    """A warehouse that records as well how many rows each statement changed."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.changed: list[tuple[str, int]] = []

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        rows = super().execute(statement, *values)
        if statement.startswith(("DELETE", "INSERT")):
            self.changed.append((" ".join(statement.split()), int(rows[0][0])))
        return rows


class Marts:
    """A warehouse whose marts are changed as dbt does it, by events; `sent` and `changed` are of its publications."""

    def __init__(self, warehouse: Counting) -> None:
        self.warehouse = warehouse
        self.token = 1
        self.load_seq = 0
        self.run(
            f"CREATE TRANSIENT TABLE MART.USAGE_EVENTS ({EVENT})",
            f"CREATE TRANSIENT TABLE MART.USAGE_DAILY ({DAY})",
            "CREATE OR REPLACE TRANSIENT TABLE MART.VELOCITY AS SELECT 1 AS TOTAL_PRS",
        )
        for mart, keys in KEYS.items():
            self.watermark(mart, keys)

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.warehouse.execute(statement)

    def watermark(self, mart: str, keys: str | None, definition: str = "d") -> None:
        self.run(f"DELETE FROM META.MART_WATERMARKS WHERE MART_NAME = '{mart}'")
        self.warehouse.execute(
            "INSERT INTO META.MART_WATERMARKS (MART_NAME, LOAD_SEQ, DEFINITION, MART_KEYS) VALUES (?, ?, ?, ?)",
            mart,
            self.load_seq,
            definition,
            keys,
        )

    def event(self, number: int, day: int = 1, user: str | None = "ann", tokens: int = 10) -> None:
        """Add or change an event; its former keys are recorded where they differ."""
        self._leave(number)
        row = f"'e{number}', '2026-11-{day:02}', {(user and repr(user)) or 'NULL'}, 'claude', {tokens}, {self.load_seq}"
        self.run(f"INSERT INTO MART.USAGE_EVENTS SELECT {row}")
        self._refresh()

    def vanish(self, number: int) -> None:
        """Remove an event that can no longer be counted."""
        self._leave(number)
        self._refresh()

    def _leave(self, number: int) -> None:
        self.load_seq += 1
        self.run(
            "INSERT INTO META.USAGE_OLD_KEYS (EVENT_ID, DAY, USER_ID, AGENT, LOAD_SEQ) SELECT EVENT_ID, DAY, USER_ID, "
            f"AGENT, {self.load_seq} FROM MART.USAGE_EVENTS WHERE EVENT_ID = 'e{number}'",
            f"DELETE FROM MART.USAGE_EVENTS WHERE EVENT_ID = 'e{number}'",
        )

    def _refresh(self) -> None:
        self.run(
            "INSERT OVERWRITE INTO MART.USAGE_DAILY SELECT DAY, USER_ID, AGENT, SUM(TOKENS) FROM MART.USAGE_EVENTS "
            "GROUP BY DAY, USER_ID, AGENT",
            f"UPDATE META.MART_WATERMARKS SET LOAD_SEQ = {self.load_seq} WHERE NOT CONTAINS(MART_NAME, '.')",
        )

    def build(self) -> BuildRow:
        return self.warehouse.end_build(self.warehouse.start_build(self.token, "a", None), True, 1.0, ())

    def publish(self) -> dict[str, tuple[int, int]]:
        """Publish a good build; return for each mart how many rows were deleted and inserted."""
        build = self.build()
        self.warehouse.sent.clear()
        self.warehouse.changed.clear()
        self.warehouse.publish(build)
        return {mart: (self._rows("DELETE", mart), self._rows("INSERT", mart)) for mart in MARTS}

    def _rows(self, verb: str, mart: str) -> int:
        return sum(
            rows
            for statement, rows in self.warehouse.changed
            if statement.startswith(verb) and f'PUBLISHED."{mart.upper()}"' in statement.split("SELECT")[0]
        )

    def of(self, schema: str) -> dict[str, Rows]:
        return {mart: sorted(self.warehouse.execute(f"SELECT * FROM {schema}.{mart}"), key=repr) for mart in MARTS}


@pytest.fixture
def marts(snowflake_at: str, tmp_path: Path) -> Iterator[Marts]:
    opened = on_snowflake.open_warehouse(snowflake_at, tmp_path / "lake", lambda: T0)
    with Counting(opened._address, "lake", lambda: T0) as warehouse:
        made = Marts(warehouse)
        for number in range(6):
            made.event(number, day=1 + number % 2)
        made.publish()
        yield made
    on_snowflake.release(opened)


def test_publication_of_one_more_event_copies_its_keys_alone(marts: Marts) -> None:
    marts.event(6, day=2)
    assert marts.publish() == {EVENTS: (0, 1), DAILY: (1, 1), "velocity": (0, 1)}
    assert marts.of("PUBLISHED") == marts.of("MART")


def test_publication_with_nothing_new_copies_no_incremental_mart(marts: Marts) -> None:
    assert marts.publish() == {EVENTS: (0, 0), DAILY: (0, 0), "velocity": (0, 1)}
    assert marts.of("PUBLISHED") == marts.of("MART")


@pytest.mark.parametrize(
    ("day", "user", "expected"),
    [
        pytest.param(2, "ann", {EVENTS: (1, 1), DAILY: (2, 2)}, id="to another day"),
        pytest.param(9, None, {EVENTS: (1, 1), DAILY: (1, 2)}, id="to a day that nobody had, and to no user"),
    ],
)
def test_event_that_leaves_its_day_changes_both_days(
    marts: Marts, day: int, user: str | None, expected: dict[str, tuple[int, int]]
) -> None:
    marts.event(0, day=day, user=user)
    assert marts.publish() == expected | {"velocity": (0, 1)}
    assert marts.of("PUBLISHED") == marts.of("MART")
    marts.event(0, day=1)  # and back
    marts.publish()
    assert marts.of("PUBLISHED") == marts.of("MART")


def test_event_that_vanishes_leaves_the_copy(marts: Marts) -> None:
    marts.vanish(0)
    assert marts.publish() == {EVENTS: (1, 0), DAILY: (1, 1), "velocity": (0, 1)}
    assert marts.of("PUBLISHED") == marts.of("MART")
    assert "e0" not in {row[0] for row in marts.of("PUBLISHED")[EVENTS]}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("UPDATE META.MART_WATERMARKS SET DEFINITION = 'e' WHERE MART_NAME = 'usage_daily'", id="SQL"),
        pytest.param("UPDATE META.MART_WATERMARKS SET MART_KEYS = 'day' WHERE MART_NAME = 'usage_daily'", id="keys"),
        pytest.param("DELETE FROM META.MART_WATERMARKS WHERE MART_NAME = 'published.usage_daily'", id="no row"),
        pytest.param(
            "UPDATE META.MART_WATERMARKS SET MART_KEYS = NULL, LOAD_SEQ = LOAD_SEQ + 1 WHERE MART_NAME LIKE '%daily'",
            id="an older dbt noted no keys",
        ),
        pytest.param(
            "UPDATE META.MART_WATERMARKS SET LOAD_SEQ = 99 WHERE MART_NAME = 'published.usage_daily'",
            id="the copy is ahead of the mart",
        ),
    ],
)
def test_mart_is_copied_whole_when_changed_keys_are_not_enough(marts: Marts, change: str) -> None:
    marts.run("UPDATE PUBLISHED.USAGE_DAILY SET TOKENS = -1")  # which only a whole copy repairs
    marts.event(6, day=9)
    marts.run(change)
    marts.publish()
    assert marts.of("PUBLISHED") == marts.of("MART")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("ALTER TABLE MART.USAGE_DAILY ADD COLUMN COST_USD NUMBER(38, 12)", id="a column more"),
        pytest.param(
            "CREATE OR REPLACE TRANSIENT TABLE MART.USAGE_DAILY AS SELECT DAY, USER_ID, AGENT, "
            "CAST(TOKENS AS NUMBER(38, 2)) AS TOKENS FROM MART.USAGE_DAILY",
            id="another scale",
        ),
        pytest.param(
            "CREATE OR REPLACE TRANSIENT TABLE MART.USAGE_DAILY (DAY DATE NOT NULL, USER_ID VARCHAR, AGENT VARCHAR, "
            "TOKENS NUMBER(38, 0))",
            id="a column that is never null",
        ),
    ],
)
def test_table_of_other_columns_is_replaced_and_keeps_its_grants(marts: Marts, change: str) -> None:
    marts.run(change)
    marts.publish()
    (replaced,) = [statement for statement in marts.warehouse.sent if statement.startswith("CREATE")]
    made = 'CREATE OR REPLACE TRANSIENT TABLE PUBLISHED."USAGE_DAILY" CLONE MART."USAGE_DAILY" COPY GRANTS'
    assert replaced == made
    assert marts.of("PUBLISHED") == marts.of("MART")
    marts.publish()
    assert not [statement for statement in marts.warehouse.sent if statement.startswith("CREATE")]


def test_new_table_has_the_grants_of_the_schema_and_is_transient(marts: Marts) -> None:
    marts.run("DROP TABLE PUBLISHED.VELOCITY")
    marts.publish()
    (made,) = [statement for statement in marts.warehouse.sent if statement.startswith("CREATE")]
    assert made == 'CREATE TRANSIENT TABLE IF NOT EXISTS PUBLISHED."VELOCITY" CLONE MART."VELOCITY"'
    kinds = "SELECT DISTINCT IS_TRANSIENT FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'PUBLISHED'"
    assert marts.warehouse.execute(kinds) == [("YES",)]


def test_permanent_copy_of_the_version_before_becomes_transient(marts: Marts) -> None:
    marts.run("CREATE OR REPLACE TABLE PUBLISHED.USAGE_EVENTS AS SELECT * FROM MART.USAGE_EVENTS")
    marts.event(6)
    marts.publish()
    kind = "SELECT IS_TRANSIENT FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'PUBLISHED' AND TABLE_NAME = ?"
    assert marts.warehouse.execute(kind, "USAGE_EVENTS") == [("YES",)]
    assert marts.of("PUBLISHED") == marts.of("MART")


def test_publication_stopped_at_any_statement_shows_the_build_before(marts: Marts) -> None:
    before, published = marts.of("PUBLISHED"), marts.warehouse.published()
    marts.event(0, day=2)
    marts.vanish(1)
    build, stops = marts.build(), 0
    while marts.warehouse.published() != build:
        assert (marts.of("PUBLISHED"), marts.warehouse.published()) == (before, published), stops
        stops += 1
        with Watched(marts.warehouse._address, "lake", lambda: T0) as stopped:
            stopped.before = _stopping_at(stops)
            with suppress(TransientError):
                stopped.publish(build)
    assert stops > 10
    assert marts.of("PUBLISHED") == marts.of("MART")


def _stopping_at(stop: int) -> Callable[[int, str], None]:
    def before(number: int, statement: str) -> None:
        if number >= stop:  # and the process stops here; the end of the connection rolls back
            raise TransientError("the process is gone")

    return before


def test_builder_that_lost_its_lease_replaces_no_table(marts: Marts) -> None:
    marts.run("ALTER TABLE MART.USAGE_DAILY ADD COLUMN COST_USD NUMBER(38, 12)")
    outdated = marts.build()
    marts.warehouse.start_build(2, "b", None)
    marts.warehouse.sent.clear()
    with pytest.raises(Fenced):
        marts.warehouse.publish(outdated)
    assert not [statement for statement in marts.warehouse.sent if statement.startswith("CREATE")]


def test_publication_is_made_again_when_another_changes_the_tables_meanwhile(marts: Marts) -> None:
    marts.event(6)
    build, before = marts.build(), marts.of("PUBLISHED")

    def replace(number: int, statement: str) -> None:
        if statement == "BEGIN":
            marts.warehouse.before = lambda number, statement: None
            with Watched(marts.warehouse._address) as other:
                other.execute("ALTER TABLE MART.USAGE_DAILY ADD COLUMN COST_USD NUMBER(38, 12)")

    marts.warehouse.before = replace
    with pytest.raises(TransientError, match="another publication"):
        marts.warehouse.publish(build)
    assert marts.of("PUBLISHED") == before
    marts.warehouse.publish(build)
    assert marts.of("PUBLISHED") == marts.of("MART")


def test_publication_has_the_time_of_the_build_job_and_gives_it_back(marts: Marts) -> None:
    marts.publish()
    timeouts = [each for each in marts.warehouse.sent if "STATEMENT_TIMEOUT" in each]
    assert timeouts == [f"ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = {each}" for each in (3600, 300)]
    assert marts.warehouse.sent.index(timeouts[0]) < marts.warehouse.sent.index("BEGIN")
    assert marts.warehouse.sent.index(timeouts[1]) > marts.warehouse.sent.index("COMMIT")


def test_meta_of_an_older_release_refuses_a_build_and_names_terraform(marts: Marts) -> None:
    marts.run("ALTER TABLE META.MART_WATERMARKS DROP COLUMN MART_KEYS")
    with pytest.raises(ConfigError, match="terraform apply"):
        marts.warehouse.start_build(9, "a", None)
    marts.run(objects.ADDED["MART_WATERMARKS.MART_KEYS"])
    assert marts.warehouse.start_build(9, "a", None).token == 9
