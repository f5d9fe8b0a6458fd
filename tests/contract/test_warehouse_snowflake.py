"""The cases that only Snowflake has: stages, write lock, a session that ends. Over the emulator."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake.connector.cursor import SnowflakeCursor
from tests.contract import on_snowflake
from tests.contract.watching import PART, REPOS, RUN, T0, Watched, names, part

from millrace.errors import BadObject, ConfigError, TransientError
from millrace.lake import ObjectVersion
from millrace.lake.local import LocalLake
from millrace.warehouse import Batch
from millrace.warehouse.snowflake.session import Address
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

HOW = (
    "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE USE_VECTORIZED_SCANNER = TRUE BINARY_AS_TEXT = FALSE) "
    "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT FORCE = TRUE"
)


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    return LocalLake(tmp_path / "lake", "lake")


@pytest.fixture
def address(snowflake_at: str, lake: LocalLake, tmp_path: Path) -> Address:
    warehouse = on_snowflake.open_warehouse(snowflake_at, tmp_path / "lake", lambda: T0)
    warehouse.ensure_tables()
    warehouse.reset_watermarks()  # the first transaction inserts the row of META.TURN
    warehouse.close()
    return warehouse._address


@pytest.fixture
def warehouse(address: Address) -> Iterator[Watched]:
    with Watched(address, "lake", lambda: T0) as opened:
        yield opened


def test_a_part_is_copied_from_the_lake_by_its_name_alone(warehouse: Watched, lake: LocalLake, tmp_path: Path) -> None:
    batch = part(lake, tmp_path, "o/a", "o/b")
    assert warehouse.load(batch).rows_inserted == 2
    (copied,) = [statement for statement in warehouse.sent if statement.startswith("COPY")]
    assert f"FROM @META.LAKE FILES = ('{PART.removeprefix('raw/')}')" in copied
    assert copied.endswith(HOW)
    assert not [statement for statement in warehouse.sent if statement.startswith("PUT")]


def test_load_of_a_process_that_knows_the_tables_sends_fourteen_statements(
    warehouse: Watched, lake: LocalLake, tmp_path: Path
) -> None:
    """Each statement takes a fraction of a second of compile time; those from BEGIN on hold the write lock."""
    warehouse.load(replace(part(lake, tmp_path, "o/a"), latest=T0))
    warehouse.sent.clear()
    warehouse.load(replace(part(lake, tmp_path, "o/b", key=PART.replace("00000", "00001")), latest=T0))
    assert [statement.split()[0] for statement in warehouse.sent] == [
        *("CREATE", "CREATE", "COPY", "INSERT"),
        *("BEGIN", "UPDATE", "SELECT", "UPDATE", "SELECT", "SELECT", "MERGE", "UPDATE", "INSERT", "COMMIT"),
    ]


def test_column_that_another_process_added_is_found(
    warehouse: Watched, address: Address, lake: LocalLake, tmp_path: Path
) -> None:
    warehouse.load(part(lake, tmp_path, "o/a"))
    with Watched(address, "lake", lambda: T0) as other:
        other.execute("ALTER TABLE RAW.REPOS ADD COLUMN STARS NUMBER(38, 0)")
    path = tmp_path / "stars.parquet"
    pq.write_table(pa.table({"full_name": ["o/b"], "stars": ["many"]}), path)
    with pytest.raises(BadObject, match="stars: expected BIGINT, got VARCHAR"):
        warehouse.load(Batch(ObjectVersion("drops", path.name, 1), REPOS, path, T0, None))


@pytest.mark.parametrize(
    ("key", "run"),
    [
        pytest.param("drop/repos/a.parquet", None, id="a dropped file, whose name may be written again"),
        pytest.param("drop/repos/it's (1).parquet", None, id="a name of anybody"),
        pytest.param(PART, None, id="a part of no run"),
    ],
)
def test_replaceable_object_is_uploaded_as_checked(
    warehouse: Watched, lake: LocalLake, tmp_path: Path, key: str, run: str | None
) -> None:
    assert warehouse.load(part(lake, tmp_path, "o/a", key=key, run=run)).rows_inserted == 1
    _, copied = [statement for statement in warehouse.sent if "META.DROPS" in statement]
    assert copied.startswith("COPY INTO")
    assert copied.endswith(f"{HOW} PURGE = TRUE")
    assert key not in " ".join(warehouse.sent)
    assert warehouse.execute("LIST @META.DROPS") == []


def test_a_part_of_another_bucket_is_not_looked_for_in_the_lake(
    warehouse: Watched, lake: LocalLake, tmp_path: Path
) -> None:
    batch = part(lake, tmp_path, "o/a")
    kept = Batch(ObjectVersion("quarantine", PART, 1), REPOS, batch.path, T0, RUN)
    assert warehouse.load(kept).rows_inserted == 1
    assert not [statement for statement in warehouse.sent if "@META.LAKE" in statement]


def test_a_copy_of_fewer_rows_than_the_file_has_is_no_load(warehouse: Watched, lake: LocalLake, tmp_path: Path) -> None:
    batch = part(lake, tmp_path, "o/a", "o/b", "o/c")
    stored = tmp_path / "lake" / PART
    pq.write_table(pq.read_table(stored).slice(0, 1), stored)  # no identity of the pipeline may do this
    with pytest.raises(TransientError, match="copied 1 of 3 rows"):
        warehouse.load(batch)
    assert warehouse.find(batch.version) is None
    assert names(warehouse) == []


def test_stopped_at_any_statement_up_to_the_commit_nothing_has_happened(
    address: Address, lake: LocalLake, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = part(lake, tmp_path / "other", "o/z", key=PART.replace("00000", "00009"))
    batch = part(lake, tmp_path, "o/a", "o/b")
    with Watched(address, "lake", lambda: T0) as whole:
        whole.load(other)
        statements = whole.sent
    for stop in range(1, statements.index("COMMIT") + 2):
        with Watched(address, "lake", lambda: T0) as stopped:
            stopped.before = _stopping_at(stop)
            with pytest.raises(TransientError, match="gone"):
                stopped.load(batch)
        with Watched(address, "lake", lambda: T0) as looking:
            assert (looking.find(batch.version), names(looking)) == (None, ["o/z"])
    with Watched(address, "lake", lambda: T0) as again:
        assert again.load(batch).rows_inserted == 2
        assert names(again) == ["o/a", "o/b", "o/z"]


def _stopping_at(stop: int) -> Callable[[int, str], None]:
    def before(number: int, statement: str) -> None:
        if number >= stop:  # and the process stops here; the end of the connection rolls back
            raise TransientError("the process is gone")

    return before


def test_two_sessions_that_load_one_object_at_a_time_load_it_once(
    address: Address, lake: LocalLake, tmp_path: Path
) -> None:
    batch = part(lake, tmp_path, "o/a", "o/b")
    start = threading.Barrier(4)

    def load(_: int) -> int:
        with Watched(address, "lake", lambda: T0) as one:
            one.before = _together(start)
            return one.load(batch).load_seq

    with ThreadPoolExecutor(4) as threads:
        seen = list(threads.map(load, range(4)))
    with Watched(address, "lake", lambda: T0) as looking:
        assert len(set(seen)) == 1
        assert looking.execute("SELECT COUNT(*), SUM(ROWS_INSERTED) FROM META.LOADS") == [(1, 2)]
        assert names(looking) == ["o/a", "o/b"]


def _together(start: threading.Barrier) -> Callable[[int, str], None]:
    """Make a session's first transaction wait for those of the others."""
    begun: list[str] = []

    def before(number: int, statement: str) -> None:
        if statement == "BEGIN" and not begun:
            begun.append(statement)
            start.wait(300)

    return before


