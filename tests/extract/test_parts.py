"""Rows become Parquet parts: cut in time, typed by the registry, and never overwritten."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.errors import UnexpectedResponse
from millrace.extract.parts import PartLimits, PartWriter
from millrace.lake.local import LocalLake
from millrace.lake.names import RawPart
from millrace.runs import Part
from millrace.tables import EXTRACTED
from millrace.warehouse import parquet

RUN = "20260131T060000Z"
AT = datetime(2026, 1, 31, 6, 0, 0, 1, UTC)
SMALL = PartLimits(rows=10, group_rows=5, batch_rows=2)
Rows = list[dict[str, object]]
Write = Callable[..., list[Part]]


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    return LocalLake(tmp_path / "lake", "lake")


@pytest.fixture
def write(lake: LocalLake, tmp_path: Path) -> Write:
    """Return a function that writes pages of rows and returns the parts."""

    def written(*pages: Rows, table: str = "commits", limits: PartLimits = SMALL) -> list[Part]:
        writer = PartWriter(lake, RawPart(table, date(2026, 1, 31), RUN, table, 0), AT, tmp_path, limits)
        for page in pages:
            writer.add(page)
        return writer.close()

    return written


def commits(first: int, end: int) -> Rows:
    return [{"commitHash": f"{n:040}", "repoName": "o/r", "userId": "u"} for n in range(first, end)]


def table_of(lake: LocalLake, part: Part, to: Path) -> pa.Table:
    lake.download(part.version("lake"), to / "read.parquet")
    return pq.read_table(to / "read.parquet")


def only_row(lake: LocalLake, parts: list[Part], to: Path) -> dict[str, Any]:
    (part,) = parts
    (row,) = table_of(lake, part, to).to_pylist()
    return dict(row)


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        pytest.param([commits(0, 9)], [9], id="less than a part"),
        pytest.param([commits(0, 10)], [10], id="exactly a part"),
        pytest.param([commits(0, 11)], [10, 1], id="one more"),
        pytest.param([commits(0, 35)], [10, 10, 10, 5], id="one page of several parts"),
        pytest.param([commits(n, n + 1) for n in range(20)], [10, 10], id="pages of one row"),
        pytest.param([commits(n, n + 3) for n in range(0, 21, 3)], [10, 10, 1], id="pages that do not divide a part"),
        pytest.param([commits(0, 4), [], commits(4, 8)], [8], id="an empty page between"),
    ],
)
def test_no_part_has_more_rows_than_its_limit_and_no_row_is_lost(
    write: Write, lake: LocalLake, tmp_path: Path, pages: list[Rows], expected: list[int]
) -> None:
    parts = write(*pages, limits=PartLimits(rows=10, group_rows=5, batch_rows=1))
    assert [part.rows for part in parts] == expected
    hashes = [row["commitHash"] for part in parts for row in table_of(lake, part, tmp_path).to_pylist()]
    assert hashes == [row["commitHash"] for page in pages for row in page]


def test_groups_that_do_not_divide_a_part_do_not_make_it_too_large(write: Write) -> None:
    parts = write(commits(0, 40), limits=PartLimits(rows=10, group_rows=4, batch_rows=4))
    assert [part.rows for part in parts] == [8, 8, 8, 8, 8]


def test_a_part_of_long_rows_is_cut_by_its_size(write: Write, lake: LocalLake) -> None:
    rows = [
        row | {"message": "".join(chr(33 + (n * i) % 90) for i in range(999))} for n, row in enumerate(commits(0, 60))
    ]
    parts = write(rows, limits=PartLimits(size_bytes=4_000, group_rows=10, batch_rows=5))
    assert len(parts) > 2
    assert sum(part.rows for part in parts) == 60


def test_long_rows_are_not_all_held_in_memory(write: Write, lake: LocalLake, tmp_path: Path) -> None:
    rows = [row | {"message": "x" * 1000} for row in commits(0, 40)]
    (part,) = write(rows, limits=PartLimits(group_bytes=10_000, batch_rows=5))
    lake.download(part.version("lake"), tmp_path / "read.parquet")
    assert pq.read_metadata(tmp_path / "read.parquet").num_row_groups == 4


@pytest.mark.parametrize(
    ("count", "length"),
    [
        pytest.param(40, 1_900_000, id="a page of them"),
        pytest.param(2_000, 40_000, id="2,000 rows of them"),
    ],
)
def test_a_part_of_long_texts_is_one_that_the_load_accepts(
    write: Write, lake: LocalLake, tmp_path: Path, count: int, length: int
) -> None:
    rows: Rows = [{"repo_name": "o/r", "number": n, "body": f"{n:>{length}}"} for n in range(count)]
    for part in write(rows, table="pull_requests", limits=PartLimits()):
        lake.download(part.version("lake"), tmp_path / "read.parquet")
        parquet.check(tmp_path / "read.parquet", parquet.ParquetLimits())
        assert pq.read_metadata(tmp_path / "read.parquet").num_rows == part.rows == count


def test_highly_compressible_part_is_split_by_expanded_size(write: Write) -> None:
    rows = [row | {"message": "x" * 1000} for row in commits(0, 60)]
    parts = write(rows, limits=PartLimits(expanded_bytes=20_000, group_rows=10, batch_rows=5))
    assert [part.rows for part in parts] == [20, 20, 20]


@pytest.mark.parametrize("table", EXTRACTED)
def test_no_rows_are_one_part_with_the_schema_and_when_it_was_extracted(
    write: Write, lake: LocalLake, tmp_path: Path, table: str
) -> None:
    (part,) = write(table=table)
    assert part.rows == 0
    empty = table_of(lake, part, tmp_path)
    assert empty.schema.equals(EXTRACTED[table].schema)
    assert empty.schema.metadata == {
        b"millrace.extracted_at": AT.isoformat().encode(),
        b"millrace.run_id": RUN.encode(),
    }


def test_columns_follow_registry_order_regardless_of_field_order(write: Write, lake: LocalLake, tmp_path: Path) -> None:
    (part,) = write([{"userId": "u", "zzz": 1, "repoName": "o/r", "commitHash": "h"}])
    assert table_of(lake, part, tmp_path).schema.equals(EXTRACTED["commits"].schema)


def test_null_omitted_empty_and_zero_stay_four_things(write: Write, lake: LocalLake, tmp_path: Path) -> None:
    row = only_row(lake, write([{"userId": None, "userName": "", "totalLinesAdded": 0}]), tmp_path)
    assert (row["userId"], row["userEmail"], row["userName"], row["totalLinesAdded"]) == (None, None, "", 0)
    assert json.loads(row["_extra"]) == {"userId": None}


def test_field_unknown_to_registry_is_kept(write: Write, lake: LocalLake, tmp_path: Path) -> None:
    row = only_row(lake, write([{"commitHash": "h", "newField": {"a": [1, None]}}]), tmp_path)
    assert json.loads(row["_extra"]) == {"newField": {"a": [1, None]}}


def test_instants_with_offset_and_nanoseconds_are_exact_to_the_microsecond(
    write: Write, lake: LocalLake, tmp_path: Path
) -> None:
    page = [{"commitTs": "2026-01-31T01:30:00.123456789+02:00", "createdAt": "2026-01-30T23:30:00Z"}]
    row = only_row(lake, write(page), tmp_path)
    assert row["commitTs"] == datetime(2026, 1, 30, 23, 30, 0, 123456, UTC)
    assert row["createdAt"] == datetime(2026, 1, 30, 23, 30, tzinfo=UTC)


def test_every_row_has_extraction_time_and_run_id(write: Write, lake: LocalLake, tmp_path: Path) -> None:
    row = only_row(lake, write(commits(0, 1)), tmp_path)
    assert (row["_extracted_at"], row["_run_id"]) == (AT, RUN)


def test_a_row_of_another_type_names_its_table_and_column(write: Write) -> None:
    with pytest.raises(UnexpectedResponse, match=r"commits: the source's totalLinesAdded: expected .*, got a string"):
        write([{"totalLinesAdded": "5"}])


def test_parts_that_a_crashed_attempt_left_stay_and_are_not_listed(write: Write, lake: LocalLake) -> None:
    left = write(commits(0, 15))
    before = {part.name: lake.read(part.name) for part in left}
    again = write(commits(1, 16))
    assert {part.name: lake.read(part.name) for part in left} == before
    assert not {part.name for part in again} & set(before)
    assert [part.name.rpartition("-")[2] for part in again] == ["00002.parquet", "00003.parquet"]


def test_part_has_checksum_and_size_of_stored_object(write: Write, lake: LocalLake, tmp_path: Path) -> None:
    (part,) = write(commits(0, 3))
    stored = lake.download(part.version("lake"), tmp_path / "read.parquet")
    assert (part.crc32c, part.size_bytes) == (stored.crc32c, stored.size_bytes)


PEAK = """
import sys, tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from millrace.extract.parts import PartWriter
from millrace.lake.names import RawPart
from millrace.lake.local import LocalLake
with tempfile.TemporaryDirectory() as folder:
    key = RawPart("commits", date(2026, 1, 31), "20260131T060000Z", "commits", 0)
    writer = PartWriter(LocalLake(Path(folder, "lake"), "lake"), key, datetime.now(UTC), Path(folder))
    for page in range(int(sys.argv[1]) // 1000):
        rows = [{"commitHash": f"{page:020}{n:020}", "userId": "u", "message": "m" * 50} for n in range(1000)]
        writer.add(rows)
    writer.close()
status = Path("/proc/self/status").read_text()  # unlike ru_maxrss, not that of the process which started this one
print(status.partition("VmHWM:")[2].split()[0])
"""


def peak_kb(rows: int) -> int:
    environment = {"PYTHONPATH": ":".join(sys.path), "ARROW_DEFAULT_MEMORY_POOL": "system"}
    ran = subprocess.run([sys.executable, "-c", PEAK, str(rows)], env=environment, capture_output=True, check=True)
    return int(ran.stdout)


@pytest.mark.slow
def test_ten_times_the_rows_take_no_more_memory() -> None:
    assert peak_kb(200_000) < 1.3 * peak_kb(20_000)
