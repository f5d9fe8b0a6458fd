"""The cases that only the DuckDB file has: crashes inside a transaction, locks between processes, limits."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.errors import BadObject, ConfigError, Step, TransientError
from millrace.lake import ObjectVersion
from millrace.tables import TABLES
from millrace.warehouse import Batch
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.parquet import ParquetLimits

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "warehouse.duckdb"


def repos(tmp_path: Path, *names: str, number: int = 1) -> Batch:
    file = tmp_path / f"{number}.parquet"
    pq.write_table(pa.table({"full_name": list(names)}), file)
    return Batch(ObjectVersion("lake", file.name, 1), TABLES["repos"], file, NOW, "r1")


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(path) as connection:
        return list(connection.execute(query).fetchall())


def failing_clock() -> Iterator[datetime]:
    yield NOW
    raise RuntimeError("the power went off")


def test_a_failure_between_merge_and_commit_leaves_nothing(path: Path, tmp_path: Path) -> None:
    clock = failing_clock()
    with DuckDBWarehouse(path, clock=lambda: next(clock)) as warehouse:
        warehouse.load(repos(tmp_path, "o/a"))
        with pytest.raises(RuntimeError):
            warehouse.load(repos(tmp_path, "o/b", number=2))
        assert warehouse.find(ObjectVersion("lake", "2.parquet", 1)) is None
    assert rows(path, "SELECT full_name FROM raw.repos") == [("o/a",)]


CRASHING = """
import os, signal, sys
from pathlib import Path
from datetime import datetime, UTC
from millrace.lake import ObjectVersion
from millrace.tables import TABLES
from millrace.warehouse import Batch
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
warehouse = DuckDBWarehouse(Path(sys.argv[1]), clock=lambda: os.kill(os.getpid(), signal.SIGKILL))
file = Path(sys.argv[2])
warehouse.load(Batch(ObjectVersion("lake", file.name, 1), TABLES["repos"], file, datetime.now(UTC), "r1"))
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    source = str(Path(__file__).parents[2] / "src")
    environment = {**os.environ, "PYTHONPATH": source}
    command = [sys.executable, "-c", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


def test_a_process_killed_between_merge_and_commit_leaves_nothing(path: Path, tmp_path: Path) -> None:
    with DuckDBWarehouse(path) as warehouse:
        warehouse.load(repos(tmp_path, "o/a"))
    again = repos(tmp_path, "o/a", "o/b", number=2)
    assert python(CRASHING, str(path), str(again.path)).returncode == -signal.SIGKILL
    assert rows(path, "SELECT full_name FROM raw.repos") == [("o/a",)]
    with DuckDBWarehouse(path) as warehouse:
        assert warehouse.find(again.version) is None
        assert warehouse.load(again).rows_inserted == 1


def test_a_file_in_use_by_another_process_names_it(path: Path, tmp_path: Path) -> None:
    source = "import sys, duckdb\nc = duckdb.connect(sys.argv[1])\nprint('open', flush=True)\nsys.stdin.read()"
    path.parent.mkdir()
    command = [sys.executable, "-c", source, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        warehouse = DuckDBWarehouse(path)
        with pytest.raises(ConfigError, match=rf"in use by process {holder.pid} \(python.*stop it$"):
            warehouse.load(repos(tmp_path, "o/a"))
        holder.communicate()
    assert warehouse.load(repos(tmp_path, "o/a")).rows_inserted == 1
    warehouse.close()


@pytest.mark.parametrize("mode", ["True", "False"], ids=["a reader", "a writer"])
@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda warehouse, batch: warehouse.load(batch), id="by a load"),
        pytest.param(lambda warehouse, batch: warehouse.find(batch.version), id="by a look into the ledger"),
        pytest.param(lambda warehouse, batch: warehouse.start_build(1, "a test", None), id="by a build"),
        pytest.param(lambda warehouse, batch: warehouse.ensure_tables(), id="before dbt"),
    ],
)
def test_who_takes_the_file_in_the_middle_is_waited_for(
    path: Path, tmp_path: Path, mode: str, work: Callable[[DuckDBWarehouse, Batch], object]
) -> None:
    looking = f"import sys, duckdb\nc = duckdb.connect(sys.argv[1], read_only={mode})\nprint('open', flush=True)"
    command = [sys.executable, "-c", f"{looking}\nsys.stdin.read()", str(path)]
    waited: list[float] = []
    warehouse = DuckDBWarehouse(path, patience_s=5, sleep=waited.append)
    warehouse.load(repos(tmp_path, "o/a"))
    warehouse.close()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        more = repos(tmp_path, "o/b", number=2)
        with pytest.raises(TransientError, match=rf"in use by process {holder.pid} \(python.*run again$"):
            work(warehouse, more)
        assert sum(waited) == pytest.approx(5)
        warehouse._sleep = lambda seconds: holder.communicate() and None
        work(warehouse, more)
        assert warehouse.count(TABLES["repos"]) == 1 + (warehouse.find(more.version) is not None)
    warehouse.close()


