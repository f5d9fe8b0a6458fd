"""A fault of the machine is not the file's: it is not recorded, and the next attempt loads the file."""

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.load.conftest import Rig

from millrace.bus.events import ObjectFinalized
from millrace.errors import TransientError, is_of_the_machine
from millrace.lake import StoredObject
from millrace.load import handler
from millrace.warehouse import inspector

ERRNOS = (
    "ENOMEM", "EMFILE", "ENFILE", "EIO", "ENOSPC", "EROFS", "EDQUOT", "ESTALE", "EACCES", "ETIMEDOUT", "EAGAIN",
)  # fmt: skip
MACHINE = [
    *(pytest.param(OSError(getattr(errno, name), os.strerror(getattr(errno, name))), id=name) for name in ERRNOS),
    pytest.param(MemoryError(), id="MemoryError"),
    pytest.param(pa.ArrowMemoryError("malloc of size 4096 failed"), id="ArrowMemoryError"),
    pytest.param(OSError("ZSTD decompression failed: Allocation error : not enough memory"), id="zstd without memory"),
    pytest.param(RuntimeError("can't start new thread"), id="no thread"),
]
CONTENT = [
    pytest.param(OSError("Couldn't deserialize thrift: TProtocolException: Invalid data"), id="thrift"),
    pytest.param(OSError(errno.EINVAL, "Invalid argument"), id="a place that cannot be"),
    pytest.param(pa.ArrowInvalid("Parquet magic bytes not found in footer"), id="ArrowInvalid"),
]
NAME = "drop/repos/a.ndjson"


class FailingReader:
    """Arrow's reader, with some failing opens."""

    def __init__(self, error: Exception, fails: set[int]) -> None:
        self._error, self._fails, self._real, self.calls = error, fails, pq.ParquetFile, 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls in self._fails:
            raise self._error
        return self._real(*arguments, **named)


def parquet(folder: Path) -> bytes:
    pq.write_table(pa.table({"full_name": ["o/a", "o/b"]}), folder / "good.parquet")
    return (folder / "good.parquet").read_bytes()


def drop(rig: Rig) -> StoredObject:
    """Drop lines: their Parquet file is our own, so it is opened in this process."""
    return rig.desk.lake.write(NAME, b'{"full_name":"o/a"}\n{"full_name":"o/b"}\n', 0)


def answer(rig: Rig, stored: StoredObject) -> None:
    handler.answer(rig.desk, ObjectFinalized(stored.version, stored.crc32c))


@pytest.mark.parametrize("error", MACHINE)
def test_a_fault_of_the_machine_notes_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    stored = drop(rig)
    with monkeypatch.context() as patched:
        patched.setattr(pq, "ParquetFile", FailingReader(error, {1}))
        with pytest.raises(TransientError):
            answer(rig, stored)
    assert rig.desk.warehouse.find(stored.version) is None
    assert list(rig.desk.quarantine.list("")) == []
    answer(rig, stored)
    assert len(rig.rows()) == 2


@pytest.mark.parametrize("error", MACHINE)
def test_the_child_answers_that_the_machine_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert set(_answered(tmp_path, monkeypatch, error)) == {"transient"}


@pytest.mark.parametrize("error", [*CONTENT, KeyError("a"), UnicodeDecodeError("utf-8", b"", 0, 1, "invalid")])
def test_the_child_answers_that_the_file_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert _answered(tmp_path, monkeypatch, error)["reason"] == "unreadable"


