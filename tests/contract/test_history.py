"""A load of usage events reads the months of its file, not the history, and finds every version of an event in them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from tests.contract import history, on_snowflake
from tests.contract.rig import Emptied, Rig

from emulators.snowflake.scans import scans
from millrace.arrow import to_batch
from millrace.tables import TABLES
from millrace.warehouse import Batch
from millrace.warehouse.merge_rule import months_of

pytestmark = pytest.mark.slow

EVENTS = TABLES["usage_events"]
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)


def event(at: datetime | None, extracted_at: int = 0, tokens: int = 1, request: str | None = None) -> pa.Table:
    """Return one version of the same event; a larger `extracted_at` is a newer one."""
    row: dict[str, object] = {
        "collector_id": "c",
        "agent": "claude",
        "message_id": "m",
        "request_id": request,
        "occurred_at": at and at.isoformat().replace("+00:00", "Z"),
        "input_tokens": tokens,
    }
    return pa.Table.from_batches([to_batch([row], EVENTS, NOVEMBER + timedelta(hours=extracted_at), "r1")])


@pytest.fixture
def rig(emptied: Emptied, tmp_path: Path) -> Iterator[Rig]:
    with emptied(tmp_path) as rig:
        yield rig


def load(rig: Rig, content: pa.Table) -> tuple[int | None, int | None, int | None]:
    """Load a file; return the numbers of rows that were inserted, updated and superseded."""
    batch = rig.batch(content, "usage_events")
    entry = rig.warehouse.load(Batch(batch.version, EVENTS, batch.path, NOVEMBER, None))
    return entry.rows_inserted, entry.rows_updated, entry.rows_superseded


def stored(rig: Rig) -> list[tuple[object, object]]:
    return sorted((row["occurred_at"], row["input_tokens"]) for row in rig.rows("usage_events"))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(NOVEMBER, id="the first instant of the month"),
        pytest.param(NOVEMBER + timedelta(days=30) - timedelta(microseconds=1), id="the last instant of the month"),
    ],
)
def test_an_event_that_moves_within_its_month_is_replaced(rig: Rig, other: datetime) -> None:
    assert load(rig, event(NOVEMBER + timedelta(days=14))) == (1, 0, 0)
    assert load(rig, event(other, extracted_at=1, tokens=2)) == (0, 1, 0)
    assert load(rig, event(NOVEMBER + timedelta(days=3), tokens=3)) == (0, 0, 1)
    assert stored(rig) == [(other.replace(tzinfo=None), 2)]


@pytest.mark.parametrize("is_reversed", [False, True], ids=["the newer one last", "the newer one first"])
def test_event_that_moves_to_another_month_is_stored_in_both(rig: Rig, is_reversed: bool) -> None:
    october = NOVEMBER - timedelta(microseconds=1)
    versions = [event(october), event(NOVEMBER, extracted_at=1, tokens=2)]
    for version in reversed(versions) if is_reversed else versions:
        assert load(rig, version) == (1, 0, 0)
    assert stored(rig) == [(october.replace(tzinfo=None), 1), (NOVEMBER.replace(tzinfo=None), 2)]


def test_a_file_with_both_versions_stores_what_two_files_store(rig: Rig) -> None:
    october = NOVEMBER - timedelta(days=1)
    both = pa.concat_tables([event(october), event(NOVEMBER, extracted_at=1, tokens=2)])
    assert load(rig, event(NOVEMBER, tokens=7)) == (1, 0, 0)
    assert load(rig, both) == (1, 1, 0)
    assert stored(rig) == [(october.replace(tzinfo=None), 1), (NOVEMBER.replace(tzinfo=None), 2)]


def test_an_event_without_an_instant_is_found_among_all(rig: Rig) -> None:
    assert load(rig, pa.concat_tables([event(None), event(NOVEMBER, request="r")])) == (2, 0, 0)
    later = pa.concat_tables([event(None, 1, 2), event(NOVEMBER, 1, 2, request="r")])
    assert load(rig, later) == (0, 2, 0)
    assert [row["input_tokens"] for row in rig.rows("usage_events")] == [2, 2]


def test_a_load_reads_as_many_rows_beside_a_longer_history(snowflake_at: str, tmp_path: Path) -> None:
    read = []
    for rows in (200_000, 800_000):
        with on_snowflake.open_warehouse(snowflake_at, tmp_path / "lake", lambda: NOVEMBER) as warehouse:
            warehouse.ensure_tables()
            history.fill(warehouse._address.database, rows, NOVEMBER)
            for name in ("new", "again"):
                with scans() as found:
                    warehouse.load(history.batch_of(tmp_path, f"{name}-{rows}", NOVEMBER))
                read.append(sum(scan.rows for scan in found))
            assert warehouse.count(EVENTS) == rows + history.ROWS
    row_group = 122_880  # https://duckdb.org/docs/stable/internals/storage: what DuckDB reads or leaves out at once
    two_months = 61 * 86_400 // history.STEP_S
    assert all(0 < each <= 2 * (two_months + 2 * row_group) for each in read), read
    assert max(read) < 800_000


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        pytest.param("2026-11-01", "2026-11-30", ("2026-11-01", "2026-12-01"), id="one month"),
        pytest.param("2025-12-31", "2026-12-31", ("2025-12-01", "2027-01-01"), id="over the end of a year"),
        pytest.param("0001-01-01", "0001-01-01", ("0001-01-01", "0001-02-01"), id="the first month of all"),
        pytest.param("2026-11-01", "9999-12-31", None, id="the last month of all, which nothing follows"),
    ],
)
def test_months_contain_all_instants(first: str, last: str, expected: tuple[str, str] | None) -> None:
    found = months_of(datetime.fromisoformat(first), datetime.fromisoformat(last))
    assert (found and tuple(each.isoformat() for each in found)) == expected
