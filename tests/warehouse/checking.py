"""Files that take long or much memory to check, and the processes that check them."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

MOST_S = 60


def slow(path: Path) -> Path:
    """Write a small file that takes seconds to check, and little memory: 8 million rows of 60 columns of one number."""
    numbers = pa.repeat(pa.scalar(7, pa.int64()), 1_000_000)
    table = pa.table({"full_name": pa.repeat(pa.scalar("a"), len(numbers))} | {f"c{n}": numbers for n in range(59)})
    with pq.ParquetWriter(path, table.schema, write_statistics=False) as writer:
        for _ in range(8):
            writer.write_table(table, row_group_size=len(table))
    return path


def large(path: Path) -> Path:
    """Write a small file with one row of 20 texts of 40 MB: each is within the limits, together they are not."""
    text = pa.array(["v" * (40 << 20)])
    table = pa.table({"full_name": ["a"]} | {f"c{n}": text for n in range(20)})
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)
    return path


def children(parent: int | None = None) -> list[int]:
    """Return the processes that check files for a process: this one, or another."""
    found = []
    for listed in Path(f"/proc/{parent or os.getpid()}/task").glob("*/children"):
        for pid in listed.read_text().split():
            if "millrace.warehouse import inspector" in _read(Path(f"/proc/{pid}/cmdline")):
                found.append(int(pid))
    return found


def wait_for(what: Callable[[], bool]) -> None:
    """Wait until something holds; the limit only ends a test that fails."""
    until = time.monotonic() + MOST_S
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)


def is_running(pid: int) -> bool:
    """Return whether a process is there, and no zombie."""
    return Path(f"/proc/{pid}").exists() and " Z " not in _read(Path(f"/proc/{pid}/stat"))


@contextmanager
def each_reader_gets(number: int, is_it: Callable[[Path], bool], times: int) -> Iterator[list[int]]:
    """Send a signal to each process that checks such a file for this one, `times` at most; yield the processes."""
    done = threading.Event()
    signalled: list[int] = []

    def watch() -> None:
        while not done.wait(0.002) and len(signalled) < times:
            for pid in children():
                if pid not in signalled and any(map(is_it, opened(pid))):
                    os.kill(pid, number)
                    signalled.append(pid)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield signalled
    finally:
        done.set()
        thread.join()


def opened(pid: int) -> list[Path]:
    """Return the files that a process has open."""
    try:
        return [Path(os.path.realpath(each)) for each in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
