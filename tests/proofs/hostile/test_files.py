"""Files that are wrong, odd or extreme: each is loaded exactly, or quarantined with one clear reason."""

import gzip
import json
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from tests.deploy.functions.deployed import RUN
from tests.proofs.hostile import files
from tests.proofs.hostile.conftest import Door

pytestmark = pytest.mark.slow

Make = Callable[[], bytes]
GOOD = files.parquet({"full_name": [f"o/{n}" for n in range(500)], "open_pull_requests_count": list(range(500))})


def timestamps(unit: str, value: int) -> bytes:
    instants = pa.array([value], pa.int64()).cast(pa.timestamp(unit))
    return files.parquet(pa.table({"pr_id": [1], "id": [1], "submitted_at": instants}))


def duplicate_columns() -> bytes:
    return files.parquet(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["full_name", "full_name"]))


REFUSED: dict[str, tuple[str, Make, str, str]] = {
    "zero bytes of Parquet": ("repos/a.parquet", lambda: b"", "unreadable", "0 bytes"),
    "zero bytes of NDJSON": ("repos/a.ndjson", lambda: b"", "unreadable", "empty"),
    "zero bytes of CSV": ("repos/a.csv", lambda: b"", "unreadable", "empty"),
    "only line ends in CSV": ("repos/a.csv", lambda: b"\n\n\n", "unreadable", "no header line"),
    "HTML named Parquet": ("repos/a.parquet", lambda: b"<html>502</html>", "unreadable", "Parquet"),
    "HTML named CSV": ("repos/a.csv", lambda: b"<html>\n<b>502, sorry</b>\n", "unreadable", "line 2: expected 1 cells"),
    "one line of HTML named CSV": ("repos/a.csv", lambda: b"<html>502</html>", "missing_key", "no column of repos"),
    "HTML named NDJSON": ("repos/a.ndjson", lambda: b"<html>502</html>", "unreadable", "line 1: not JSON"),
    "gzip named CSV": ("repos/a.csv", lambda: gzip.compress(b"full_name\na\n"), "unreadable", "not UTF-8"),
    "gzip named NDJSON": ("repos/a.ndjson", lambda: gzip.compress(b"{}"), "unreadable", "not UTF-8"),
    "gzip named Parquet": ("repos/a.parquet", lambda: gzip.compress(GOOD), "unreadable", "Parquet"),
    "UTF-16 CSV": ("repos/a.csv", lambda: "full_name\na\n".encode("utf-16"), "unreadable", "byte 1 is not UTF-8"),
    "UTF-16 NDJSON": ("repos/a.ndjson", lambda: "{}".encode("utf-16"), "unreadable", "not UTF-8"),
    "zeros": ("repos/a.csv", lambda: b"\0" * 5000, "missing_key", "no column of repos"),
    "Parquet named CSV": ("repos/a.csv", lambda: GOOD, "unreadable", "line"),
    "CSV named Parquet": ("repos/a.parquet", lambda: b"full_name\na\n", "unreadable", "Parquet"),
    "the first half of a Parquet file": ("repos/a.parquet", lambda: GOOD[: len(GOOD) // 2], "unreadable", "Parquet"),
    "Parquet without its first page": ("repos/a.parquet", lambda: b"PAR1" + GOOD[200:], "unreadable", ""),
    "encrypted Parquet": ("repos/a.parquet", files.encrypted, "unreadable", "ncrypt"),
    "a compression that nobody knows": ("repos/a.parquet", files.unknown_codec, "unreadable", "codec"),
    "Parquet with invalid UTF-8": ("repos/a.parquet", files.invalid_utf8, "unreadable", "UTF"),
    "NDJSON with invalid UTF-8": ("repos/a.ndjson", lambda: b'{"full_name": "\xff"}', "unreadable", "not UTF-8"),
    "NDJSON with half a surrogate": (
        "repos/a.ndjson",
        lambda: b'{"full_name": "\\ud800"}',
        "schema",
        "half a surrogate pair",
    ),
    "DELTA_BYTE_ARRAY, whose size is unknown": (
        "repos/a.parquet",
        lambda: files.parquet(
            {"full_name": ["a" * 999] * 99}, use_dictionary=False, column_encoding={"full_name": "DELTA_BYTE_ARRAY"}
        ),
        "unreadable",
        "DELTA_BYTE_ARRAY",
    ),
    "lists 40 deep": ("repos/a.parquet", lambda: files.too_deep(40), "too_large", "levels of nesting"),
    "our own column": (
        "repos/a.parquet",
        lambda: files.parquet({"full_name": ["a"], "_load_seq": [1]}),
        "column_name",
        "_load_seq",
    ),
    "our own field": ("repos/a.ndjson", lambda: b'{"full_name":"a","_LOAD_SEQ":1}', "column_name", "_load_seq"),
    "a column twice": ("repos/a.parquet", duplicate_columns, "column_name", "full_name"),
    "a CSV column twice": ("repos/a.csv", lambda: b"full_name,FULL_NAME\na,b\n", "column_name", "twice"),
    "a field twice": ("repos/a.ndjson", lambda: b'{"full_name":"a","full_name":"b"}', "unreadable", "twice"),
    "SQL for a column": (
        "repos/a.parquet",
        lambda: files.parquet({"full_name": ["a"], 'x"; DROP SCHEMA raw CASCADE; --': [1]}),
        "column_name",
        "expected a letter",
    ),
    "a column of another type": (
        "repos/a.parquet",
        lambda: files.parquet({"full_name": ["a"], "open_pull_requests_count": ["5"]}),
        "schema",
        "column open_pull_requests_count: expected BIGINT, got VARCHAR",
    ),
    "an unsigned count of 64 bits": (
        "repos/a.parquet",
        lambda: files.parquet(
            pa.table({"full_name": ["a"], "open_pull_requests_count": pa.array([2**64 - 1], pa.uint64())})
        ),
        "schema",
        "UBIGINT",
    ),
    "an integer of 65 bits": (
        "repos/a.ndjson",
        lambda: b'{"full_name":"a","open_pull_requests_count":18446744073709551616}',
        "schema",
        "at most 64 bits",
    ),
    "an integer of 5,000 digits": (
        "repos/a.ndjson",
        lambda: b'{"full_name":"a","open_pull_requests_count":' + b"9" * 5000 + b"}",
        "unreadable",
        "line 1",
    ),
    "an integer of 30 digits in CSV": (
        "repos/a.csv",
        lambda: b"full_name,open_pull_requests_count\na," + b"9" * 30 + b"\n",
        "schema",
        "an integer",
    ),
    "NaN in NDJSON": ("repos/a.ndjson", lambda: b'{"full_name":"a","x":NaN}', "unreadable", "NaN is no JSON number"),
    "a ratio of 1e999": (
        "pull_requests/a.ndjson",
        lambda: b'{"repo_name":"a","number":1,"ai_ratio":1e999}',
        "schema",
        "a finite number",
    ),
    "infinity in CSV": (
        "pull_requests/a.csv",
        lambda: b"repo_name,number,ai_ratio\na,1,Infinity\n",
        "schema",
        "a number",
    ),
    "a key that is NULL": (
        "repos/a.parquet",
        lambda: files.parquet(pa.table({"full_name": pa.nulls(2, pa.string())})),
        "null_key",
        "2 of 2 rows",
    ),
    "no key": ("repos/a.parquet", lambda: files.parquet({"x": [1]}), "missing_key", "full_name"),
    "a timestamp after 9999": ("reviews/a.parquet", lambda: timestamps("s", 253402300800), "out_of_range", "years"),
    "a timestamp before year 1": ("reviews/a.parquet", lambda: timestamps("us", -(2**62)), "out_of_range", "years"),
    "the timestamp that means infinity": ("reviews/a.parquet", lambda: timestamps("us", 2**63 - 1), "out_of_range", ""),
    "a timestamp beyond what seconds can say": ("reviews/a.parquet", lambda: timestamps("s", 2**53), "", ""),
    "a timestamp of the year 10000 in NDJSON": (
        "reviews/a.ndjson",
        lambda: b'{"pr_id":1,"id":1,"submitted_at":"10000-01-01T00:00:00Z"}',
        "schema",
        "RFC 3339",
    ),
    "JSON 5,000 deep in a line": (
        "reviews/a.ndjson",
        lambda: b'{"pr_id":1,"id":1,"comments":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "too_large",
        "deeper than 32",
    ),
    "JSON 5,000 deep in a cell": (
        "reviews/a.csv",
        lambda: b"pr_id,id,comments\n1,1," + b"[" * 5000 + b"]" * 5000 + b"\n",
        "schema",
        "expected JSON",
    ),
    "JSON 5,000 deep in _extra": (
        "repos/a.ndjson",
        lambda: json.dumps({"full_name": "a", "_extra": '{"x":' * 5000 + "1" + "}" * 5000}).encode(),
        "schema",
        "_extra",
    ),
    "a stray quote": ("repos/a.csv", lambda: b'full_name\na"b"c\n', "unreadable", "a stray quote"),
    "a quote that is never closed": ("repos/a.csv", lambda: b'full_name\n"a\nb\n', "unreadable", "never closed"),
    "301 fields": ("repos/a.ndjson", lambda: json.dumps({f"f{n}": n for n in range(301)}).encode(), "too_large", "301"),
    "a list instead of an object": ("repos/a.ndjson", lambda: b"[1]\n", "unreadable", "a JSON object"),
}


@pytest.mark.parametrize(
    ("name", "make", "reason", "words"), [pytest.param(*case, id=what) for what, case in REFUSED.items()]
)
def test_invalid_file_is_quarantined_with_clear_reason(
    door: Door, name: str, make: Make, reason: str, words: str
) -> None:
    entry, why = door.drop(f"drop/{name}", make(), table=name.split("/")[0])
    assert entry.quarantine_reason is not None
    assert entry.quarantine_reason == reason or not reason, why
    assert words in why


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda: b"", "unreadable", id="zero bytes"),
        pytest.param(lambda: GOOD[:-1], "unreadable", id="truncated"),
        pytest.param(files.invalid_utf8, "unreadable", id="invalid UTF-8"),
        pytest.param(lambda: files.many_columns(400), "too_large", id="401 columns"),
        pytest.param(lambda: files.too_deep(40), "too_large", id="lists 40 deep"),
        pytest.param(lambda: files.parquet({"full_name": [1]}), "schema", id="another type"),
    ],
)
def test_invalid_part_is_quarantined_with_its_run_id(door: Door, make: Make, reason: str) -> None:
    entry, _ = door.part(make())
    assert (entry.quarantine_reason, entry.run_id) == (reason, "20261120T060000Z")


