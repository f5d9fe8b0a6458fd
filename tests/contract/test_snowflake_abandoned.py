"""A process that vanished within a transaction: how long its locks delay those that come after it.

The account has no session policy, as the standard edition. Its clock is simulated: only waiting moves it.
"""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection
from tests.contract import on_snowflake
from tests.contract.watching import T0, Watched, names, part

from emulators import snowflake
from emulators.snowflake.clock import JumpingClock
from millrace.errors import TransientError
from millrace.lake.local import LocalLake
from millrace.warehouse import Fenced
from millrace.warehouse.snowflake.session import Address, connect

TURN = "UPDATE META.TURN SET TAKEN_AT = SYSDATE()"
NOTES = "UPDATE META.MART_WATERMARKS SET LOAD_SEQ = LOAD_SEQ + 1"


@dataclass
class Account:
    """An account on a simulated clock, with a database of the pipeline."""

    clock: JumpingClock
    address: Address
    stack: ExitStack

    def warehouse(self, user: str = "LOADER") -> Watched:
        opened = Watched(
            self._address(user), "lake", lambda: T0, sleep=self.clock.advance, monotonic=self.clock.monotonic
        )
        return self.stack.enter_context(opened)

    def begun(self, *statements: str, user: str = "LOADER", ago_s: float = 0) -> SnowflakeConnection:
        """Return a session whose transaction began so long ago, and which has just run statements in it."""
        session = self.stack.enter_context(connect(self._address(user)))
        session.cursor().execute("BEGIN")
        self.clock.advance(ago_s)
        for statement in statements:
            session.cursor().execute(statement)
        return session

    def _address(self, user: str) -> Address:
        return replace(self.address, user=f"MILLRACE_{user}")


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    clock = JumpingClock()
    with snowflake.serving(clock=clock) as where, ExitStack() as stack:
        address = on_snowflake.address_of(where, f"A{secrets.token_hex(6).upper()}")
        snowflake.provision(address, f"file://{tmp_path}/lake/raw/")
        made = Account(clock, address, stack)
        warehouse = made.warehouse()
        warehouse.ensure_tables()
        warehouse.reset_watermarks()  # the first transaction inserts the row of META.TURN
        warehouse.execute("INSERT INTO META.MART_WATERMARKS (MART_NAME, LOAD_SEQ) VALUES ('usage_events', 1)")
        yield made


def test_transaction_that_a_vanished_dbt_left_does_not_delay_the_next_build(account: Account) -> None:
    account.begun(NOTES, user="BUILDER")
    began_s = account.clock.monotonic()
    builder = account.warehouse("BUILDER")
    builder.start_build(2, "b", None)
    builder.execute(NOTES)  # dbt's, which would wait for an hour
    assert account.clock.monotonic() == began_s
    assert builder.execute("SELECT LOAD_SEQ FROM META.MART_WATERMARKS") == [(2,)]


def test_builder_that_vanished_with_the_write_lock_delays_the_start_of_the_next_by_one_lock_timeout(
    account: Account,
) -> None:
    account.begun(TURN, NOTES, user="BUILDER")
    began_s = account.clock.monotonic()
    builder = account.warehouse("BUILDER")
    build = builder.start_build(2, "b", None)
    builder.end_build(build, True, 1.0, ())
    assert account.clock.monotonic() - began_s <= 61


def test_builder_that_lives_and_lost_its_lease_loses_its_transaction(account: Account) -> None:
    older, newer = account.warehouse("BUILDER"), account.warehouse("BUILDER")
    older.start_build(1, "a", None)
    dbt = account.begun(NOTES, user="BUILDER")
    newer.start_build(2, "b", None)
    with pytest.raises(Exception, match="was aborted"):
        dbt.cursor().execute("COMMIT")
    assert newer.execute("SELECT LOAD_SEQ FROM META.MART_WATERMARKS") == [(1,)]


def test_builder_that_lost_its_lease_aborts_nothing_of_its_successor(account: Account) -> None:
    older, newer = account.warehouse("BUILDER"), account.warehouse("BUILDER")
    build = older.start_build(1, "a", None)
    newer.start_build(2, "b", None)
    publication = account.begun(TURN, NOTES, user="BUILDER", ago_s=200)
    with pytest.raises(Fenced):
        older.end_build(build, True, 1.0, ())
    publication.cursor().execute("COMMIT")
    assert newer.execute("SELECT LOAD_SEQ FROM META.MART_WATERMARKS") == [(2,)]


def test_transactions_are_listed_before_a_build_is_noted_and_aborted_after_it(account: Account) -> None:
    account.begun(NOTES, user="BUILDER")
    builder = account.warehouse("BUILDER")
    builder.start_build(2, "b", None)
    words = [statement.split("(")[0] for statement in builder.sent]
    order = ["SHOW TRANSACTIONS", "BEGIN", "INSERT INTO META.BUILDS ", "COMMIT", "SELECT SYSTEM$ABORT_TRANSACTION"]
    assert [words.index(word) for word in order] == sorted(words.index(word) for word in order)
    assert words.count("SELECT SYSTEM$ABORT_TRANSACTION") == 1


def test_builder_leaves_a_loader_s_transaction_alone(account: Account, tmp_path: Path) -> None:
    load = account.begun("INSERT INTO META.LOADS (NAME) VALUES ('x')")
    account.warehouse("BUILDER").start_build(2, "b", None)
    load.cursor().execute("COMMIT")
    assert account.warehouse().execute("SELECT NAME FROM META.LOADS") == [("x",)]


def test_load_that_finds_the_lock_of_a_dead_loader_aborts_it_and_is_done(account: Account, tmp_path: Path) -> None:
    account.begun(TURN, ago_s=950)
    loader, began_s = account.warehouse(), account.clock.monotonic()
    assert loader.load(part(LocalLake(tmp_path / "lake", "lake"), tmp_path, "o/a")).rows_inserted == 1
    assert account.clock.monotonic() - began_s <= 61
    assert names(loader) == ["o/a"]


@pytest.mark.parametrize(
    ("user", "ago_s"),
    [
        pytest.param("LOADER", 500, id="of a load that may live"),
        pytest.param("BUILDER", 5000, id="of a builder, who is another user"),
    ],
)
def test_load_leaves_other_transactions_alone_and_is_retried(
    account: Account, tmp_path: Path, user: str, ago_s: float
) -> None:
    holder = account.begun(TURN, user=user, ago_s=ago_s)
    loader, began_s = account.warehouse(), account.clock.monotonic()
    with pytest.raises(TransientError, match="625"):
        loader.load(part(LocalLake(tmp_path / "lake", "lake"), tmp_path, "o/a"))
    assert account.clock.monotonic() - began_s <= 125
    holder.cursor().execute("COMMIT")
    assert names(loader) == []