def _answered(folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> dict[str, object]:
    parquet(folder)
    monkeypatch.setattr(pq, "ParquetFile", FailingReader(error, {1}))
    request = {"what": "whole", "path": str(folder / "good.parquet"), "memory_bytes": 1 << 62, "cpu_s": 1 << 30}
    return inspector.answer(request | {"limits": {}})


@pytest.mark.parametrize("error", CONTENT)
def test_file_refused_by_two_readings_is_quarantined(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(pq, "ParquetFile", FailingReader(error, set(range(99))))
    answer(rig, drop(rig))
    assert [entry.reason for entry in rig.entries()] == ["unreadable"]


@pytest.mark.parametrize("error", CONTENT)
def test_file_refused_only_by_first_reading_is_loaded(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(pq, "ParquetFile", FailingReader(error, {1}))
    answer(rig, drop(rig))
    assert (len(rig.rows()), rig.entries()) == (2, [])


@pytest.mark.parametrize("error", [pa.ArrowMemoryError("malloc"), OSError(errno.ENOSPC, "no space"), MemoryError()])
def test_temporary_parquet_write_failure_does_not_quarantine(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    stored = rig.desk.lake.write("drop/repos/a.ndjson", b'{"full_name":"o/a"}\n', 0)
    with monkeypatch.context() as patched:
        patched.setattr(pq, "ParquetWriter", FailingReader(error, {1}))
        with pytest.raises(TransientError):
            answer(rig, stored)
    assert rig.desk.warehouse.find(stored.version) is None
    answer(rig, stored)
    assert len(rig.rows()) == 1


def test_a_value_that_memory_does_not_suffice_for_is_no_bad_value(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = rig.desk.lake.write("drop/repos/a.ndjson", b'{"full_name":"o/a"}\n', 0)

    def fail(*_: object, **__: object) -> None:
        raise pa.ArrowMemoryError("malloc of size 64 failed")

    with monkeypatch.context() as patched:
        patched.setattr(pa, "array", fail)
        with pytest.raises(TransientError):
            answer(rig, stored)
    assert rig.desk.warehouse.find(stored.version) is None


@pytest.mark.parametrize(
    ("error", "is_machine"),
    [
        (
            duckdb.OutOfMemoryException("Out of Memory Error: Failed to allocate block of 8 bytes (bad allocation)"),
            True,
        ),
        (duckdb.IOException('IO Error: Cannot open file "x": Too many open files'), True),
        (duckdb.IOException("IO Error: Could not read from file: Input/output error"), True),
        (duckdb.IOException("IO Error: Could not write file: No space left on device"), True),
        (duckdb.IOException("IO Error: Cannot open file: Read-only file system"), True),
        (duckdb.InvalidInputException("Invalid Input Error: No magic bytes found at end of file"), False),
        (duckdb.IOException("IO Error: Snappy decompression failure"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_whose_fault_an_error_is(error: Exception, is_machine: bool) -> None:
    assert is_of_the_machine(error) is is_machine


STARVING = textwrap.dedent("""
    import resource, sys
    from pathlib import Path
    from millrace.bus.events import ObjectFinalized
    from millrace.errors import TransientError
    from millrace.lake.local import LocalLake
    from millrace.load import handler
    from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
    from millrace.wiring import RequestedBuilds

    folder, more = Path(sys.argv[1]), int(sys.argv[2])
    lake, quarantine = (LocalLake(folder / name, name) for name in ("lake", "quarantine"))
    with DuckDBWarehouse(folder / "w.duckdb") as warehouse:
        desk = handler.Loader(lake, quarantine, warehouse, RequestedBuilds())
        small, large = list(lake.list("drop/"))
        handler.answer(desk, ObjectFinalized(small.version, None))
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))
        try:
            handler.answer(desk, ObjectFinalized(large.version, None))
        except TransientError:
            sys.exit(3)
""")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the size of a process is read as on Linux")
@pytest.mark.parametrize("more_bytes", [1 << 20, 4 << 20, 16 << 20])
def test_a_good_file_that_memory_does_not_suffice_for_now_is_loaded_later(
    rig: Rig, tmp_path: Path, more_bytes: int
) -> None:
    rig.desk.lake.write("drop/repos/0.parquet", parquet(tmp_path), 0)
    names = [f"o/{number}" for number in range(300_000)]
    pq.write_table(pa.table({"full_name": names, "default_branch": names}), tmp_path / "large.parquet")
    large = rig.desk.lake.write("drop/repos/1.parquet", tmp_path / "large.parquet", 0)
    command = [sys.executable, "-c", STARVING, str(tmp_path), str(more_bytes)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert rig.desk.warehouse.find(large.version) is None
    assert list(rig.desk.quarantine.list("")) == []
    answer(rig, large)
    assert len(rig.rows()) == 300_002