def test_load_sequences_are_committed_in_their_order(address: Address, lake: LocalLake, tmp_path: Path) -> None:
    def load(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        key = PART.replace("00000", f"{number:05}")
        with Watched(address, "lake", lambda: datetime.now(UTC)) as one:
            one.load(part(lake, folder, f"o/{number}", key=key))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(load, range(8)))
    with Watched(address) as looking:
        rows = looking.execute("SELECT LOAD_SEQ FROM META.LOADS ORDER BY LOADED_AT")
        assert [int(seq) for (seq,) in rows] == sorted(int(seq) for (seq,) in rows)
        assert len(set(rows)) == 8


def test_missing_database_objects_are_reported_with_next_step(snowflake_at: str) -> None:
    empty = SnowflakeWarehouse(on_snowflake.address_of(snowflake_at, "EMPTY"))
    with empty, pytest.raises(ConfigError, match=r"terraform apply .* see docs/snowflake\.md"):
        empty.find(ObjectVersion("lake", "x", 1))


def test_idle_session_is_replaced(address: Address) -> None:
    passed_s = [0.0]
    with Watched(address, "lake", lambda: T0, monotonic=lambda: passed_s[0]) as warehouse:
        warehouse.newest_load_seq()
        first = warehouse._connection
        warehouse.newest_load_seq()
        assert warehouse._connection is first
        passed_s[0] += 241
        assert warehouse.newest_load_seq() == 0
        assert warehouse._connection is not first


def test_a_session_is_not_changed_for_another_in_the_middle_of_a_load(
    address: Address, lake: LocalLake, tmp_path: Path
) -> None:
    passed_s, sessions = [0.0], []

    def later(number: int, statement: str) -> None:
        passed_s[0] += 241  # each statement takes longer than a session may be idle
        sessions.append(opened._connection)

    with Watched(address, "lake", lambda: T0, monotonic=lambda: passed_s[0]) as opened:
        opened.before = later
        entry = opened.load(part(lake, tmp_path, "o/a"))
        assert len(sessions) > 10
        assert all(session is sessions[0] for session in sessions)
        assert (names(opened), opened.find(entry.version)) == (["o/a"], entry)