@pytest.mark.parametrize(
    ("content", "rows", "builds"), [pytest.param(GOOD, 500, [None], id="good"), pytest.param(b"", None, [], id="empty")]
)
def test_part_of_unknown_run_is_loaded_with_warning(
    door: Door,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    rows: int | None,
    builds: list[None],
) -> None:
    monkeypatch.setattr(logging.getLogger("millrace"), "handlers", [caplog.handler])
    stored = door.functions.lake.write(f"raw/repos/dt=2026-11-20/run={RUN}/repos-00000.parquet", content, 0)
    door.deliver(stored)
    entry, _ = door.outcome(stored)
    assert (entry.rows_read, entry.run_id) == (rows, RUN)
    assert door.functions.builds == builds
    assert "object of no run" in [record.message for record in caplog.records if record.levelname == "WARNING"]


def test_a_task_record_of_no_run_is_acknowledged(door: Door) -> None:
    door.deliver(door.functions.lake.write(f"runs/{RUN}/tasks/repos.json", b"{}", 0))
    assert list(door.functions.lake.list(f"runs/{RUN}/final.json")) == []


LEGAL: dict[str, tuple[str, Make, int]] = {
    "columns in another order": (
        "repos/a.parquet",
        lambda: files.parquet({"total_pull_requests_count": [2], "open_pull_requests_count": [1], "full_name": ["a"]}),
        1,
    ),
    "a file with a header alone": ("repos/a.csv", lambda: b"full_name\n", 0),
    "a Parquet file without rows": (
        "repos/a.parquet",
        lambda: files.parquet(pa.table({"full_name": pa.array([], pa.string())})),
        0,
    ),
    "NDJSON of empty lines": ("repos/a.ndjson", lambda: b"\n\r\n \n", 0),
    "formulas": ("repos/a.csv", lambda: b"full_name,default_branch\na,=1+1\nb,\"=cmd|'/c calc'!A0\"\n", 2),
    "one key five times": ("repos/a.ndjson", lambda: b'{"full_name": "a"}\n' * 5, 5),
    "-0.0 and 0.0": (
        "pull_requests/a.parquet",
        lambda: files.parquet({"repo_name": ["a", "a"], "number": [1, 1], "ai_ratio": [-0.0, 0.0]}),
        2,
    ),
    "NaN and infinity in Parquet": (
        "pull_requests/a.parquet",
        lambda: files.parquet(
            {"repo_name": ["a"] * 3, "number": [1, 2, 3], "ai_ratio": [float("nan"), float("inf"), -float("inf")]}
        ),
        3,
    ),
    "the greatest and the least integer": (
        "repos/a.parquet",
        lambda: files.parquet({"full_name": ["a", "b"], "open_pull_requests_count": [2**63 - 1, -(2**63)]}),
        2,
    ),
    "32 levels of JSON": (
        "reviews/a.ndjson",
        lambda: b'{"pr_id":1,"id":1,"comments":' + b"[" * 31 + b"]" * 31 + b"}",
        1,
    ),
    "quotes in quotes": ("repos/a.csv", lambda: b'full_name\n"' + b'""' * 100_000 + b'"\n', 1),
    "a text of 6 MB": ("repos/a.ndjson", lambda: json.dumps({"full_name": "x" * (6 << 20)}).encode(), 1),
    "nothing but a column without a type": (
        "repos/a.parquet",
        lambda: files.parquet(pa.table({"full_name": ["a"], "x": pa.nulls(1)})),
        1,
    ),
}


