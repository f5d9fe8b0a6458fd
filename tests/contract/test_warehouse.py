"""The guarantees of every warehouse: a load happens once, all of it or nothing, and a bad file is refused."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract.rig import (
    HOUR,
    REPOS,
    T0,
    Rig,
    close,
    counts,
    duckdb_rig,
    on_both_engines,
    repo,
    repos,
)

from millrace.errors import BadObject
from millrace.lake import ObjectVersion
from millrace.warehouse import Batch, LedgerEntry


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
