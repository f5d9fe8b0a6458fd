"""The guarantees of the file's reader alone: old and new at once, no file left open, only the marts visible."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path, PosixPath

import duckdb
import pytest
from tests.warehouse.publishing import open_files, publish

from millrace.errors import ConfigError, Step, TransientError
from millrace.warehouse.duckdb.reader import DuckDBReader
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.reading import Snapshot

BUILD = "SELECT MAX(build) AS build FROM mart.velocity"


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(tmp_path / "warehouse.duckdb") as warehouse:
        publish(warehouse)
        yield warehouse


@pytest.fixture
def reader(warehouse: DuckDBWarehouse) -> Iterator[DuckDBReader]:
    reader = DuckDBReader(warehouse.published_path)
    yield reader
    reader.close()


def build_seen(snapshot: Snapshot) -> int:
    return int(snapshot.query(BUILD)[0]["build"])


def test_an_old_snapshot_goes_on_while_new_ones_are_of_the_new_file(
    warehouse: DuckDBWarehouse, reader: DuckDBReader
) -> None:
    def outer(old: Snapshot) -> list[int]:
        publish(warehouse)
        return [build_seen(old), reader.read(build_seen), build_seen(old), reader.read(build_seen)]

    assert reader.read(outer) == [1, 2, 1, 2]


def test_a_file_is_closed_with_its_last_snapshot(warehouse: DuckDBWarehouse, reader: DuckDBReader) -> None:
    path = str(warehouse.published_path)

    def outer(_: Snapshot) -> list[str]:
        publish(warehouse)
        reader.read(build_seen)
        return open_files(warehouse.published_path.parent)

    assert reader.read(outer) == [path, f"{path} (deleted)"]
    assert open_files(warehouse.published_path.parent) == [path]
    reader.close()
    assert open_files(warehouse.published_path.parent) == []


def test_kept_snapshot_holds_no_file_open(warehouse: DuckDBWarehouse, reader: DuckDBReader) -> None:
    def outer(old: Snapshot) -> Snapshot:
        publish(warehouse)
        assert reader.read(build_seen) == 2
        return old

    kept = reader.read(outer)
    assert open_files(warehouse.published_path.parent) == [str(warehouse.published_path)]
    with pytest.raises(TransientError) as raised:
        build_seen(kept)
    assert raised.value.step is Step.TRY_AGAIN


def test_one_connection_to_the_file_serves_every_read(warehouse: DuckDBWarehouse, reader: DuckDBReader) -> None:
    versions = {
        reader.read(lambda it: (it.version, len(open_files(warehouse.published_path.parent)))) for _ in range(20)
    }
    assert versions == {(reader.version(), 1)}


def test_nothing_is_left_beside_the_file(warehouse: DuckDBWarehouse, reader: DuckDBReader) -> None:
    before = {path.name for path in warehouse.published_path.parent.iterdir()}
    reader.read(build_seen)
    publish(warehouse)
    reader.read(build_seen)
    assert {path.name for path in warehouse.published_path.parent.iterdir()} == before


def test_who_opens_the_file_by_its_path_sees_the_old_one(warehouse: DuckDBWarehouse) -> None:
    """Shows why the reader attaches the file: DuckDB shares the database that this process has open at one path."""
    with duckdb.connect(warehouse.published_path, read_only=True) as first:
        publish(warehouse)
        with duckdb.connect(warehouse.published_path, read_only=True) as second:
            assert (first.execute(BUILD).fetchall(), second.execute(BUILD).fetchall()) == ([(1,)], [(1,)])


def test_other_connections_of_this_process_do_not_hide_the_new_file(
    warehouse: DuckDBWarehouse, reader: DuckDBReader
) -> None:
    with duckdb.connect(warehouse.published_path, read_only=True):
        publish(warehouse)
        assert reader.read(build_seen) == 2


class _Racing(PosixPath):
    """A path with an action after each of its first checks."""

    happening: list[Callable[[], object]]

    def stat(self, **options: bool) -> os.stat_result:
        found: os.stat_result = super().stat(**options)
        if self.happening:
            self.happening.pop(0)()
        return found


def racing(warehouse: DuckDBWarehouse, *happening: Callable[[], object]) -> DuckDBReader:
    path = _Racing(warehouse.published_path)
    path.happening = list(happening)
    return DuckDBReader(path)


@pytest.mark.parametrize("times", [1, 2, 5])
def test_file_replaced_while_opening_has_version_of_its_content(warehouse: DuckDBWarehouse, times: int) -> None:
    reader = racing(warehouse, *[lambda: publish(warehouse)] * times)
    version, seen = reader.read(lambda it: (it.version, build_seen(it)))
    assert (version, seen) == (reader.version(), times + 1)
    reader.close()


def test_a_file_that_is_replaced_on_and_on_is_for_later(warehouse: DuckDBWarehouse) -> None:
    instants = itertools.count()
    replacing = [lambda: os.utime(warehouse.published_path, ns=(0, next(instants)))] * 100
    with pytest.raises(TransientError, match="replaced 20 times"):
        racing(warehouse, *replacing).read(build_seen)
    assert open_files(warehouse.published_path.parent) == []


def test_a_file_that_vanishes_is_named_with_what_to_do(warehouse: DuckDBWarehouse, reader: DuckDBReader) -> None:
    reader.read(build_seen)
    warehouse.published_path.unlink()
    with pytest.raises(ConfigError, match=r"published\.duckdb is not there yet: nothing was built") as raised:
        reader.read(build_seen)
    assert raised.value.step is Step.BEGIN


@pytest.mark.parametrize(
    "content",
    [pytest.param(b"", id="empty"), pytest.param(b"x" * 5000, id="no database")],
)
def test_broken_file_is_reported_and_next_file_is_read(
    warehouse: DuckDBWarehouse, reader: DuckDBReader, content: bytes
) -> None:
    reader.read(build_seen)
    warehouse.published_path.unlink()
    warehouse.published_path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"published\.duckdb cannot be read: ") as raised:
        reader.read(build_seen)
    assert raised.value.step is Step.BUILD
    assert open_files(warehouse.published_path.parent) == []
    publish(warehouse)
    assert reader.read(build_seen) == 2


def test_a_file_that_ends_too_early_is_no_answer(warehouse: DuckDBWarehouse, reader: DuckDBReader) -> None:
    cut = warehouse.published_path.with_name("cut")
    shutil.copy(warehouse.published_path, cut)
    os.truncate(cut, 20_000)
    cut.replace(warehouse.published_path)
    with pytest.raises((ConfigError, TransientError), match=r"published\.duckdb"):
        reader.read(build_seen)


def test_a_file_without_a_build_is_no_publication(tmp_path: Path) -> None:
    with DuckDBWarehouse(tmp_path / "published.duckdb") as empty:
        empty.ensure_tables()
    with pytest.raises(ConfigError, match="holds no build") as raised:
        DuckDBReader(tmp_path / "published.duckdb").read(build_seen)
    assert raised.value.step is Step.BUILD
    assert open_files(tmp_path) == []


def test_a_database_of_something_else_is_no_publication(tmp_path: Path) -> None:
    duckdb.connect(tmp_path / "published.duckdb").close()
    with pytest.raises(ConfigError, match="cannot be read: ") as raised:
        DuckDBReader(tmp_path / "published.duckdb").read(build_seen)
    assert raised.value.step is Step.BUILD


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("INSERT INTO mart.velocity SELECT * FROM mart.velocity", id="writes"),
        pytest.param("CREATE TABLE mart.more AS SELECT 1", id="makes a table"),
        pytest.param("SELECT * FROM read_text('/etc/hostname')", id="reads a file"),
        pytest.param("COPY mart.velocity TO 'out.csv'", id="writes a file"),
        pytest.param("ATTACH 'other.duckdb'", id="opens another file"),
        pytest.param("LOAD httpfs", id="loads an extension"),
        pytest.param("SET memory_limit = '9GB'", id="takes more memory"),
        pytest.param("SET enable_external_access = true", id="lets itself out"),
        pytest.param("SELECT * FROM BUILD", id="reads a variable of Python"),
    ],
)
def test_a_statement_may_read_the_marts_and_nothing_else(reader: DuckDBReader, statement: str) -> None:
    with pytest.raises((ConfigError, TransientError)):
        reader.read(lambda it: it.query(statement))


def test_instants_with_a_zone_are_utc(reader: DuckDBReader) -> None:
    rows = reader.read(lambda it: it.query("SELECT CAST(TIMESTAMPTZ '2026-11-20 01:00:00+03' AS VARCHAR) AS at"))
    assert rows == [{"at": "2026-11-19 22:00:00+00"}]


def test_query_spills_to_disk_and_removes_temporary_files(warehouse: DuckDBWarehouse) -> None:
    reader = DuckDBReader(warehouse.published_path, memory_limit="40MB", threads=1)
    sorting = "SELECT COUNT(*) AS n FROM (SELECT ROW_NUMBER() OVER (ORDER BY HASH(range)) FROM range(4000000))"
    assert reader.read(lambda it: it.query(sorting)) == [{"n": 4_000_000}]
    reader.close()
    assert list(warehouse.published_path.parent.glob("*.tmp")) == []