@pytest.mark.parametrize("damage", ["flipped", "zeroed", "cut"])
@pytest.mark.parametrize("part", range(1, 12))
def test_damage_is_named_and_no_file_blamed(path: Path, tmp_path: Path, damage: str, part: int) -> None:
    names = [f"o/{number:06}" for number in range(60_000)]
    with DuckDBWarehouse(path) as warehouse:
        warehouse.load(repos(tmp_path, *names))
    content = path.read_bytes()
    at = len(content) * part // 12
    harm = {"flipped": bytes(byte ^ 0xFF for byte in content[at : at + 512]), "zeroed": bytes(512)}
    path.write_bytes(content[:at] + (harm[damage] + content[at + 512 :] if damage in harm else b""))
    more = repos(tmp_path, *names[::7], number=2)
    with DuckDBWarehouse(path) as warehouse:
        try:
            told: object = warehouse.load(more).rows_unchanged
        except ConfigError as error:
            told = error.step
    assert told in (Step.RESTORE, len(names[::7]))  # all names exist already: if no row of them is damaged, none is new


def test_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but a longer text\n" * 500)
    with pytest.raises(ConfigError, match="cannot be opened"):
        DuckDBWarehouse(path).ensure_tables()


def test_invalid_memory_limit_is_reported_at_first_use(path: Path) -> None:
    warehouse = DuckDBWarehouse(path, memory_limit="much")
    with pytest.raises(ConfigError, match=r"cannot be opened: .*Memory must have a number"):
        warehouse.ensure_tables()
    with DuckDBWarehouse(path) as another:
        another.ensure_tables()


def test_a_full_disk_is_no_fault_of_the_object(path: Path, tmp_path: Path) -> None:
    batch = repos(tmp_path, *(f"o/{n * 7919}/{n * n}" for n in range(150_000)))
    with DuckDBWarehouse(path) as warehouse:
        warehouse.ensure_tables()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # without it, the signal ends the process
    warehouse = DuckDBWarehouse(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (800_000, limits[1]))
    try:
        with pytest.raises(TransientError, match="Could not write"):
            warehouse.load(batch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert warehouse.find(batch.version) is None
    assert warehouse.load(batch).rows_inserted == 150_000
    warehouse.close()


def test_another_connection_of_the_same_process_may_read_meanwhile(path: Path, tmp_path: Path) -> None:
    with DuckDBWarehouse(path) as warehouse:
        warehouse.load(repos(tmp_path, "o/a"))
        assert rows(path, "SELECT full_name FROM raw.repos") == [("o/a",)]


def test_every_raw_table_is_there_before_the_first_load(path: Path) -> None:
    with DuckDBWarehouse(path) as warehouse:
        warehouse.ensure_tables()
        warehouse.ensure_tables()
    found = rows(path, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'raw'")
    assert {name for (name,) in found} == set(TABLES)


def test_a_closed_warehouse_opens_again_at_the_next_use(path: Path, tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(path)
    first = warehouse.load(repos(tmp_path, "o/a"))
    warehouse.close()
    assert warehouse.find(first.version) == first
    warehouse.close()


@pytest.mark.parametrize(
    ("caps", "what"),
    [
        pytest.param(ParquetLimits(rows=1), "2 rows", id="rows"),
        pytest.param(ParquetLimits(file_bytes=10), "bytes; at most 10", id="bytes"),
        pytest.param(ParquetLimits(uncompressed_bytes=10), "bytes before compression", id="bytes before compression"),
        pytest.param(ParquetLimits(row_groups=0), "1 row groups", id="row groups"),
    ],
)
def test_a_file_over_a_cap_is_refused(path: Path, tmp_path: Path, caps: ParquetLimits, what: str) -> None:
    with DuckDBWarehouse(path, caps=caps) as warehouse, pytest.raises(BadObject, match=what) as refused:
        warehouse.load(repos(tmp_path, "o/a", "o/b"))
    assert refused.value.reason == "too_large"


def test_object_exceeding_memory_is_refused_and_loads_with_more(path: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.parquet"
    long = pa.array(["x" * 1000] * 60_000).dictionary_encode()
    pq.write_table(pa.table({"full_name": [f"o/{n}" for n in range(60_000)], "default_branch": long}), bomb)
    batch = Batch(ObjectVersion("lake", "bomb", 1), TABLES["repos"], bomb, NOW, "r1")
    with DuckDBWarehouse(path, memory_limit="20MB", caps=ParquetLimits(uncompressed_bytes=2 << 20)) as warehouse:
        warehouse.load(repos(tmp_path, "o/a"))
        with pytest.raises(BadObject, match="20MB of memory do not suffice for it: raise MILLRACE_MEMORY"):
            warehouse.load(batch)
        assert warehouse.find(batch.version) is None
        assert warehouse.load(repos(tmp_path, "o/b", number=2)).rows_inserted == 1
    with DuckDBWarehouse(path, memory_limit="400MB") as warehouse:
        assert warehouse.load(batch).rows_inserted == 60_000