@pytest.mark.parametrize(("name", "make", "rows"), [pytest.param(*case, id=what) for what, case in LEGAL.items()])
def test_an_odd_but_legal_file_is_loaded(door: Door, name: str, make: Make, rows: int) -> None:
    entry, why = door.drop(f"drop/{name}", make(), table=name.split("/")[0])
    assert (entry.quarantine_reason, why, entry.rows_read) == (None, "", rows)


@pytest.mark.parametrize(
    ("unit", "value", "stored"),
    [
        pytest.param("us", -62135596800000000, datetime(1, 1, 1), id="year 1"),  # noqa: DTZ001 - naive UTC
        pytest.param("s", 253402300799, datetime(9999, 12, 31, 23, 59, 59), id="year 9999"),  # noqa: DTZ001
        pytest.param("ns", -1, datetime(1969, 12, 31, 23, 59, 59, 999999), id="a nanosecond before 1970"),  # noqa: DTZ001
        pytest.param("ns", 1_999, datetime(1970, 1, 1, 0, 0, 0, 1), id="1,999 nanoseconds"),  # noqa: DTZ001
        pytest.param("ms", -1, datetime(1969, 12, 31, 23, 59, 59, 999000), id="a millisecond before 1970"),  # noqa: DTZ001
    ],
)
def test_an_extreme_timestamp_is_stored_exactly_or_cut_down(
    door: Door, unit: str, value: int, stored: datetime
) -> None:
    entry, _ = door.drop("drop/reviews/a.parquet", timestamps(unit, value), table="reviews")
    assert entry.rows_inserted == 1
    assert stored in door.functions.rows("reviews")[0]


