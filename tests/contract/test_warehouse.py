"""The guarantees of every warehouse: once, all or nothing, and the same rows whatever the order of arrival."""

import random
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count, permutations, product
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st
from tests.contract import on_snowflake

from millrace.arrow import to_batch
from millrace.errors import BadObject
from millrace.lake import ObjectVersion
from millrace.tables import TABLES
from millrace.warehouse import Batch, LedgerEntry, Warehouse
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

T0 = datetime(2026, 11, 20, 12, 0, 0, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
COMMITS, REPOS, PULLS, REVIEWS = (TABLES[name] for name in ("commits", "repos", "pull_requests", "reviews"))
Rows = list[dict[str, object]]


@dataclass
class Rig:
    """One warehouse under test, with a folder for its files; `rows` reads a raw table, ordered."""

    folder: Path
    warehouse: Warehouse
    rows: Callable[[str], Rows]
    numbers: Iterator[int]

    def file(self, table: pa.Table) -> Path:
        path = self.folder / f"{next(self.numbers)}.parquet"
        pq.write_table(table, path)
        return path

    def batch(self, content: pa.Table | Path, table: str = "repos", name: str = "", run: str | None = "r1") -> Batch:
        path = content if isinstance(content, Path) else self.file(content)
        return Batch(ObjectVersion("lake", name or path.name, 1), TABLES[table], path, T0, run)

    def load(self, content: pa.Table | Path, table: str = "repos", name: str = "") -> LedgerEntry:
        return self.warehouse.load(self.batch(content, table, name))


Emptied = Callable[[Path], AbstractContextManager[Rig]]


def duckdb_rig(folder: Path) -> Rig:
    path = folder / "warehouse.duckdb"
    return Rig(folder, DuckDBWarehouse(path, clock=lambda: T0), lambda table: duckdb_rows(path, table), count())


def duckdb_rows(path: Path, table: str) -> Rows:
    with duckdb.connect(path) as connection:
        result = connection.execute(f'SELECT * FROM raw."{table}"')  # noqa: S608
        names = [column[0] for column in result.description or ()]
        return sorted((dict(zip(names, row, strict=True)) for row in result.fetchall()), key=repr)


def snowflake_rig(where: str, folder: Path) -> Rig:
    warehouse = on_snowflake.open_warehouse(where, folder / "elsewhere", lambda: T0)
    return Rig(folder, warehouse, lambda table: on_snowflake.rows_of(warehouse, table), count())


@pytest.fixture(params=["duckdb", "snowflake"])
def open_rig(request: pytest.FixtureRequest) -> Callable[[Path], Rig]:
    if request.param == "duckdb":
        return duckdb_rig
    return partial(snowflake_rig, request.getfixturevalue("snowflake_at"))


@pytest.fixture(scope="module")
def one_on_snowflake(snowflake_at: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = snowflake_rig(snowflake_at, tmp_path_factory.mktemp("one"))
    yield rig
    close(rig)


@pytest.fixture(params=["duckdb", "snowflake"])
def emptied(request: pytest.FixtureRequest) -> Emptied:
    """Return a function that opens an empty warehouse. On Snowflake it empties the same one: opening one is slow."""
    one = None if request.param == "duckdb" else request.getfixturevalue("one_on_snowflake")

    @contextmanager
    def opened(folder: Path) -> Iterator[Rig]:
        if one is None:
            rig = duckdb_rig(folder)
            yield rig
            close(rig)
        else:
            on_snowflake.empty(one.warehouse)
            yield one

    return opened


def is_on_duckdb(request: pytest.FixtureRequest) -> bool:
    return bool(request.node.callspec.params["emptied"] == "duckdb")


@pytest.fixture
def rig(open_rig: Callable[[Path], Rig], tmp_path: Path) -> Iterator[Rig]:
    rig = open_rig(tmp_path)
    yield rig
    close(rig)


def close(rig: Rig) -> None:
    if isinstance(rig.warehouse, SnowflakeWarehouse):
        on_snowflake.release(rig.warehouse)
    else:
        assert isinstance(rig.warehouse, DuckDBWarehouse)
        rig.warehouse.close()


def repos(*rows: dict[str, object], at: datetime = T0, run: str = "r1") -> pa.Table:
    return pa.Table.from_batches([to_batch(list(rows), REPOS, at, run)])


def repo(name: str = "o/a", opened: int = 1, **more: object) -> dict[str, object]:
    return {"full_name": name, "open_pull_requests_count": opened, **more}


def counts(entry: LedgerEntry) -> tuple[int | None, int, int, int, int]:
    return (
        entry.rows_read,
        entry.rows_inserted,
        entry.rows_updated,
        entry.rows_unchanged,
        entry.rows_superseded,
    )


def on_both_engines(cases: Sequence[Any], sample: Collection[str]) -> list[Any]:
    """Return the cases for (engine, …). On Snowflake those outside of the sample are proofs: DuckDB shows them too."""
    return [
        pytest.param(
            engine,
            *case.values,
            id=f"{engine}-{case.id}",
            marks=[pytest.mark.proof] * (engine == "snowflake" and case.id not in sample),
        )
        for engine, case in product(("duckdb", "snowflake"), cases)
    ]


def test_the_same_object_twice_loads_once(rig: Rig) -> None:
    first = rig.load(repos(repo()), name="x")
    again = rig.load(repos(repo(opened=2), at=T0 + HOUR), name="x")
    assert again == first
    assert [row["open_pull_requests_count"] for row in rig.rows("repos")] == [1]


def test_an_object_is_known_by_bucket_name_and_generation(rig: Rig) -> None:
    path = rig.file(repos(repo()))
    versions = [ObjectVersion("a", "x", 1), ObjectVersion("b", "x", 1), ObjectVersion("a", "x", 2)]
    seqs = {rig.warehouse.load(Batch(version, REPOS, path, T0, None)).load_seq for version in versions}
    assert len(seqs) == 3


def test_ledger_entry_describes_the_load(rig: Rig) -> None:
    entry = rig.load(repos(repo("o/a"), repo("o/b"), at=T0 - HOUR), name="raw/repos/x")
    assert entry == LedgerEntry(
        ObjectVersion("lake", "raw/repos/x", 1), "repos", "r1", T0 - HOUR, 2, 2, 0, 0, 0, 0, None, 1, T0
    )
    assert rig.warehouse.find(entry.version) == entry


def test_unloaded_object_is_not_found(rig: Rig) -> None:
    assert rig.warehouse.find(ObjectVersion("lake", "x", 1)) is None


def test_the_loads_of_a_run_come_in_their_order(rig: Rig) -> None:
    entries = [rig.load(repos(repo(), at=T0 + HOUR * hour)) for hour in (2, 1, 3)]
    rig.warehouse.load(rig.batch(repos(repo()), run="r2"))
    assert rig.warehouse.loads_of("r1") == entries
    assert [entry.load_seq for entry in entries] == sorted(entry.load_seq for entry in entries)


def test_a_quarantined_object_is_noted_once_and_not_loaded_later(rig: Rig) -> None:
    version = ObjectVersion("lake", "x", 1)
    first = rig.warehouse.quarantine(version, "repos", "r1", None, "unreadable")
    assert rig.warehouse.quarantine(version, None, None, 5, "another") == first
    assert rig.load(repos(repo()), name="x") == first
    assert (first.rows_read, first.rows_quarantined, first.quarantine_reason) == (None, None, "unreadable")
    assert rig.warehouse.loads_of("r1") == [first]


def test_the_ledger_finds_what_was_quarantined_and_its_retries(rig: Rig) -> None:
    bad = rig.warehouse.quarantine(ObjectVersion("lake", "raw/repos/x", 1), "repos", "r1", None, "unreadable")
    names = ("drop/repos/retry-0-1.csv", "drop/usage_events/c/retry-0-1-2.parquet", "quarantine/0-1")
    retried = [rig.load(repos(repo(f"o/{name}")), name=name) for name in names]
    for name in ("drop/repos/x.csv", "drop/retry-0-1.csv/x", "raw/repos/quarantine/x"):
        rig.load(repos(repo(f"o/{name}")), name=name)
    assert rig.warehouse.entries(is_quarantined=True) == [bad, *retried]
    assert len(rig.warehouse.entries()) == 7


def test_a_newer_version_updates_the_row_and_its_change_sequence(rig: Rig) -> None:
    rig.load(repos(repo(opened=1)))
    entry = rig.load(repos(repo(opened=2), at=T0 + HOUR))
    assert counts(entry) == (1, 0, 1, 0, 0)
    (row,) = rig.rows("repos")
    assert (row["open_pull_requests_count"], row["_load_seq"]) == (2, entry.load_seq)


def test_an_older_version_is_superseded(rig: Rig) -> None:
    rig.load(repos(repo(opened=2), at=T0 + HOUR))
    before = rig.rows("repos")
    assert counts(rig.load(repos(repo(opened=1)))) == (1, 0, 0, 0, 1)
    assert rig.rows("repos") == before


def test_equal_content_keeps_the_change_sequence_and_advances_the_stamp(rig: Rig) -> None:
    first = rig.load(repos(repo()))
    assert counts(rig.load(repos(repo(), at=T0 + HOUR, run="r2"))) == (1, 0, 0, 1, 0)
    (row,) = rig.rows("repos")
    assert (row["_load_seq"], row["_run_id"]) == (first.load_seq, "r2")
    assert row["_extracted_at"] == (T0 + HOUR).replace(tzinfo=None)


def test_older_equal_content_changes_nothing(rig: Rig) -> None:
    rig.load(repos(repo(), at=T0 + HOUR))
    before = rig.rows("repos")
    assert counts(rig.load(repos(repo(), run="r0"))) == (1, 0, 0, 1, 0)
    assert rig.rows("repos") == before


def test_an_older_object_cannot_win_over_a_confirmed_row(rig: Rig) -> None:
    rig.load(repos(repo(opened=1)))
    rig.load(repos(repo(opened=1), at=T0 + 2 * HOUR))
    assert counts(rig.load(repos(repo(opened=9), at=T0 + HOUR))) == (1, 0, 0, 0, 1)


def test_extra_fields_count_as_content(rig: Rig) -> None:
    rig.load(repos(repo()))
    assert counts(rig.load(repos(repo(topics=["x"]), at=T0 + HOUR))) == (1, 0, 1, 0, 0)
    assert rig.rows("repos")[0]["_extra"] == '{"topics":["x"]}'


def test_of_duplicates_in_one_file_the_newest_is_loaded(rig: Rig) -> None:
    file = pa.concat_tables([repos(repo(opened=n), at=T0 + n * HOUR) for n in (1, 3, 2)] + [repos(repo("o/b"))])
    assert counts(rig.load(file)) == (4, 2, 0, 0, 2)
    assert [row["open_pull_requests_count"] for row in rig.rows("repos")] == [3, 1]
    assert counts(rig.load(file)) == (4, 0, 0, 2, 2)


def test_an_object_without_rows_is_noted_with_when_it_was_extracted(rig: Rig) -> None:
    entry = rig.load(REPOS.schema.empty_table())
    assert counts(entry) == (0, 0, 0, 0, 0)
    assert entry.extracted_at == T0


def test_rows_without_time_and_run_take_them_from_batch(rig: Rig) -> None:
    rig.load(pa.table({"full_name": ["o/a"]}))
    (row,) = rig.rows("repos")
    assert (row["_extracted_at"], row["_run_id"]) == (T0.replace(tzinfo=None), "r1")


def test_microseconds_stay_exact_and_finer_ones_are_cut_before_1970_too(rig: Rig) -> None:
    key = {"commitHash": ["a"], "repoName": ["r"], "userId": ["u"]}
    exact = pa.array([1_790_000_000_123_457], pa.timestamp("us", tz="UTC"))
    before = pa.array([-1_001], pa.timestamp("ns", tz="UTC"))
    rig.load(pa.table(key | {"commitTs": exact, "createdAt": before}), "commits")
    (row,) = rig.rows("commits")
    assert row["commitTs"] == datetime(2026, 9, 21, 14, 13, 20, 123457)  # noqa: DTZ001
    assert row["createdAt"] == datetime(1969, 12, 31, 23, 59, 59, 999998)  # noqa: DTZ001


def test_a_key_with_null_is_the_same_key_again(rig: Rig) -> None:
    file = pa.table({"commitHash": ["a"], "repoName": pa.nulls(1, pa.string()), "userId": ["u"]})
    rig.load(file, "commits")
    assert counts(rig.load(file, "commits")) == (1, 0, 0, 1, 0)


# Drift


def test_a_new_column_is_added_and_its_absence_is_null(rig: Rig) -> None:
    rig.load(repos(repo("o/a")))
    rig.load(pa.table({"full_name": ["o/b"], "stars": pa.array([5], pa.int16()), "nothing": pa.nulls(1)}))
    rig.load(repos(repo("o/c")))
    assert [(row["full_name"], row["stars"]) for row in rig.rows("repos")] == [("o/a", None), ("o/b", 5), ("o/c", None)]
    assert "nothing" not in rig.rows("repos")[0]


def test_a_new_value_in_a_new_column_is_a_change(rig: Rig) -> None:
    rig.load(pa.table({"full_name": ["o/a"]}))
    row = {"full_name": ["o/a"], "stars": [5], "_extracted_at": [T0 + HOUR]}
    assert counts(rig.load(pa.table(row))) == (1, 0, 1, 0, 0)


def test_columns_in_another_order_or_case_do_not_swap(rig: Rig) -> None:
    rig.load(pa.table({"DEFAULT_branch": ["main"], "Full_Name": ["o/a"]}))
    (row,) = rig.rows("repos")
    assert (row["full_name"], row["default_branch"]) == ("o/a", "main")


def test_a_narrower_type_is_widened_without_loss(rig: Rig) -> None:
    columns = {
        "full_name": pa.array(["o/a"]).dictionary_encode(),
        "default_branch": pa.array(["main"], pa.large_string()),
        "open_pull_requests_count": pa.array([2**32 - 1], pa.uint32()),
        "total_pull_requests_count": pa.nulls(1),
        "_extracted_at": pa.array([5], pa.timestamp("s")),
    }
    rig.load(pa.table(columns))
    (row,) = rig.rows("repos")
    assert (row["open_pull_requests_count"], row["default_branch"]) == (2**32 - 1, "main")
    assert row["_extracted_at"] == datetime(1970, 1, 1, 0, 0, 5)  # noqa: DTZ001


OPEN = "open_pull_requests_count"
KEY = {"full_name": ["o/a"]}
NO_KEY = "no column full_name: it is part of the key of repos"
TOO_MANY = "raw.repos would exceed the limit of 300 columns (305)"
TOO_LATE = pa.array([2**62], pa.timestamp("us", tz="UTC"))


SHAPES = [
    pytest.param(KEY | {OPEN: ["1"]}, "schema", "expected BIGINT, got VARCHAR", id="a text for a count"),
    pytest.param(KEY | {OPEN: [1.0]}, "schema", "expected BIGINT, got DOUBLE", id="a ratio for a count"),
    pytest.param(KEY | {"default_branch": [b"x"]}, "schema", "expected VARCHAR, got BLOB", id="bytes"),
    pytest.param(KEY | {OPEN: ["1"]} | {f"c{n}": [1] for n in range(51)}, "schema", OPEN, id="a text of many"),
    pytest.param({"default_branch": ["x"]}, "missing_key", NO_KEY, id="no key column"),
    pytest.param({"full_name": pa.array(["a", None])}, "null_key", "1 of 2 rows have no full_name", id="no key"),
    pytest.param(KEY | {"_extracted_at": TOO_LATE}, "out_of_range", "_extracted_at", id="year 148000"),
    pytest.param(KEY | {'x"; drop table raw.repos; --': [1]}, "column_name", "drop table", id="an injection"),
    pytest.param(KEY | {"": [1]}, "column_name", "''", id="an empty name"),
    pytest.param(KEY | {"a" * 64: [1]}, "column_name", "63 at most", id="a long name"),
    pytest.param(KEY | {"FULL_name": ["x"]}, "column_name", "differ at most in case", id="the key twice"),
    pytest.param(KEY | {"_load_seq": [1]}, "column_name", "_load_seq", id="a column of ours"),
    pytest.param(KEY | {f"c{n}": [1] for n in range(300)}, "too_large", "301 columns", id="301 columns"),
    pytest.param(KEY | {f"c{n}": [1] for n in range(51)}, "too_large", "columns, got 51", id="51 new columns"),
    pytest.param(KEY | {f"c{n}": [1] for n in range(280)}, "too_large", "columns, got 280", id="280 new columns"),
    pytest.param(KEY | {f"c{n}": [1] for n in range(298)}, "too_large", TOO_MANY, id="too many to add"),
]  # fmt: skip
SHAPES_ON_SNOWFLAKE = ("a text for a count", "no key", "a column of ours", "51 new columns", "too many to add")


@pytest.mark.parametrize(
    ("open_rig", "columns", "reason", "message"), on_both_engines(SHAPES, SHAPES_ON_SNOWFLAKE), indirect=["open_rig"]
)
def test_a_file_of_another_shape_changes_nothing(
    rig: Rig, columns: dict[str, object], reason: str, message: str
) -> None:
    rig.load(repos(repo("o/z")))
    before = rig.rows("repos")
    with pytest.raises(BadObject) as refused:
        rig.load(pa.table(columns), name="bad")
    assert (refused.value.reason, "\n" in str(refused.value)) == (reason, False)
    assert message in str(refused.value)
    assert rig.rows("repos") == before
    assert rig.warehouse.find(ObjectVersion("lake", "bad", 1)) is None


def test_a_changed_nested_column_is_refused_with_the_difference(tmp_path: Path) -> None:
    rig = duckdb_rig(tmp_path)  # Snowflake has one type for all of them, which loses nothing
    rig.load(pa.table(KEY | {"owner": [{"a": 1}]}))
    with pytest.raises(BadObject, match=r"column owner: expected STRUCT.*, got STRUCT") as refused:
        rig.load(pa.table(KEY | {"owner": [{"a": 1, "b": "x"}]}))
    assert refused.value.reason == "schema"
    close(rig)


def test_a_nested_column_with_a_hostile_field_is_only_a_column(rig: Rig) -> None:
    hostile = 'x" INTEGER); DROP TABLE raw.repos; --'
    rig.load(pa.table(KEY | {"owner": [{hostile: 1}]}))
    assert rig.rows("repos")[0]["owner"] == {hostile: 1}


def whole(tmp_path: Path) -> bytes:
    path = tmp_path / "whole.parquet"
    rows = [repo(f"o/{n}", n, default_branch=str(n * 7919)) for n in range(5000)]
    pq.write_table(repos(*rows), path, compression="snappy", use_dictionary=False)
    return path.read_bytes()


SPOILT = [
    pytest.param(lambda content: b"", id="zero bytes"),
    pytest.param(lambda content: b"<html><body>502 Bad Gateway</body></html>" * 20, id="HTML"),
    pytest.param(lambda content: content[: len(content) // 2], id="truncated"),
    pytest.param(lambda content: b"PAR1" + bytes(100) + b"PAR1", id="an empty footer"),
    pytest.param(lambda content: content[:500] + bytes(3000) + content[3500:], id="a hole"),
]


@pytest.mark.parametrize(("open_rig", "spoil"), on_both_engines(SPOILT, ("HTML", "a hole")), indirect=["open_rig"])
def test_a_file_that_is_no_parquet_is_unreadable_in_one_line(rig: Rig, spoil: Callable[[bytes], bytes]) -> None:
    bad = rig.folder / "bad.parquet"
    bad.write_bytes(spoil(whole(rig.folder)))
    with pytest.raises(BadObject) as refused:
        rig.load(bad)
    assert (refused.value.reason, "\n" in str(refused.value)) == ("unreadable", False)
    assert counts(rig.load(repos(repo()))) == (1, 1, 0, 0, 0)


SEEDS = [pytest.param(seed, id=str(seed)) for seed in range(12)]


@pytest.mark.parametrize(("open_rig", "seed"), on_both_engines(SEEDS, ("0", "9")), indirect=["open_rig"])
def test_a_flipped_bit_is_refused_or_loads_but_never_breaks_the_warehouse(rig: Rig, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    content = bytearray(whole(rig.folder))
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    bad = rig.folder / "bad.parquet"
    bad.write_bytes(content)
    with suppress(BadObject):
        assert rig.load(bad).rows_read == 5000
    assert rig.load(repos(repo("o/new"))).rows_inserted == 1


def test_a_text_that_is_no_utf_8_is_unreadable(rig: Rig) -> None:
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xc3(")])
    with pytest.raises(BadObject) as refused:
        rig.load(pa.table({"full_name": broken}))
    assert refused.value.reason == "unreadable"


def test_a_path_is_never_read_as_pattern_or_columns(rig: Rig) -> None:
    path = rig.folder / "dt=2026-01-01" / "default_branch=evil" / "it's [a] *.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(KEY), path)
    rig.load(path)
    (row,) = rig.rows("repos")
    assert row["default_branch"] is None
    assert "dt" not in row


# Any order, all at once


VERSION = st.fixed_dictionaries(
    {"full_name": st.sampled_from(["a", "b"])},
    optional={
        "default_branch": st.sampled_from(["", "x", "y,", None]),
        "open_pull_requests_count": st.integers(0, 2),
        "ratio": st.sampled_from([0.0, -0.0, 1e-7]),
        "Extra_Name": st.sampled_from(["p", "q"]),
    },
)
OBJECT = st.tuples(st.lists(VERSION, min_size=1, max_size=3), st.integers(0, 1), st.sampled_from(["r1", "r2", None]))


def drifting(rows: Rows, hour: int, run: str | None) -> pa.Table:
    """Return a table with exactly the columns of its rows: one more, one fewer, in any order."""
    names = sorted({name for row in rows for name in row}, reverse=hour == 1)
    columns: dict[str, object] = {name: [row.get(name) for row in rows] for name in names}
    stamps = {"_extracted_at": [T0 + hour * HOUR] * len(rows), "_run_id": pa.array([run] * len(rows), pa.string())}
    return pa.table(columns | stamps)


def without_order(rows: Rows) -> list[list[tuple[str, str]]]:
    """Leave out what may depend on the order of arrival: `_load_seq`, the columns' order, columns without a value."""
    told = [{k.lower(): v for k, v in row.items() if k != "_load_seq" and v is not None} for row in rows]
    return sorted(sorted((name, repr(value)) for name, value in row.items()) for row in told)


def test_any_permutation_of_objects_ends_in_the_same_table(
    emptied: Emptied, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @settings(max_examples=8 if is_on_duckdb(request) else 1, deadline=None)
    @given(st.lists(OBJECT, min_size=2, max_size=3))
    def permute(objects: list[tuple[Rows, int, str | None]]) -> None:
        ends = []
        for order in permutations(objects):
            with emptied(tmp_path_factory.mktemp("order")) as rig:
                for rows, hour, run in order:
                    entry = rig.warehouse.load(rig.batch(drifting(rows, hour, run), run=None))
                    assert entry.rows_read == sum(counts(entry)[1:])
                ends.append(without_order(rig.rows("repos")))
        assert all(end == ends[0] for end in ends)

    permute()


def version(run: str | None = "r1", **columns: object) -> pa.Table:
    """Return one version of one pull request, extracted at T0; a tuple is (value, type)."""
    given = {"repo_name": "r", "number": 1, "_extracted_at": T0, "_run_id": (run, pa.string())} | columns
    typed = {name: value if isinstance(value, tuple) else (value, None) for name, value in given.items()}
    return pa.table({name: pa.array([value], kind) for name, (value, kind) in typed.items()})


INSTANT = pa.timestamp("us", tz="UTC")


VERSIONS = [
    pytest.param(version(title="a"), version(title="b"), id="the content"),
    pytest.param(version(title=("", pa.string())), version(title="", body=""), id="one more value"),
    pytest.param(version("r1"), version("r2"), id="the run"),
    pytest.param(version(None), version("r1"), id="no run"),
    pytest.param(version(updated_at=T0, title="z"), version(updated_at=T0 + HOUR, title="a"), id="newest"),
    pytest.param(version(updated_at=(None, INSTANT), title="z"), version(updated_at=T0, title="a"), id="no newest"),
    pytest.param(version(p1=1, q1=2), version(q1=1, p1=2), id="columns added in another order"),
    pytest.param(version(body="1", title="2"), version(body='1",title:"2'), id="a text like two texts"),
    pytest.param(version(body="1", title="2"), version(body="1,title:2"), id="a text like two columns"),
    pytest.param(version(labels=["a", "b"]), version(labels=["a, c"]), id="a list"),
    pytest.param(version("r1", ai_ratio=-0.0), version("r2", ai_ratio=0.0), id="both zeros are one"),
    pytest.param(version(owner={"a": 1}), version(owner={"a": 2}), id="a nested value"),
]
ON_SNOWFLAKE = ("the content", "no run", "no newest", "columns added in another order", "both zeros are one")


ON_BOTH_ENGINES = on_both_engines(VERSIONS, ON_SNOWFLAKE)


@pytest.mark.parametrize(("emptied", "less", "greater"), ON_BOTH_ENGINES, indirect=["emptied"])
def test_of_two_versions_one_stays_forwards_backwards_and_in_one_file(
    emptied: Emptied, request: pytest.FixtureRequest, tmp_path: Path, less: pa.Table, greater: pa.Table
) -> None:
    both = pa.concat_tables([less, greater], promote_options="default")
    orders = [[less, greater], [greater, less], [both], [both.slice(1), both.slice(0, 1)], [less, both, greater]]
    ends = []
    for number, order in enumerate(orders if is_on_duckdb(request) else orders[:3]):
        folder = tmp_path / str(number)
        folder.mkdir()
        with emptied(folder) as rig:
            for file in order:
                rig.load(file, "pull_requests")
            ends.append(without_order(rig.rows("pull_requests")))
    assert len(ends[0]) == 1
    assert all(end == ends[0] for end in ends)


def test_the_case_of_an_added_column_decides_nothing(emptied: Emptied, tmp_path: Path) -> None:
    one, other = version(Px=1), version(pX=(None, pa.int64()), o=1)
    ends = []
    for number, order in enumerate(([one, other], [other, one])):
        folder = tmp_path / str(number)
        folder.mkdir()
        with emptied(folder) as rig:
            for file in order:
                rig.load(file, "pull_requests")
            ends.append(without_order(rig.rows("pull_requests")))
    assert ends[0] == ends[1]


def test_between_equal_stamps_the_newest_column_decides(rig: Rig) -> None:
    late, early = T0, T0 - HOUR
    for number, (updated, title) in enumerate([(late, "a"), (early, "z"), (None, "zz")]):
        when = pa.array([updated], PULLS.schema.field("updated_at").type)
        columns = {"repo_name": ["r"], "number": [1], "title": [title], "updated_at": when}
        entry = rig.load(pa.table(columns), "pull_requests")
        assert counts(entry) == (1, int(number == 0), 0, 0, int(number > 0))
    assert rig.rows("pull_requests")[0]["title"] == "a"


def test_lists_and_json_texts_are_content(rig: Rig) -> None:
    rows: Rows = [{"repo_name": "r", "number": 1, "labels": ["a", "b"]}]
    rig.load(pa.Table.from_batches([to_batch(rows, PULLS, T0, "r1")]), "pull_requests")
    rows = [{"repo_name": "r", "number": 1, "labels": ["a, b"]}]
    again = pa.Table.from_batches([to_batch(rows, PULLS, T0 + HOUR, "r1")])
    assert counts(rig.load(again, "pull_requests")) == (1, 0, 1, 0, 0)


def test_many_threads_load_each_object_once(rig: Rig) -> None:
    count = 8 if isinstance(rig.warehouse, DuckDBWarehouse) else 4
    batches = [rig.batch(repos(*[repo(f"o/{n}", k) for n in range(20)], at=T0 + k * HOUR)) for k in range(count)]
    start = threading.Barrier(count)

    def load_all(seed: int) -> list[LedgerEntry]:
        start.wait()
        entries = [rig.warehouse.load(batch) for batch in random.Random(seed).sample(batches, count)]  # noqa: S311
        return sorted(entries, key=lambda entry: entry.load_seq)

    with ThreadPoolExecutor(count) as threads:
        seen = list(threads.map(load_all, range(count)))
    assert all(entries == seen[0] for entries in seen)
    assert len({entry.load_seq for entry in seen[0]}) == count
    assert [row["open_pull_requests_count"] for row in rig.rows("repos")] == [count - 1] * 20
