"""The write lock of Snowflake: how long a transaction waits for it, and how often it asks."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from snowflake.connector.errors import ProgrammingError
from tests.contract import on_snowflake
from tests.contract.watching import T0, Watched, names, part, refuse

from millrace.errors import TransientError
from millrace.lake.local import LocalLake

LOCKED = (
    "Statement '01bb' has locked table 'TURN' in transaction 1742288905053000000 and this lock has not been released."
)
FULL = "Statement aborted because the number of waiters for this lock exceeds the 20 statements limit."


@dataclass
class Clock:
    """A clock that only waiting moves."""

    now_s: float = 0.0
    slept_s: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def warehouse(snowflake_at: str, tmp_path: Path, clock: Clock) -> Iterator[Watched]:
    made = on_snowflake.open_warehouse(snowflake_at, tmp_path / "lake", lambda: T0)
    made.close()
    with Watched(made._address, "lake", lambda: T0, sleep=clock.sleep, monotonic=lambda: clock.now_s) as opened:
        opened.ensure_tables()
        opened.reset_watermarks()  # the first transaction inserts the row of META.TURN
        opened.sent.clear()
        yield opened


def held(clock: Clock, text: str, blocks_s: float) -> ProgrammingError:
    """Return the service's refusal of a lock, after the time for which it blocked."""
    clock.now_s += blocks_s
    return ProgrammingError(msg=text, errno=625, sqlstate="57014")


def test_lock_that_blocks_a_minute_is_tried_at_most_twice(
    warehouse: Watched, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = part(LocalLake(tmp_path / "lake", "lake"), tmp_path, "o/a")
    refuse(monkeypatch, "UPDATE", lambda: held(clock, LOCKED, 60))
    with pytest.raises(TransientError, match="625"):
        warehouse.quarantine(batch.version, "repos", None, 1, "unreadable")
    assert 1 <= len([each for each in warehouse.sent if each.startswith("UPDATE META.TURN")]) <= 2
    assert clock.now_s <= 125


def test_immediate_refusal_is_repeated_with_growing_pauses_for_a_minute(
    warehouse: Watched, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = part(LocalLake(tmp_path / "lake", "lake"), tmp_path, "o/a")
    refuse(monkeypatch, "UPDATE", lambda: held(clock, FULL, 0))
    with pytest.raises(TransientError, match="20 statements"):
        warehouse.quarantine(batch.version, "repos", None, 1, "unreadable")
    assert 60 <= clock.now_s <= 75
    assert len(clock.slept_s) < 40
    assert sum(clock.slept_s[:3]) < 1 < clock.slept_s[-1]


def test_two_waiting_loaders_pause_for_different_times(
    warehouse: Watched, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = part(LocalLake(tmp_path / "lake", "lake"), tmp_path, "o/a")
    refuse(monkeypatch, "UPDATE", lambda: held(clock, FULL, 0))
    pauses = []
    for seed in (1, 2):
        random.seed(seed)
        clock.slept_s.clear()
        with pytest.raises(TransientError):
            warehouse.quarantine(batch.version, "repos", None, 1, "unreadable")
        pauses.append(list(clock.slept_s))
    assert pauses[0] != pauses[1]


def test_load_goes_on_once_the_lock_is_free(
    warehouse: Watched, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = part(LocalLake(tmp_path / "lake", "lake"), tmp_path, "o/a")
    refusals = iter([FULL, FULL, FULL])

    def answer() -> ProgrammingError | None:
        text = next(refusals, None)
        return (text and held(clock, text, 0)) or None

    refuse(monkeypatch, "UPDATE", answer)
    assert warehouse.load(batch).rows_inserted == 1
    assert names(warehouse) == ["o/a"]
    assert len(clock.slept_s) == 3


def test_first_load_inserts_the_row_of_an_empty_turn(warehouse: Watched, tmp_path: Path) -> None:
    """Two loaders at once may each insert one: an update without a condition locks any number."""
    lake = LocalLake(tmp_path / "lake", "lake")
    warehouse.execute("DELETE FROM META.TURN")
    assert warehouse.load(part(lake, tmp_path, "o/a")).rows_inserted == 1
    warehouse.execute("INSERT INTO META.TURN (TAKEN_AT) SELECT SYSDATE()")
    assert warehouse.execute("SELECT COUNT(*) FROM META.TURN") == [(2,)]
    batch = part(lake, tmp_path, "o/b", key="raw/repos/dt=2026-11-20/run=20261120T120000Z/repos-00001.parquet")
    assert warehouse.load(batch).rows_inserted == 1