def test_a_formula_stays_the_text_that_it_was(door: Door) -> None:
    door.drop("drop/repos/a.csv", b"full_name,default_branch\na,=1+1\n")
    assert ("a", "=1+1") in [row[:2] for row in door.functions.rows("repos")]


def test_minus_zero_is_zero_however_the_rows_are_ordered(door: Door) -> None:
    door.drop("drop/pull_requests/a.parquet", LEGAL["-0.0 and 0.0"][1](), table="pull_requests")
    door.functions.warehouse.close()
    assert "-0.0" not in repr(door.functions.rows("pull_requests"))


def test_invalid_extraction_time_in_file_is_ignored(door: Door) -> None:
    for number, claim in enumerate((b"tomorrow", b"\xff", b"0001-01-01T00:00:00+14:00", b"2026-11-20T00:00:00")):
        table = pa.table({"full_name": ["a"]}).replace_schema_metadata({b"millrace.extracted_at": claim})
        stored = door.functions.lake.write(f"drop/repos/{number}.parquet", files.parquet(table), 0)
        door.deliver(stored)
        entry, why = door.outcome(stored)
        assert why == ""
        assert entry.extracted_at is not None
        assert entry.extracted_at.tzinfo == UTC


@pytest.mark.parametrize("region", ["header", "page", "page header", "footer", "length"])
def test_a_flipped_byte_is_refused_or_loads_but_never_breaks_the_function(door: Door, region: str) -> None:
    """Flip single bytes in each region of a small file; good files load before and after."""
    small = files.parquet({"full_name": ["a", "b"], "open_pull_requests_count": [1, 2]}, compression="zstd")
    start = len(small) - 8 - int.from_bytes(small[-8:-4], "little")
    places = {
        "header": range(0, 4),
        "page header": range(4, 40, 3),
        "page": range(40, start, 11),
        "footer": range(start, len(small) - 8, 7),
        "length": range(len(small) - 8, len(small)),
    }[region]
    for place in places:
        spoiled = bytearray(small)
        spoiled[place] ^= 0xFF
        door.deliver(door.functions.lake.write(f"drop/repos/{place}.parquet", bytes(spoiled), 0))
    assert_all_told(door, len(places))


@pytest.mark.parametrize("seed", range(4))
def test_random_flips_are_refused_or_load_but_never_break_the_function(door: Door, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seeded generator of test data
    for number in range(15):
        spoiled = bytearray(GOOD)
        for _ in range(chance.choice((1, 1, 3, 30))):
            spoiled[chance.randrange(len(spoiled))] ^= 1 << chance.randrange(8)
        door.deliver(door.functions.lake.write(f"drop/repos/{number}.parquet", bytes(spoiled), 0))
    assert_all_told(door, 15)


@pytest.mark.parametrize("kind", ["parquet", "ndjson", "csv"])
def test_noise_is_refused(door: Door, kind: str) -> None:
    chance = random.Random(kind)  # noqa: S311 - a seeded generator of test data
    for number in range(8):
        content = chance.randbytes(chance.randrange(1, 3000))
        door.deliver(door.functions.lake.write(f"drop/repos/{number}.{kind}", content, 0))
    assert_all_told(door, 8)


def assert_all_told(door: Door, count: int) -> None:
    outcomes = [door.outcome(stored) for stored in door.functions.lake.list("drop/repos/")]
    assert len(outcomes) == count
    door.load_a_good_file("repos")