@pytest.mark.parametrize("begun", ["BEGIN", "COPY", "MERGE", "COMMIT"])
def test_session_lost_during_load_leaves_no_rows_and_retry_loads(
    warehouse: Watched, lake: LocalLake, tmp_path: Path, begun: str
) -> None:
    batch = part(lake, tmp_path, "o/a")

    def end(number: int, statement: str) -> None:
        if statement.split()[0] == begun:
            warehouse.before = lambda number, statement: None
            warehouse.close()

    warehouse.before = end
    with pytest.raises(TransientError, match="the session ended"):
        warehouse.load(batch)
    assert (names(warehouse), warehouse.find(batch.version)) == ([], None)
    assert warehouse.load(batch).rows_inserted == 1


def test_statements_are_tagged_with_their_run(warehouse: Watched, lake: LocalLake, tmp_path: Path) -> None:
    tags = []
    warehouse.before = lambda number, statement: tags.append(warehouse._tag)
    warehouse.load(part(lake, tmp_path, "o/a"))
    warehouse.newest_load_seq()
    assert set(tags[:-1]) == {f"millrace {RUN}"}
    assert tags[-1] == "millrace"


def test_nested_values_of_any_shape_share_a_column_and_lose_nothing(warehouse: Watched, tmp_path: Path) -> None:
    for number, owner in enumerate([{"a": 1}, {"a": 1, "b": ["x"]}]):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(pa.table({"full_name": [f"o/{number}"], "owner": [owner]}), path)
        warehouse.load(Batch(ObjectVersion("drops", path.name, 1), REPOS, path, T0, None))
    assert [row["owner"] for row in on_snowflake.rows_of(warehouse, "repos")] == [{"a": 1}, {"a": 1, "b": ["x"]}]


def test_text_over_snowflake_limit_is_refused_as_too_large(warehouse: Watched, tmp_path: Path) -> None:
    path = tmp_path / "long.parquet"
    pq.write_table(pa.table({"full_name": ["o/a", "o/b"], "default_branch": ["x" * 16_777_217, "main"]}), path)
    with pytest.raises(BadObject, match="1 of 2 rows have a default_branch of more than 16,777,216 bytes") as refused:
        warehouse.load(Batch(ObjectVersion("drops", "long", 1), REPOS, path, T0, None))
    assert refused.value.reason == "too_large"


def test_binary_column_of_a_dropped_file_keeps_its_bytes(warehouse: Watched, tmp_path: Path) -> None:
    path, content = tmp_path / "binary.parquet", [b"\xff\x00caf\xc3\xa9", b"plain", None]
    pq.write_table(pa.table({"full_name": ["o/a", "o/b", "o/c"], "digest": content}), path)
    warehouse.load(Batch(ObjectVersion("drops", path.name, 1), REPOS, path, T0, None))
    assert warehouse.execute("SELECT DIGEST FROM RAW.REPOS ORDER BY FULL_NAME") == [(each,) for each in content]
    kind = "SELECT DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'REPOS' AND COLUMN_NAME = 'DIGEST'"
    assert warehouse.execute(kind) == [("BINARY",)]


def test_keys_are_read_a_few_thousand_at_a_time(
    warehouse: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fetched = tmp_path / "many.parquet", []
    pq.write_table(pa.table({"full_name": [f"o/{number}" for number in range(25_000)]}), path)
    warehouse.load(Batch(ObjectVersion("drops", path.name, 1), REPOS, path, T0, None))
    fetch = SnowflakeCursor.fetchmany

    def noted(cursor: SnowflakeCursor, size: int) -> object:
        fetched.append(size)
        return fetch(cursor, size)

    monkeypatch.setattr(SnowflakeCursor, "fetchmany", noted)
    monkeypatch.setattr(SnowflakeCursor, "fetchall", lambda cursor: pytest.fail("all keys at once"))
    warehouse.execute = lambda statement, *values: []  # type: ignore[method-assign]  # only the query of the keys
    keys = warehouse.keys_of(REPOS)
    assert str(next(keys)[0]).startswith("o/")
    assert len(fetched) == 1
    assert len(list(keys)) == 24_999
    assert max(fetched) <= 10_000


def test_unsigned_decimal_and_date_keep_their_kinds(warehouse: Watched, tmp_path: Path) -> None:
    path = tmp_path / "kinds.parquet"
    columns = {
        "full_name": ["o/a"],
        "big": pa.array([2**63], pa.uint64()),
        "price": pa.array(["1.25"]).cast(pa.decimal128(10, 2)),
        "day": pa.array([20_000], pa.int32()).cast(pa.date32()),
    }
    pq.write_table(pa.table(columns), path)
    for generation in (1, 2):
        warehouse.load(Batch(ObjectVersion("drops", "kinds", generation), REPOS, path, T0, None))
    pq.write_table(pa.table(columns | {"price": [1.25]}), path)
    with pytest.raises(BadObject, match=r"price: expected DECIMAL\(10,2\), got DOUBLE"):
        warehouse.load(Batch(ObjectVersion("drops", "kinds", 3), REPOS, path, T0, None))
